//! Values with rules of their own: samplers, tags, the agent.

use tracehound::Config;
use tracehound::config::Source;

use super::tables::rows;
use super::{lookup, names, read, refused, setting};

/// A type, a parameter, and the sampler that results.
const SAMPLERS: &str = "
const | 1 | const 1
const | 0 | const 0
const | true | const 1
const | off | const 0
const | 0.0 | const 0
const | 0.5 | const 1
const | -1 | const 1
probabilistic | 1 | probabilistic 1
Probabilistic | .5 | probabilistic 0.5
ratelimiting | 2.5 | ratelimiting 2.5
RateLimiting | 0 | ratelimiting 0
rate_limiting | 10 | ratelimiting 10
rate-limiting | 10 | ratelimiting 10
";

/// A type, and a parameter that is refused.
const NO_SAMPLERS: &str = "
const | NaN
const | inf
const | all
probabilistic | true
ratelimiting | -1
ratelimiting | NaN
ratelimiting | inf
ratelimiting | 5/s
";

#[test]
fn the_sampler_type_decides_what_its_parameter_means() {
    for [kind, param, sampler] in rows(&[SAMPLERS]) {
        let variables = [
            ("JAEGER_SAMPLER_TYPE", kind),
            ("JAEGER_SAMPLER_PARAM", param),
        ];
        let expected = (sampler.to_owned(), Source::Variable("JAEGER_SAMPLER_TYPE"));
        assert_eq!(
            setting(&read(&variables).explain(), "sampler"),
            expected,
            "{kind} {param}"
        );
    }
    for [kind, param] in rows(&[NO_SAMPLERS]) {
        let variables = [
            ("JAEGER_SAMPLER_TYPE", kind),
            ("JAEGER_SAMPLER_PARAM", param),
        ];
        assert_eq!(
            names(refused(&variables).problems()),
            ["JAEGER_SAMPLER_PARAM"],
            "{kind} {param}"
        );
    }
}

#[test]
fn a_rate_limiting_sampler_needs_its_parameter() {
    let error = refused(&[("JAEGER_SAMPLER_TYPE", "ratelimiting")]);
    assert_eq!(
        error.to_string(),
        "JAEGER_SAMPLER_PARAM: the rate limiting sampler needs it: how many traces a second to keep"
    );
}

#[test]
fn an_opentelemetry_ratio_is_the_rate_and_a_bad_one_counts_as_unset() {
    let sampler = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
    let explanation = read(&[sampler, ("OTEL_TRACES_SAMPLER_ARG", "0.25")]).explain();
    assert_eq!(setting(&explanation, "sampler").0, "probabilistic 0.25");
    let explanation = read(&[sampler, ("OTEL_TRACES_SAMPLER_ARG", "2")]).explain();
    assert_eq!(setting(&explanation, "sampler").0, "probabilistic 1");
    assert_eq!(
        names(explanation.passed_over()),
        ["OTEL_TRACES_SAMPLER_ARG"]
    );
}

/// A text of `JAEGER_TAGS`, and the tags (`key:value`) that result if `SET` is `value` and `EMPTY` is empty.
const TAGS: &str = "
a=1 | a:1
a = 1 , b = 2 | a:1 b:2
a=1,,b=2, , | a:1 b:2
a=b=c | a:b=c
a= | a:
a=1,b=2,a=3 | a:3 b:2
a=1;b | a:1;b
a=${SET} | a:value
a= ${SET} , b=2 | a:value b:2
a=${SET:other} | a:value
a=${ABSENT:other} | a:other
a=${EMPTY:other} | a:other
a=${ABSENT:http://x:1/} | a:http://x:1/
a=${ABSENT:} | a:
# Anywhere and several times.
a=x${SET} | a:xvalue
a=${SET}x | a:valuex
a=pre-${SET}-${ABSENT:d}${EMPTY:}-$-${ SET }-post | a:pre-value-d-$-value-post
a=${SET}${SET},b=${SET:x}y | a:valuevalue b:valuey
a=${ABSENT:{x}}} | a:{x}}
a=${ABSENT:a:b}:c | a:a:b:c
# A default is expanded, too.
a=${ABSENT:${SET}} | a:value
a=${ABSENT:x${EMPTY:y${SET}z}}! | a:xyvaluez!
a=${SET:${ABSENT}} | a:value
# What came of a variable is not.
a=${NESTED} | a:${SET}
# No reference.
a=$SET | a:$SET
a=$${SET}} | a:$value}
a={SET} | a:{SET}
größe=groß | größe:groß
";

