//! Settings in a file: every key reaches its setting, variables win over it, and no secret comes out again.

use tracehound::config::{Config, ConfigFile, Explanation, Source};
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;

use super::tables::rows;
use super::{Variables, lookup, names, setting};

fn yaml(text: &str) -> ConfigFile {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn explained(text: &str, variables: Variables<'_>) -> Explanation {
    let config = Config::from_lookup_over(yaml(text), lookup(variables));
    config
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .explain()
}

fn problems(text: &str) -> String {
    let config = Config::from_lookup_over(yaml(text), lookup(&[]));
    config.unwrap_err().to_string()
}

/// A line of a file, Go's spelling of it, and the setting, the value and the key that result.
const READ: &str = r#"
service_name: " my shop " | serviceName: my shop | service_name | "my shop" | service_name
disabled: true | disabled: true | disabled | true | disabled
trace_id_128bit: true | traceid_128bit: true | trace_id_128bit | true | trace_id_128bit
rpc_metrics: false | rpc_metrics: false | rpc_metrics | false | rpc_metrics
recording: everything | recording: Everything | recording | everything | recording
tag_names: both | tag_names: Both | tag_names | both | tag_names
tags: {zone: eu-1} | tags: [{key: zone, value: eu-1}] | tag zone | "eu-1" | tags
tags: {shard: 7} | tags: [{key: shard, value: 7}] | tag shard | 7 | tags
tags: {big: 18446744073709551615} | tags: [{key: big, value: "18446744073709551615"}] | tag big | "18446744073709551615" | tags
tags: {beta: true} | tags: [{key: beta, value: true}] | tag beta | true | tags
tags: {zone: a, none: } | tags: [{key: zone, value: a}, {key: none, value: ~}] | tag zone | "a" | tags
sampler: {type: Const} | sampler: {type: const, param: 1} | sampler | const 1 | sampler.type
sampler: {type: const, param: false} | sampler: {type: const, param: 0} | sampler | const 0 | sampler.type
sampler: {type: probabilistic, param: 0.5} | sampler: {type: probabilistic, param: 0.5} | sampler | probabilistic 0.5 | sampler.type
sampler: {type: probabilistic, param: 0} | sampler: {type: probabilistic, param: 0.0} | sampler | probabilistic 0 | sampler.type
reporter: {log_spans: true} | reporter: {logSpans: true} | log_spans | true | reporter.log_spans
reporter: {queue_size: 7} | reporter: {queueSize: 7} | queue_size | 7 | reporter.queue_size
reporter: {flush_interval: 1.5s} | reporter: {bufferflushinterval: 1500ms} | flush_interval | 1.5s | reporter.flush_interval
reporter: {flush_interval: 1m} | reporter: {BufferFlushInterval: 1m0s} | flush_interval | 60s | reporter.flush_interval
propagation: [jaeger, B3] | propagation: [jaeger, b3] | propagation | jaeger,b3 | propagation
propagation: [] | propagation: [] | propagation | none | propagation
tag_value_bytes: 9 | tag_value_bytes: 9 | tag_value_bytes | 9 | tag_value_bytes
logs: 9 | logs: 9 | logs | 9 | logs
headers: {trace_id: x-trace} | headers: {TraceContextHeaderName: x-trace} | header_names | custom | headers
"#;

#[cfg(feature = "udp")]
const READ_OF_AGENT: &str = r#"
reporter: {agent: jaeger} | reporter: {localAgentHostPort: "jaeger:6831"} | agent_host | "jaeger" | reporter.agent
reporter: {agent: "[::1]:7"} | reporter: {localAgentHostPort: "[::1]:7"} | agent_port | 7 | reporter.agent
reporter: {agent_family: udp6} | reporter: {agent_family: udp6} | agent_family | udp6 | reporter.agent_family
reporter: {agent_protocol: udp/thrift.binary} | reporter: {agent_protocol: UDP/thrift.binary} | agent_protocol | binary | reporter.agent_protocol
reporter: {lookup_interval: 5s} | reporter: {attemptReconnectInterval: 5s} | agent_lookup_interval | 5s | reporter.lookup_interval
reporter: {disable_lookup: true} | reporter: {disableAttemptReconnecting: true} | agent_lookup_interval | never | reporter.disable_lookup
"#;
#[cfg(not(feature = "udp"))]
const READ_OF_AGENT: &str = "";

#[cfg(feature = "remote-sampler")]
const READ_OF_SAMPLER: &str = r#"
sampler: {param: 0} | sampler: {type: remote, param: 0} | sampler | remote 0 | sampler.param
sampler: {param: 0.25} | sampler: {type: remote, param: 0.25} | sampler | remote 0.25 | sampler.param
sampler: {endpoint: "http://jaeger:5778/sampling"} | sampler: {samplingServerURL: "http://jaeger:5778/sampling"} | sampling_endpoint | "http://jaeger:5778/sampling" | sampler.endpoint
sampler: {refresh_interval: 5s} | sampler: {samplingRefreshInterval: 5s} | sampler_refresh_interval | 5s | sampler.refresh_interval
sampler: {max_operations: 7} | sampler: {maxOperations: 7} | sampler_max_operations | 7 | sampler.max_operations
sampler: {strategy_file: s.json} | sampler: {strategy_file: s.json} | strategy_file | "s.json" | sampler.strategy_file
throttler: {host_port: "a:1"} | throttler: {hostPort: "a:1", refreshInterval: 5s} | throttler | RemoteThrottler | throttler
baggage_restrictions: {} | baggage_restrictions: {denyBaggageOnInitializationFailure: true, hostPort: a, refreshInterval: 1m} | baggage_restrictions | RemoteRestrictions | baggage_restrictions
"#;
#[cfg(not(feature = "remote-sampler"))]
const READ_OF_SAMPLER: &str = "";

#[test]
fn every_key_and_that_of_the_go_client_reach_their_setting() {
    for [own, go, name, value, key] in rows(&[READ, READ_OF_AGENT, READ_OF_SAMPLER]) {
        for text in [own, go] {
            let explanation = explained(text, &[]);
            let (found, source) = setting(&explanation, name);
            assert_eq!(found, value, "{text}");
            let is_key = match source {
                Source::File(found) => found == key || text == go && key == "sampler.param",
                _ => false,
            };
            assert!(is_key, "{text}: {source}");
            assert_eq!(explanation.passed_over(), [], "{text}");
        }
    }
}

#[test]
fn an_empty_file_leaves_the_defaults() {
    let defaults = Config::from_lookup(lookup(&[])).unwrap().explain();
    for text in [
        "{}",
        "sampler:\nreporter:\n",
        "service_name: ''\nsampler: {type: '', endpoint: ''}\nreporter: {agent: ''}",
    ] {
        assert_eq!(
            explained(text, &[]).settings(),
            defaults.settings(),
            "{text}"
        );
    }
}

/// By our names, and as the YAML of the Go client may have it.
#[cfg(all(feature = "udp", feature = "remote-sampler"))]
#[test]
fn a_zero_stands_for_a_default_where_it_does_in_go() {
    let defaults = Config::from_lookup(lookup(&[])).unwrap().explain();
    for text in [
        "reporter: {queue_size: 0, flush_interval: 0, lookup_interval: 0}",
        "reporter: {queueSize: 0, bufferFlushInterval: 0, attemptReconnectInterval: 0s}",
        r#"reporter: {bufferflushinterval: "0", attemptreconnectinterval: 0ms}"#,
        "sampler: {refresh_interval: 0, max_operations: 0}",
        "sampler: {samplingRefreshInterval: 0s, maxOperations: 0}",
    ] {
        let explanation = explained(text, &[]);
        assert_eq!(explanation.settings(), defaults.settings(), "{text}");
        assert_eq!(explanation.passed_over(), [], "{text}");
        // It is written as it was read.
        let written = serde_json::to_string(&yaml(text)).unwrap();
        assert_eq!(
            serde_json::from_str::<ConfigFile>(&written).unwrap(),
            yaml(text),
            "{text}"
        );
    }
    for policy in ["throttler", "baggage_restrictions"] {
        let explained = |more: &str| explained(&format!("{policy}: {{hostPort: a{more}}}"), &[]);
        let zero = explained(", refreshInterval: 0");
        assert_eq!(zero.settings(), explained("").settings(), "{policy}");
    }
}

/// A line of a file, and what the error says.
const REFUSED: &str = r#"
sampler: {type: all} | sampler.type: expected const, probabilistic, ratelimiting or remote, found "all"
sampler: {type: probabilistic, param: 2} | sampler.param: expected a probability from 0 to 1, found "2"
sampler: {type: ratelimiting} | sampler.param: the rate limiting sampler needs it
tag_value_bytes: 0 | tag_value_bytes: expected a whole number above 0
recording: all | recording: expected metadata, statements or everything
tag_names: otel | tag_names: expected opentracing, opentelemetry or both
propagation: [jaeger, no-format] | propagation: expected a list of
headers: {debug_id: "a b"} | headers.debug_id: expected the name of a header, found "a b"
"#;

#[cfg(all(feature = "udp", feature = "remote-sampler", feature = "collector"))]
const MORE_REFUSED: &str = r#"
reporter: {timeout: 0} | reporter.timeout: expected a duration above zero, found "0"
sampler: {endpoint: "jaeger:5778"} | sampler.endpoint: expected a URL such as
reporter: {agent: "jaeger:x"} | reporter.agent: expected a host with or without a port, found "jaeger:x"
reporter: {agent_family: tcp} | reporter.agent_family: expected udp4 or udp6, found "tcp"
reporter: {agent_protocol: tcp} | reporter.agent_protocol: expected udp/thrift.compact
throttler: {host_port: "http://a"} | throttler.host_port: expected a host with or without a port
baggage_restrictions: {host_port: "a:b"} | baggage_restrictions.host_port: expected a host
"#;
#[cfg(not(all(feature = "udp", feature = "remote-sampler", feature = "collector")))]
const MORE_REFUSED: &str = "";

#[test]
fn a_value_that_cannot_be_used_is_an_error_that_names_its_key() {
    for [text, expected] in rows(&[REFUSED, MORE_REFUSED]) {
        let message = problems(text);
        assert!(message.starts_with(expected), "{text}: {message}");
    }
    let disabled = yaml("disabled: true\nsampler: {type: all}");
    assert!(Config::from_lookup_over(disabled, lookup(&[])).is_ok());
}

/// A line of a file that does not fit, and a part of the error.
const UNFIT: &str = r#"
service: shop | unknown field `service`
sampler: {probability: 1} | unknown field `probability`
reporter: {logspans: true} | unknown field `logspans`
headers: {x: y} | unknown field `x`
throttler: {port: 1} | unknown field `port`
baggage_restrictions: {port: 1} | unknown field `port`
tags: [{key: a, value: b, kind: c}] | expected tags as a map, or as a list of `key` and `value`
tags: [{key: zone}] | expected tags as a map, or as a list of `key` and `value`
tags: zone | expected tags as a map
sampler: {param: [1]} | expected a text, a number or a boolean
sampler: {refresh_interval: 60} | a duration with a unit
reporter: {flush_interval: "500"} | a duration with a unit
reporter: {flush_interval: 0.5} | a duration with a unit
reporter: {password: 12345678} | put the value in quotes
reporter: {user: [a]} | expected a text
reporter: {http_headers: canary} | expected a map of texts
"#;

#[test]
fn what_does_not_fit_is_an_error_of_the_format() {
    for [text, expected] in rows(&[UNFIT]) {
        let json =
            serde_json::to_string(&serde_saphyr::from_str::<serde_json::Value>(text).unwrap());
        let error = serde_json::from_str::<ConfigFile>(&json.unwrap()).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(expected), "{text}: {error}");
        for secret in ["canary", "12345678"] {
            assert!(!error.contains(secret), "{text}: {error}");
        }
        let error = serde_saphyr::from_str::<ConfigFile>(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

const BOTH: &str = r#"
serviceName: file
sampler:
  type: probabilistic
  param: 0.5
reporter:
  queueSize: 7
tags: {zone: file, host: file}
"#;

#[test]
fn variables_win_over_a_file_and_code_wins_over_both() {
    let explanation = explained(
        BOTH,
        &[
            ("OTEL_SERVICE_NAME", "variable"),
            ("JAEGER_SAMPLER_TYPE", "const"),
            ("JAEGER_TAGS", "zone=variable"),
        ],
    );
    for [name, value, source] in rows(&[r#"
service_name | "variable" | OTEL_SERVICE_NAME
sampler | const 1 | JAEGER_SAMPLER_TYPE
tag zone | "variable" | JAEGER_TAGS
tag host | "file" | file: tags
queue_size | 7 | file: reporter.queue_size
"#])
    {
        let (found, found_source) = setting(&explanation, name);
        assert_eq!(
            (found.as_str(), found_source.to_string().as_str()),
            (value, source)
        );
    }
    let config = Config::from_lookup_over(yaml(BOTH), lookup(&[])).unwrap();
    let explanation = config.service_name("code").queue_size(9).explain();
    assert_eq!(setting(&explanation, "service_name").1, Source::Code);
    assert_eq!(
        setting(&explanation, "queue_size"),
        ("9".to_owned(), Source::Code)
    );
}

#[test]
fn a_parameter_of_the_environment_is_for_the_type_of_the_file() {
    let variables = [("JAEGER_SAMPLER_PARAM", "0.25")];
    let explanation = explained("sampler: {type: probabilistic, param: 0.5}", &variables);
    assert_eq!(setting(&explanation, "sampler").0, "probabilistic 0.25");
    let variables = [("OTEL_TRACES_SAMPLER", "always_on")];
    let explanation = explained("sampler: {type: probabilistic}", &variables);
    assert_eq!(setting(&explanation, "sampler").0, "const 1");
}

#[cfg(feature = "remote-sampler")]
#[test]
fn parts_of_an_endpoint_in_the_environment_win_over_the_endpoint_of_a_file() {
    let text = "sampler: {endpoint: 'http://file:1/'}";
    let explanation = explained(text, &[("JAEGER_SAMPLER_HOST", "variable")]);
    let expected = (
        r#""http://variable:5778/sampling""#.to_owned(),
        Source::Variable("JAEGER_SAMPLER_HOST"),
    );
    assert_eq!(setting(&explanation, "sampling_endpoint"), expected);
}

#[test]
fn a_key_that_has_no_effect_is_passed_over_with_a_warning() {
    let explanation = explained("sampler: {operationNameLateBinding: false}", &[]);
    assert_eq!(
        names(explanation.passed_over()),
        ["sampler.operation_name_late_binding"]
    );
    let explanation = explained("sampler: {operationNameLateBinding: true}", &[]);
    assert_eq!(explanation.passed_over(), []);
    let explanation = explained("tags: {jaeger.version: mine}", &[]);
    assert_eq!(names(explanation.passed_over()), ["tags"]);
}

#[test]
fn no_secret_of_a_file_is_shown_or_written() {
    let file = yaml(
        r#"
service_name: shop
sampler: { endpoint: "https://canary:canary@host/sampling?token=canary", refresh_interval: 90s }
reporter:
  endpoint: "http://canary@localhost/api/traces"
  user: canary
  password: canary
  http_headers: { authorization: canary }
tags: { zone: eu-1, shard: 7 }
"#,
    );
    let text = serde_json::to_string(&file).unwrap();
    let debug = format!("{file:?}");
    for text in [&text, &debug] {
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("eu-1"), "{text}");
    }
    let read: ConfigFile = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert!(text.contains(r#""refresh_interval":"90s""#), "{text}");

    let config = Config::from_lookup_over(file, lookup(&[("JAEGER_DISABLED", "1")]));
    let config = config.unwrap();
    let shown = format!("{config:?} {}", config.explain());
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_tracer_of_a_file_speaks_the_headers_of_the_file() {
    let file = yaml(
        r#"
service_name: shop
propagation: [jaeger, w3c]
headers: { TraceContextHeaderName: X-Shop-Trace, traceBaggageHeaderPrefix: x-shop- }
"#,
    );
    let reporter = InMemoryReporter::new();
    let tracer = Config::from_lookup_over(file, lookup(&[]))
        .unwrap()
        .sampler(ConstSampler::new(true))
        .reporter(reporter.clone())
        .build()
        .unwrap();
    let span = tracer.start_span("checkout");
    span.set_baggage_item("user", "7");
    let mut headers = std::collections::HashMap::<String, String>::new();
    tracer.inject(&span.context(), &mut headers);
    let mut names: Vec<_> = headers.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["baggage", "traceparent", "x-shop-trace", "x-shop-user"]
    );
}
