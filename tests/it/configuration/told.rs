//! The words of a configuration about itself: in errors, in the explanation, and in the lines at the start.

use tracehound::propagation::Propagation;
use tracehound::reporter::{InMemoryReporter, NullReporter};
use tracehound::sampler::ConstSampler;
use tracehound::{Config, JaegerTracer};

use super::building::{built, kept};
use super::{lookup, names, read, refused};

#[test]
fn the_error_shows_what_was_passed_over() {
    let resource = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop%20a,zone=50%");
    let passed_over = "OTEL_RESOURCE_ATTRIBUTES: item 2: expected key=value, with commas between and \
                       percent-encoded as UTF-8";
    let error = read(&[resource]).reporter(NullReporter::new()).build();
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "JAEGER_SERVICE_NAME: a service needs a name, and the code gives none either \
             (passed over: {passed_over})"
        )
    );
    assert_eq!(names(error.problems()), ["JAEGER_SERVICE_NAME"]);
    assert_eq!(names(error.passed_over()), ["OTEL_RESOURCE_ATTRIBUTES"]);

    // An error from reading shows several of them, and so does one of the builder.
    let queue = ("OTEL_BSP_MAX_QUEUE_SIZE", "none");
    let error = refused(&[resource, queue, ("JAEGER_SAMPLER_TYPE", "all")]);
    let message = error.to_string();
    assert!(message.starts_with("JAEGER_SAMPLER_TYPE: "), "{message}");
    let queue = "OTEL_BSP_MAX_QUEUE_SIZE: expected a whole number above 0, found \"none\"";
    assert!(
        message.ends_with(&format!(" (passed over: {passed_over}; {queue})")),
        "{message}"
    );
    let config = read(&[resource]).service_name("shop");
    let config = kept(config);
    let error = config.customize(|_| JaegerTracer::builder("")).build();
    assert_eq!(
        error.unwrap_err().to_string(),
        format!("tracer: the service name is empty (passed over: {passed_over})")
    );
    let lossy = Config::from_lookup_lossy(lookup(&[("JAEGER_SAMPLER_TYPE", "all")]));
    let error = lossy.reporter(NullReporter::new()).build().unwrap_err();
    assert_eq!(names(error.passed_over()), ["JAEGER_SAMPLER_TYPE"]);
}

#[test]
fn a_variable_that_the_code_replaces_is_told_of_once() {
    let named = read(&[("OTEL_SERVICE_NAME", " shop ")]);
    assert_eq!(named.service_name("shop").explain().passed_over(), []);
    let variables = [
        ("JAEGER_SERVICE_NAME", "cart"),
        ("JAEGER_SAMPLER_TYPE", "const"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("JAEGER_PROPAGATION", "b3"),
    ];
    let config = read(&variables).service_name("bank").service_name("shop");
    let config = config.propagation([Propagation::W3c]).propagation([]);
    let (_tracer, lines) = built(kept(config));
    let lines = lines.lock().unwrap();
    assert_eq!(
        lines[..4],
        [
            "passed over: JAEGER_SERVICE_NAME: has no effect: the code names the service",
            "passed over: JAEGER_PROPAGATION: has no effect: the code sets the formats",
            "passed over: JAEGER_SAMPLER_TYPE: has no effect: the code sets the sampler",
            "passed over: OTEL_TRACES_EXPORTER: has no effect: the code says where spans go",
        ]
    );
    assert!(
        lines[4].starts_with("service \"shop\" is traced"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 5, "{lines:?}");
    let same = read(&[("JAEGER_PROPAGATION", "b3")]).propagation([Propagation::B3]);
    assert_eq!(same.explain().passed_over(), []);
}

#[test]
fn the_first_lines_name_passed_over_variables_then_service_sampler_and_destination() {
    let config = read(&[("OTEL_TRACES_SAMPLER", "xray")]).service_name("sh\nop");
    let config = config.sampler(ConstSampler::new(true));
    let (_tracer, lines) = built(config.reporter(InMemoryReporter::new()));
    assert_eq!(
        *lines.lock().unwrap(),
        [
            "passed over: OTEL_TRACES_SAMPLER: expected always_on, always_off, traceidratio or jaeger_remote, with \
             or without parentbased_, found \"xray\"",
            "service \"sh\\nop\" is traced: sampler const 1, spans go to InMemoryReporter",
        ]
    );
}

#[test]
#[cfg(not(feature = "remote-sampler"))]
fn the_line_at_the_start_says_what_the_default_sampler_is() {
    let config = Config::new("shop").reporter(NullReporter::new());
    assert_eq!(
        *built(config).1.lock().unwrap(),
        [
            "service \"shop\" is traced: sampler probabilistic 0.001 (the default: one trace in 1000; \
             JAEGER_SAMPLER_TYPE=const keeps all), spans go to NullReporter",
        ]
    );
}

#[test]
#[cfg(all(feature = "udp", feature = "remote-sampler"))]
fn the_host_of_an_agent_that_is_asked_for_strategies_has_an_effect() {
    let host = ("JAEGER_AGENT_HOST", "jaeger");
    for (set, sampler, told) in [
        (vec![host], None, false),
        (vec![host, ("JAEGER_SAMPLER_PORT", "1")], None, false),
        (vec![host, ("JAEGER_SAMPLER_HOST", "other")], None, true),
        (vec![("JAEGER_AGENT_PORT", "1")], None, true),
        (vec![host], Some(ConstSampler::new(true)), true),
    ] {
        let config = read(&set).reporter(NullReporter::new());
        let config = match sampler {
            Some(sampler) => config.sampler(sampler),
            None => config,
        };
        let explanation = config.explain();
        let names = names(explanation.passed_over());
        assert_eq!(names == [set[0].0], told, "{set:?}: {names:?}");
        assert!(told || names.is_empty(), "{set:?}: {names:?}");
    }
}
