//! A configuration from variables and code: what is read, what is refused, and which one wins.

#[cfg(feature = "udp")]
mod agent;
mod building;
mod catalogue;
mod embedded_agent;
#[cfg(feature = "serde")]
mod file;
mod refusals;
#[cfg(feature = "remote-sampler")]
mod remote;
mod sampler_tables;
#[cfg(all(
    feature = "collector",
    feature = "otlp",
    feature = "zipkin",
    feature = "tls",
    feature = "serde",
    feature = "grpc"
))]
mod sending;
mod sending_tables;
mod tables;
mod told;
mod values;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;
use tracehound::Config;
use tracehound::config::{ConfigError, ConfigProblem, Explanation, Source};
use tracehound::model::TagRef;
use tracehound::reporter::NullReporter;
use tracehound::sampler::{
    ConstSampler, RateLimitingSampler, Sampler, SamplingDecision, SpanView, TracesPerSecond,
};
use tracehound::span::Limits;

use sampler_tables::DEFAULTS_OF_SAMPLER;
use tables::{ALL_PASSED_OVER, ALL_READ, ALL_REFUSED, MISNAMED, rows, variables};

type Variables<'v> = &'v [(&'v str, &'v str)];

fn lookup<'v>(variables: Variables<'v>) -> impl Fn(&str) -> Option<String> + 'v {
    |name| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    }
}

fn read(variables: Variables<'_>) -> Config {
    Config::from_lookup(lookup(variables)).unwrap()
}

fn refused(variables: Variables<'_>) -> ConfigError {
    Config::from_lookup(lookup(variables)).unwrap_err()
}

/// Returns the value and the source of a setting.
fn setting(explanation: &Explanation, name: &str) -> (String, Source) {
    let setting = explanation.get(name).unwrap();
    (setting.value().to_owned(), setting.source())
}

fn names(problems: &[ConfigProblem]) -> Vec<&str> {
    problems.iter().map(ConfigProblem::name).collect()
}

#[test]
fn every_variable_reaches_its_setting_and_is_named_as_its_source() {
    for [variable, text, name, value] in rows(&ALL_READ) {
        let explanation = read(&[(variable, text)]).explain();
        let source = explanation.get(name).unwrap().source();
        assert_eq!(setting(&explanation, name).0, value, "{variable}={text:?}");
        assert!(
            matches!(source, Source::Variable(name) if name == variable),
            "{variable}: {source}"
        );
        assert_eq!(explanation.passed_over(), [], "{variable}={text:?}");
    }
}

/// Variables that are set together.
const BOTH: &str = r#"
JAEGER_SERVICE_NAME | jaeger
OTEL_SERVICE_NAME | otel
JAEGER_DISABLED | false
OTEL_SDK_DISABLED | true
JAEGER_SAMPLER_TYPE | probabilistic
JAEGER_SAMPLER_PARAM | 0.5
OTEL_TRACES_SAMPLER | always_on
JAEGER_REPORTER_MAX_QUEUE_SIZE | 7
OTEL_BSP_MAX_QUEUE_SIZE | 2048
JAEGER_PROPAGATION | jaeger
OTEL_PROPAGATORS | tracecontext,baggage
OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT | 9
OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT | 10
JAEGER_TAGS | zone=jaeger
OTEL_RESOURCE_ATTRIBUTES | zone=otel,host=h,service.name=resource
"#;

/// A setting, its value, and which of those variables it came from.
const WINNERS: &str = r#"
service_name | "jaeger" | JAEGER_SERVICE_NAME
disabled | false | JAEGER_DISABLED
sampler | probabilistic 0.5 | JAEGER_SAMPLER_TYPE
queue_size | 7 | JAEGER_REPORTER_MAX_QUEUE_SIZE
propagation | jaeger | JAEGER_PROPAGATION
tag_value_bytes | 9 | OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT
tag zone | "jaeger" | JAEGER_TAGS
tag host | "h" | OTEL_RESOURCE_ATTRIBUTES
"#;

