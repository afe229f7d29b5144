//! The settings of the remote sampler: where strategies come from, and what counts until then.

use std::thread;
use std::time::{Duration, Instant};

use tracehound::config::Source;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::SamplingRate;
use tracehound::{Config, JaegerTracer};

use super::building::{SOON, built};
use super::tables::rows;
use super::{lookup, names, read, refused, setting};
use crate::support::strategy_server::{Answer, StrategyServer};

/// Variables that are set together, separated by blanks, and the endpoint and its source that result.
const ENDPOINTS: &str = r#"
JAEGER_SAMPLING_ENDPOINT=http://a:1/s JAEGER_SAMPLER_MANAGER_HOST_PORT=b:1 JAEGER_SAMPLER_HOST=c | http://a:1/s | JAEGER_SAMPLING_ENDPOINT
JAEGER_SAMPLER_MANAGER_HOST_PORT=b:1 JAEGER_SAMPLER_HOST=c JAEGER_SAMPLER_PORT=2 | http://b:1/sampling | JAEGER_SAMPLER_MANAGER_HOST_PORT
JAEGER_SAMPLER_MANAGER_HOST_PORT=b:1 JAEGER_SAMPLER_SAMPLING_PATH=/s | http://b:1/s | JAEGER_SAMPLER_MANAGER_HOST_PORT
JAEGER_SAMPLER_MANAGER_HOST_PORT=http://b:1/t JAEGER_SAMPLER_SAMPLING_PATH=/s | http://b:1/t | JAEGER_SAMPLER_MANAGER_HOST_PORT
JAEGER_SAMPLER_HOST=c JAEGER_SAMPLER_PORT=2 JAEGER_SAMPLER_SAMPLING_PATH=/s | http://c:2/s | JAEGER_SAMPLER_HOST
JAEGER_SAMPLER_PORT=2 JAEGER_SAMPLER_SAMPLING_PATH=/s | http://127.0.0.1:2/s | JAEGER_SAMPLER_PORT
JAEGER_SAMPLER_HOST=udp://10.0.0.1:1 JAEGER_SAMPLER_PORT=2 | http://127.0.0.1:2/sampling | JAEGER_SAMPLER_PORT
"#;

#[test]
fn the_most_specific_variable_names_the_endpoint() {
    for [set, endpoint, variable] in rows(&[ENDPOINTS]) {
        let set: Vec<_> = set
            .split(' ')
            .map(|pair| pair.split_once('=').unwrap())
            .collect();
        let expected = (format!("{endpoint:?}"), Source::Variable(variable));
        let explanation = read(&set).explain();
        assert_eq!(
            setting(&explanation, "sampling_endpoint"),
            expected,
            "{set:?}"
        );
    }
}