#[test]
fn tags_follow_the_grammar_of_jaeger_tags() {
    for [text, expected] in rows(&[TAGS]) {
        let variables = [
            ("JAEGER_TAGS", text),
            ("SET", " value "),
            ("EMPTY", " "),
            ("NESTED", "${SET}"),
        ];
        let explanation = read(&variables).explain();
        let tags = explanation.settings().iter().filter_map(|setting| {
            let key = setting.name().strip_prefix("tag ")?;
            Some(format!("{key}:{}", setting.value().trim_matches('"')))
        });
        assert_eq!(tags.collect::<Vec<_>>().join(" "), expected, "{text:?}");
    }
    let none = read(&[("JAEGER_TAGS", " , ,")]).explain();
    assert!(
        none.settings()
            .iter()
            .all(|setting| !setting.name().starts_with("tag "))
    );
    let deep = format!("a={}x{}", "${A:".repeat(100_000), "}".repeat(100_000));
    for text in [
        "foo",
        "a=${EMPTY}",
        "a=1,foo,b=2",
        "a=${:x}",
        "a=${SET",
        "a=x${SET}${SET",
        "a=${",
        "a=${A${SET}}",
        "a=${ABSENT:${EMPTY}}",
        "a=x${ABSENT:${SET}",
        "${SET}=a",
        "a=${SE\0T}",
        "a=${SET=}",
        &deep,
    ] {
        let error = refused(&[("JAEGER_TAGS", text), ("EMPTY", "")]);
        assert_eq!(names(error.problems()), ["JAEGER_TAGS"], "{text:?}");
    }
}