#[test]
fn jaeger_wins_over_opentelemetry_and_span_limits_over_general_ones() {
    let both: Vec<_> = rows(&[BOTH])
        .into_iter()
        .map(|[name, text]| (name, text))
        .collect();
    let explanation = read(&both).explain();
    for [name, value, variable] in rows(&[WINNERS]) {
        assert_eq!(
            setting(&explanation, name),
            (value.to_owned(), Source::Variable(variable))
        );
    }
    assert_eq!(explanation.passed_over(), []);
    assert!(explanation.get("tag service.name").is_none());

    let names = [
        ("OTEL_SERVICE_NAME", "otel"),
        ("OTEL_RESOURCE_ATTRIBUTES", "service.name=resource"),
    ];
    assert_eq!(
        setting(&read(&names).explain(), "service_name").0,
        r#""otel""#
    );
}

#[test]
fn a_bad_jaeger_value_does_not_let_opentelemetry_in() {
    let variables = [
        ("JAEGER_REPORTER_MAX_QUEUE_SIZE", "x"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "7"),
    ];
    let explanation = Config::from_lookup_lossy(lookup(&variables)).explain();
    assert_eq!(
        setting(&explanation, "queue_size"),
        ("16384".to_owned(), Source::Default)
    );
}

const SET_BY_CODE: &str = r#"
service_name | "code"
disabled | false
sampler | ratelimiting 5
log_spans | false
queue_size | 2
flush_interval | 2ms
trace_id_128bit | false
tag_value_bytes | 1024
logs | 2
tag zone | 2
"#;

#[test]
fn a_call_in_the_code_wins_over_variables() {
    let explanation = read(&[
        ("JAEGER_SERVICE_NAME", "variable"),
        ("JAEGER_DISABLED", "true"),
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("JAEGER_REPORTER_LOG_SPANS", "true"),
        ("JAEGER_REPORTER_MAX_QUEUE_SIZE", "1"),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "1ms"),
        ("JAEGER_TRACEID_128BIT", "true"),
        ("JAEGER_TAGS", "zone=variable,host=variable"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "1"),
    ])
    .service_name("code")
    .disabled(false)
    .sampler(RateLimitingSampler::new(TracesPerSecond::from(5)))
    .log_spans(false)
    .queue_size(2)
    .flush_interval(Duration::from_millis(2))
    .trace_id_128bit(false)
    .limits(Limits::default().logs(2))
    .tag("zone", 2)
    .explain();
    for [name, value] in rows(&[SET_BY_CODE]) {
        assert_eq!(
            setting(&explanation, name),
            (value.to_owned(), Source::Code),
            "{name}"
        );
    }
    assert_eq!(
        setting(&explanation, "tag host").1,
        Source::Variable("JAEGER_TAGS")
    );
}

#[test]
fn a_disabled_tracer_never_fails_for_other_variables() {
    let bad = rows(&ALL_REFUSED)
        .into_iter()
        .filter(|row| row[0] != "JAEGER_DISABLED");
    let bad: Vec<_> = bad.map(|[variable, text, _]| (variable, text)).collect();
    for disabled in ["JAEGER_DISABLED", "OTEL_SDK_DISABLED"] {
        let explanation = read(&[&[(disabled, "true")], bad.as_slice()].concat()).explain();
        assert_eq!(setting(&explanation, "disabled").0, "true", "{disabled}");
    }
}

const DEFAULTS: &str = r#"
disabled | false
service_name | ""
dev | false
"#;

const DEFAULTS_OF_SENDER: &str = r#"
sender | agent
"#;

const DEFAULTS_OF_AGENT: &str = r#"
agent_host | "localhost"
agent_port | 6831
agent_family | any
agent_protocol | compact
agent_lookup_interval | 30s
"#;

const MORE_DEFAULTS: &str = r#"
log_spans | false
queue_size | 16384
flush_interval | 1s
trace_id_128bit | false
propagation | jaeger,w3c
tag_value_bytes | 1024
logs | 128
recording | metadata
tag_names | opentracing
rpc_metrics | false
max_open_spans | 1000000
open_span_limit | none
"#;

#[test]
fn settings_have_the_documented_defaults() {
    let explanation = read(&[]).explain();
    let settings = explanation.settings();
    let values: Vec<_> = settings
        .iter()
        .map(|setting| [setting.name(), setting.value()])
        .collect();
    let of_agent = if cfg!(feature = "udp") {
        DEFAULTS_OF_AGENT
    } else {
        ""
    };
    assert_eq!(
        values,
        rows(&[
            DEFAULTS,
            DEFAULTS_OF_SAMPLER,
            DEFAULTS_OF_SENDER,
            of_agent,
            MORE_DEFAULTS,
        ])
    );
    assert!(
        settings
            .iter()
            .all(|setting| setting.source() == Source::Default)
    );
}