#[test]
#[cfg(feature = "udp")]
fn the_host_of_the_agent_is_asked_unless_another_one_is_named() {
    let host = ("JAEGER_AGENT_HOST", "jaeger");
    for (set, endpoint) in [
        (vec![host], "http://jaeger:5778/sampling"),
        (
            vec![host, ("JAEGER_SAMPLER_PORT", "1")],
            "http://jaeger:1/sampling",
        ),
        (
            vec![host, ("JAEGER_SAMPLER_HOST", "other")],
            "http://other:5778/sampling",
        ),
    ] {
        let explanation = read(&set).explain();
        let expected = format!("{endpoint:?}");
        assert_eq!(setting(&explanation, "sampling_endpoint").0, expected);
    }
    let explanation = Config::new("shop").agent_host("::1").explain();
    let expected = (r#""http://[::1]:5778/sampling""#.to_owned(), Source::Code);
    assert_eq!(setting(&explanation, "sampling_endpoint"), expected);
}

#[test]
fn a_call_in_the_code_wins_over_variables_of_the_remote_sampler() {
    let explanation = read(&[
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_SAMPLING_ENDPOINT", "http://variable:1/"),
        ("JAEGER_SAMPLER_MAX_OPERATIONS", "1"),
        ("JAEGER_SAMPLER_REFRESH_INTERVAL", "1s"),
    ])
    .remote_sampler(SamplingRate::ONE)
    .sampling_endpoint("http://code:1/")
    .sampler_max_operations(2)
    .sampler_refresh_interval(Duration::from_secs(2))
    .strategy_file("/var/lib/shop/strategy.json")
    .explain();
    for (name, value) in [
        ("sampler", "remote 1"),
        ("sampling_endpoint", r#""http://code:1/""#),
        ("sampler_max_operations", "2"),
        ("sampler_refresh_interval", "2s"),
        ("strategy_file", r#""/var/lib/shop/strategy.json""#),
    ] {
        let expected = (value.to_owned(), Source::Code);
        assert_eq!(setting(&explanation, name), expected, "{name}");
    }
}

#[test]
fn another_sampler_has_no_settings_of_the_remote_one() {
    let explanation = read(&[
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_SAMPLING_ENDPOINT", "http://jaeger:1/"),
    ])
    .explain();
    assert!(explanation.get("sampling_endpoint").is_none());
}

/// The parameter of `jaeger_remote`, and the endpoint, the interval and the initial probability that result. `-` stands
/// for the default, and `!` before it for an item that is passed over.
const OTEL: &str = r#"
endpoint=http://jaeger:5778/sampling,pollingIntervalMs=5000,initialSamplingRate=0.25 | http://jaeger:5778/sampling | 5s | 0.25
 pollingIntervalMs = 5000 ,, | - | 5s | 0.001
initialSamplingRate=1 | - | 60s | 1
endpoint=ftp://jaeger,pollingIntervalMs=7 | !- | 7ms | 0.001
pollingIntervalMs=0,initialSamplingRate=1 | !- | 60s | 1
initialSamplingRate=2 | !- | 60s | 0.001
nonsense | !- | 60s | 0.001
"#;

#[cfg(feature = "grpc")]
const OTEL_GRPC: &str = r#"
endpoint=http://jaeger:14250,pollingIntervalMs=5000 | grpc://jaeger:14250 | 5s | 0.001
endpoint=http://jaeger:14250/ | grpc://jaeger:14250/ | 60s | 0.001
endpoint=jaeger:14250 | grpc://jaeger:14250 | 60s | 0.001
endpoint=grpc://jaeger:5779 | grpc://jaeger:5779 | 60s | 0.001
"#;
#[cfg(not(feature = "grpc"))]
const OTEL_GRPC: &str = r#"
endpoint=http://jaeger:14250,pollingIntervalMs=5000 | !- | 5s | 0.001
"#;

#[test]
fn the_parameter_of_opentelemetry_is_a_list_whose_good_items_count() {
    for [text, endpoint, interval, initial] in rows(&[OTEL, OTEL_GRPC]) {
        let explanation = read(&[
            ("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote"),
            ("OTEL_TRACES_SAMPLER_ARG", text),
        ])
        .explain();
        let (passed_over, endpoint) = match endpoint.strip_prefix('!') {
            Some(endpoint) => (vec!["OTEL_TRACES_SAMPLER_ARG"], endpoint),
            None => (Vec::new(), endpoint),
        };
        let endpoint = match endpoint {
            "-" => "http://127.0.0.1:5778/sampling",
            other => other,
        };
        let value = |name| setting(&explanation, name).0;
        assert_eq!(names(explanation.passed_over()), passed_over, "{text}");
        assert_eq!(value("sampling_endpoint"), format!("{endpoint:?}"));
        assert_eq!(value("sampler_refresh_interval"), interval, "{text}");
        assert_eq!(value("sampler"), format!("remote {initial}"), "{text}");
        for problem in explanation.passed_over() {
            assert_eq!(problem.value(), None, "a list may hold a secret");
        }
    }
}

#[test]
fn jaegers_settings_of_the_remote_sampler_win_over_opentelemetrys() {
    let explanation = read(&[
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        (
            "OTEL_TRACES_SAMPLER_ARG",
            "endpoint=http://otel:1/s,pollingIntervalMs=1,initialSamplingRate=1",
        ),
        ("JAEGER_SAMPLER_MANAGER_HOST_PORT", "jaeger:1"),
        ("JAEGER_SAMPLER_REFRESH_INTERVAL", "2s"),
    ])
    .explain();
    for (name, value, variable) in [
        ("sampler", "remote 1", "OTEL_TRACES_SAMPLER"),
        (
            "sampling_endpoint",
            r#""http://jaeger:1/sampling""#,
            "JAEGER_SAMPLER_MANAGER_HOST_PORT",
        ),
        (
            "sampler_refresh_interval",
            "2s",
            "JAEGER_SAMPLER_REFRESH_INTERVAL",
        ),
    ] {
        let expected = (value.to_owned(), Source::Variable(variable));
        assert_eq!(setting(&explanation, name), expected, "{name}");
    }
    assert_eq!(explanation.passed_over(), []);
}

#[test]
fn no_secret_of_an_endpoint_is_shown_and_none_is_sent_in_the_clear() {
    for variable in [
        "JAEGER_SAMPLING_ENDPOINT",
        "JAEGER_SAMPLER_MANAGER_HOST_PORT",
    ] {
        let error = refused(&[(variable, "http://canary:canary@jaeger:5778/sampling")]);
        let text = error.to_string();
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("in the clear"), "{text}");
    }
    let config = read(&[(
        "JAEGER_SAMPLING_ENDPOINT",
        "http://canary:canary@127.0.0.1:1/s?token=canary",
    )]);
    let all = format!("{} {config:?}", config.explain());
    assert!(!all.contains("canary"), "{all}");
    assert!(all.contains("http://127.0.0.1:1/s"), "{all}");
}

#[test]
fn settings_of_the_code_are_checked_when_the_tracer_is_built() {
    let config = || {
        Config::new("shop")
            .remote_sampler(SamplingRate::ONE)
            .reporter(NullReporter::new())
    };
    for (config, message) in [
        (
            config().sampling_endpoint("jaeger"),
            "sampling_endpoint: expected a URL such as http://jaeger:5778/sampling, or grpc://jaeger:5779, \
             found \"jaeger\"",
        ),
        (
            config().sampling_endpoint("http://[fe80::7%25eth0]:5778/sampling"),
            "sampling_endpoint: expected a host name, or an address without a zone: a zone such as %25eth0 is not \
             supported in a URL, found \"http://[fe80::7%25eth0]:5778/sampling\"",
        ),
        (
            config().sampler_refresh_interval(Duration::ZERO),
            "sampler_refresh_interval: expected a duration above zero, found \"0\"",
        ),
    ] {
        assert_eq!(config.build().unwrap_err().to_string(), message);
    }
}

#[test]
#[cfg(feature = "udp")]
fn a_host_that_no_url_can_hold_is_named_by_its_own_variable() {
    for (variable, others) in [
        ("JAEGER_AGENT_HOST", &[][..]),
        ("JAEGER_AGENT_HOST", &[("JAEGER_SAMPLER_PORT", "5779")]),
        ("JAEGER_SAMPLER_HOST", &[]),
    ] {
        let variables = [&[(variable, "jäger")], others].concat();
        let config = read(&variables).service_name("shop");
        let error = config.reporter(NullReporter::new()).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{variable}: expected a host that a URL can hold, such as jaeger or xn--jger-loa, to ask it for \
                 strategies, found \"jäger\""
            )
        );
    }
    // Another sampler does not ask it.
    let variables = [
        ("JAEGER_AGENT_HOST", "jäger"),
        ("JAEGER_SAMPLER_TYPE", "const"),
    ];
    let config = read(&variables).service_name("shop");
    assert!(config.reporter(NullReporter::new()).build().is_ok());
}