#[test]
fn good_tags_beside_a_bad_one_are_kept_when_read_lossily() {
    let explanation =
        Config::from_lookup_lossy(lookup(&[("JAEGER_TAGS", "a=1,foo,b=${ABSENT},c=3")])).explain();
    assert_eq!(setting(&explanation, "tag a").0, r#""1""#);
    assert_eq!(setting(&explanation, "tag c").0, r#""3""#);
    assert!(explanation.get("tag b").is_none());
    let passed_over: Vec<_> = explanation
        .passed_over()
        .iter()
        .map(|problem| problem.to_string())
        .collect();
    assert_eq!(
        passed_over,
        [
            "JAEGER_TAGS: item 2: expected key=value",
            "JAEGER_TAGS: item 3: expected a variable that is set, or a default after a colon as in ${NAME:default}"
        ]
    );
}

/// Values that Kubernetes sets for a service of that name, and Docker for a link.
const SERVICE_LINKS: [&str; 6] = [
    "udp://10.96.1.2:5775",
    "tcp://10.96.1.2:80",
    "sctp://10.96.1.2:1",
    "UDP://10.96.1.2:5775",
    "tcp://[fd00::1]:5775",
    "tcp://fd00::1:5775",
];

const MAY_BE_LINKS: [&str; 9] = [
    "JAEGER_AGENT_PORT",
    "JAEGER_AGENT_HOST",
    "JAEGER_SAMPLER_HOST",
    "JAEGER_SAMPLER_PORT",
    "JAEGER_SAMPLER_MANAGER_HOST_PORT",
    "JAEGER_REPORTER_AGENT_HOST",
    "JAEGER_REPORTER_AGENT_PORT",
    "OTEL_EXPORTER_JAEGER_AGENT_HOST",
    "OTEL_EXPORTER_JAEGER_AGENT_PORT",
];

#[test]
fn a_service_link_is_passed_over_with_one_warning() {
    let defaults = Config::new("shop").explain();
    for variable in MAY_BE_LINKS {
        for link in SERVICE_LINKS {
            let explanation = read(&[("JAEGER_SERVICE_NAME", "shop"), (variable, link)]).explain();
            let passed_over: Vec<_> = explanation
                .passed_over()
                .iter()
                .map(ToString::to_string)
                .collect();
            let expected = format!(
                "{variable}: is a link to a service, as Kubernetes sets it for one of that name, found {link:?}"
            );
            assert_eq!(passed_over, [expected]);
            for setting in &defaults.settings()[2..] {
                assert_eq!(
                    explanation.get(setting.name()),
                    Some(setting),
                    "{variable}={link}"
                );
            }
        }
    }
    // A tag may have a link as its value. In variables with other endings, and for texts that are no link, it is an
    // error.
    let tags = [
        ("JAEGER_TAGS", "a=${JAEGER_AGENT_PORT}"),
        ("JAEGER_AGENT_PORT", SERVICE_LINKS[0]),
    ];
    let explanation = read(&tags).explain();
    assert_eq!(
        setting(&explanation, "tag a").0,
        format!("{:?}", SERVICE_LINKS[0])
    );
    for (variable, text) in [
        ("JAEGER_SAMPLER_SAMPLING_PATH", SERVICE_LINKS[0]),
        ("JAEGER_ENDPOINT", SERVICE_LINKS[0]),
        ("JAEGER_AGENT_HOST", "udp://agent:5775"),
        ("JAEGER_AGENT_PORT", "udp://10.96.1.2"),
        ("JAEGER_AGENT_PORT", "udp://u@10.96.1.2:1"),
        ("JAEGER_AGENT_PORT", "http://10.96.1.2:5775"),
        ("JAEGER_AGENT_PORT", "udp://10.96.1.2:5775/x"),
    ] {
        assert_eq!(
            names(refused(&[(variable, text)]).problems()),
            [variable],
            "{text}"
        );
    }
}

#[cfg(feature = "udp")]
mod agent {
    use tracehound::reporter::sender::{AgentProtocol, SocketFamily};

    use super::*;

    #[test]
    fn the_port_follows_the_protocol_unless_it_is_set() {
        let binary = ("OTEL_EXPORTER_JAEGER_PROTOCOL", "udp/thrift.binary");
        let explanation = read(&[binary]).explain();
        let expected = ("6832".to_owned(), Source::Default);
        assert_eq!(setting(&explanation, "agent_port"), expected);
        let explanation = read(&[binary, ("JAEGER_AGENT_PORT", "6831")]).explain();
        assert_eq!(setting(&explanation, "agent_port").0, "6831");
    }

    /// Hosts, and how they are shown; `-` if they are refused.
    const HOSTS: &str = "
jaeger-agent | jaeger-agent
jaeger_agent.svc | jaeger_agent.svc
10.0.0.1 | 10.0.0.1
größe | größe
::1 | ::1
[::1] | ::1
[2001:DB8::0:1] | 2001:db8::1
fe80::1%1 | fe80::1%1
[fe80::1%eth0] | fe80::1%eth0
fe80::1%en-0.1 | fe80::1%en-0.1
fe80::1% | -
fe80::1%a%b | -
fe80::1%a b | -
fe80::1%a/b | -
10.0.0.1%1 | -
agent%1 | -
[agent] | -
[10.0.0.1] | -
[::1 | -
::1] | -
1::2::3 | -
udp://agent | -
u@agent | -
agent/ | -
a b | -
a,b | -
a\u{0} | -
";

    const PORTS: &str = "
1 | 1
6831 | 6831
06831 | 6831
65535 | 65535
0 | -
+6831 | -
-1 | -
65536 | -
6831/udp | -
6,831 | -
0x10 | -
۱ | -
";

    #[test]
    fn variables_code_and_agent_addresses_have_one_parser() {
        use tracehound::reporter::sender::AgentAddress;
        use tracehound::sampler::ConstSampler;

        let of_variable = |name, text: &str, setting| {
            let lookup = |known: &str| (known == name).then(|| text.to_owned());
            let config = Config::from_lookup(lookup).ok()?;
            let explanation = config.explain();
            Some(
                explanation
                    .get(setting)?
                    .value()
                    .trim_matches('"')
                    .to_owned(),
            )
        };
        for [text, told] in rows(&[HOSTS]) {
            let told = (told != "-").then(|| told.to_owned());
            let read = of_variable("JAEGER_AGENT_HOST", text, "agent_host");
            assert_eq!(read, told, "{text}");
            let address = text.parse::<AgentAddress>().ok();
            let host = address.as_ref().map(|address| address.host().to_owned());
            assert_eq!(host, told, "{text}");
            let config = Config::new("shop").agent_host(text);
            let explained = setting(&config.explain(), "agent_host").0;
            let config = config.sampler(ConstSampler::new(true));
            let built = config.diagnostics(quiet()).build();
            assert_eq!(built.is_ok(), told.is_some(), "{text}");
            if let Some(told) = told {
                assert_eq!(explained, format!("{told:?}"));
            }
        }
        for [text, told] in rows(&[PORTS]) {
            let told = (told != "-").then(|| told.to_owned());
            let read = of_variable("JAEGER_AGENT_PORT", text, "agent_port");
            assert_eq!(read, told, "{text}");
            for host in ["agent", "[fe80::1%1]"] {
                let address = format!("{host}:{text}").parse::<AgentAddress>().ok();
                let port = address.map(|address| address.port().to_string());
                assert_eq!(port, told, "{host}:{text}");
            }
        }
    }

    fn quiet() -> tracehound::diagnostics::Diagnostics {
        tracehound::diagnostics::Diagnostics::with_handler(|_| {})
    }

    #[test]
    fn a_service_link_counts_as_unset() {
        let variables = [
            ("JAEGER_AGENT_PORT", SERVICE_LINKS[0]),
            ("OTEL_EXPORTER_JAEGER_AGENT_PORT", "7000"),
        ];
        let explanation = read(&variables).explain();
        assert_eq!(setting(&explanation, "agent_port").0, "7000");
        assert_eq!(names(explanation.passed_over()), ["JAEGER_AGENT_PORT"]);
    }

    #[test]
    fn an_agent_of_the_code_wins_over_variables() {
        let explanation = read(&[
            ("JAEGER_AGENT_HOST", "variable"),
            ("JAEGER_AGENT_PORT", "1"),
            ("JAEGER_AGENT_SOCKET_TYPE", "udp6"),
            ("OTEL_EXPORTER_JAEGER_PROTOCOL", "udp/thrift.compact"),
        ])
        .agent_host("code")
        .agent_port(2)
        .agent_family(SocketFamily::V4)
        .agent_protocol(AgentProtocol::Binary)
        .explain();
        let values = ["agent_host", "agent_port", "agent_family", "agent_protocol"];
        let values = values.map(|name| setting(&explanation, name));
        let expected = [r#""code""#, "2", "udp4", "binary"];
        assert_eq!(
            values,
            expected.map(|value| (value.to_owned(), Source::Code))
        );
    }
}