#[test]
fn values_are_trimmed_and_an_empty_one_counts_as_unset() {
    let explanation = read(&[("JAEGER_SERVICE_NAME", " \t my shop \r\n")]).explain();
    assert_eq!(setting(&explanation, "service_name").0, r#""my shop""#);
    let tables = [
        ALL_READ.as_slice(),
        &ALL_REFUSED,
        &ALL_PASSED_OVER,
        &[MISNAMED],
    ]
    .concat();
    for variable in tables.into_iter().flat_map(variables) {
        for empty in ["", " ", "\t\r\n "] {
            let explanation = read(&[(variable, empty)]).explain();
            let mut settings = explanation.settings().iter();
            assert!(
                settings.all(|setting| setting.source() == Source::Default),
                "{variable}"
            );
            assert_eq!(explanation.passed_over(), [], "{variable}");
        }
    }
}

/// A sampler that the library does not know.
struct OddTraces;

impl Sampler for OddTraces {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Drop
    }

    fn on_set_tag(&self, _: &SpanView<'_>, _: &str, _: TagRef<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }
}

const TABLE: &str = r#"
disabled         false         default
service_name     "shop\n."     JAEGER_SERVICE_NAME
dev              false         default
sampler          OddTraces     code
reporter         NullReporter  code
log_spans        false         default
queue_size       16384         default
flush_interval   1s            default
trace_id_128bit  false         default
propagation      jaeger,w3c    default
tag_value_bytes  1024          default
logs             128           default
recording        metadata      default
tag_names        opentracing   default
rpc_metrics      false         default
max_open_spans   1000000       default
open_span_limit  none          default
tag zone         "eu-\u{1b}"   code
passed over: OTEL_BSP_MAX_QUEUE_SIZE: expected a whole number above 0, found "x"
"#;

#[test]
fn explain_prints_a_table_with_the_source_of_each_value() {
    let variables = [
        ("JAEGER_SERVICE_NAME", "shop\n."),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "x"),
    ];
    let config = read(&variables)
        .sampler(OddTraces)
        .reporter(NullReporter::new())
        .tag("zone", "eu-\u{1b}");
    assert_eq!(config.explain().to_string().trim_end(), TABLE.trim());
    let debug = format!(
        "{:?}",
        Config::new("shop").sampler(ConstSampler::new(false))
    );
    assert!(debug.contains("sampler: const 0 (code)"), "{debug}");
}

/// Every name that is looked up, except those in `${…}`.
static LOOKED_UP: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let seen = RefCell::new(BTreeSet::new());
    // Each text leads to other variables.
    for text in [
        "",
        "1",
        "const",
        "ratelimiting",
        "traceidratio",
        "jaeger_remote",
        "b3",
    ] {
        for family in ["JAEGER_", "OTEL_", "TRACEHOUND_"] {
            let lookup = |name: &str| {
                seen.borrow_mut().insert(name.to_owned());
                name.starts_with(family).then(|| text.to_owned())
            };
            drop(Config::from_lookup_lossy(lookup));
        }
    }
    seen.into_inner()
});

/// Texts that are similar to valid values.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => "[ -~]{0,12}",
        1 => "\\PC{0,6}",
        1 => "[0-9.]{1,25}[a-z]{0,2}",
        1 => "([a-z]=\\$\\{[A-Z_]{0,3}:?\\}?,?){0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn reading_never_panics_and_reading_lossily_always_succeeds(
        texts in proptest::collection::vec(any_text(), LOOKED_UP.len())
    ) {
        let texts: BTreeMap<_, _> = LOOKED_UP.iter().zip(&texts).collect();
        let lookup = |name: &str| texts.get(&name.to_owned()).map(|text| (*text).clone());
        let lossy = Config::from_lookup_lossy(lookup).explain();
        match Config::from_lookup(lookup).map(|config| config.explain()) {
            Ok(strict) => prop_assert_eq!(strict.settings(), lossy.settings()),
            Err(error) => prop_assert!(!error.problems().is_empty()),
        }
        prop_assert!(!lossy.to_string().is_empty());
    }
}