fn until(tracer: &JaegerTracer, counter: Counter) {
    let deadline = Instant::now() + SOON;
    while tracer.metrics().get(counter) == 0 {
        assert!(Instant::now() < deadline, "{counter:?}");
        thread::yield_now();
    }
}

#[test]
fn a_tracer_of_variables_alone_follows_the_strategies_of_the_endpoint() {
    let server = StrategyServer::start(Answer::probabilistic(1.0));
    let url = server.url();
    let config = read(&[
        ("JAEGER_SERVICE_NAME", "my shop"),
        ("JAEGER_SAMPLING_ENDPOINT", &url),
        ("JAEGER_SAMPLER_PARAM", "0"),
    ]);
    let (tracer, lines) = built(config.reporter(NullReporter::new()));
    assert_eq!(
        lines.lock().unwrap()[0],
        format!(
            "service \"my shop\" is traced: sampler remote 0 from {url}, spans go to NullReporter"
        )
    );
    assert_eq!(server.wait_for(1), ["/sampling?service=my%20shop"]);
    until(&tracer, Counter::SamplerUpdatesOk);
    assert!(tracer.start_span("checkout").context().is_sampled());
    assert!(tracer.close(SOON).is_complete());
}

#[test]
fn the_initial_probability_counts_while_the_endpoint_is_silent() {
    let server = StrategyServer::start(Answer::Hang(Vec::new()));
    for (param, is_sampled) in [("1", true), ("0", false)] {
        let config = read(&[
            ("JAEGER_SERVICE_NAME", "shop"),
            ("JAEGER_SAMPLING_ENDPOINT", &server.url()),
            ("JAEGER_SAMPLER_PARAM", param),
        ]);
        let (tracer, _) = built(config.reporter(NullReporter::new()));
        let sampled = |_| tracer.start_span("checkout").context().is_sampled();
        assert!((0..1_000).all(|n| sampled(n) == is_sampled), "{param}");
        // It does not wait for the answer.
        assert!(tracer.close(SOON).is_complete());
    }
}

#[test]
fn the_line_at_the_start_says_that_the_remote_sampler_is_the_default() {
    let server = StrategyServer::start(Answer::probabilistic(1.0));
    let config = Config::new("shop").sampling_endpoint(server.url());
    let (_tracer, lines) = built(config.reporter(NullReporter::new()));
    let line = format!(
        "service \"shop\" is traced: sampler remote 0.001 from {} (the default: one trace in 1000 until \
         strategies come; JAEGER_SAMPLER_TYPE=const keeps all), spans go to NullReporter",
        server.url()
    );
    // The first strategies may have come before it, with a line of their own.
    let lines = lines.lock().unwrap();
    assert!(lines.contains(&line), "{lines:?}");
}

#[test]
fn a_tracer_that_is_off_or_cannot_be_built_asks_for_no_strategies() {
    let server = StrategyServer::start(Answer::probabilistic(1.0));
    let url = server.url();
    let off = [
        ("JAEGER_SERVICE_NAME", "off"),
        ("JAEGER_DISABLED", "true"),
        ("JAEGER_SAMPLING_ENDPOINT", &*url),
    ];
    let (tracer, _) = built(read(&off).reporter(NullReporter::new()));
    assert!(tracer.is_noop());
    let nameless = read(&[("JAEGER_SAMPLING_ENDPOINT", &*url)]).reporter(NullReporter::new());
    assert!(nameless.build().is_err());
    drop(Config::from_lookup(lookup(&off[..1])));
    // A tracer that is on asks at once: the others would have asked before.
    let on = read(&[("JAEGER_SERVICE_NAME", "on"), off[2]]);
    let (_tracer, _) = built(on.reporter(NullReporter::new()));
    assert_eq!(server.wait_for(1), ["/sampling?service=on"]);
}
