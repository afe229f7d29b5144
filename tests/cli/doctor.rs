use tracehound::testkit::MockAgent;

use crate::closed_port::closed_port;
use crate::support::{Ended, backend, program, run};

#[test]
fn a_program_with_a_backend_is_well() {
    let backend = backend();
    let agent = backend.agent_address().port().to_string();
    let sampling = format!("http://{}/sampling", backend.sampling_address());
    let ended = Ended::new(
        &program(&[
            "doctor",
            "--read-back",
            &backend.query_address().to_string(),
        ])
        .env("JAEGER_SERVICE_NAME", "shop")
        .env("JAEGER_AGENT_HOST", "127.0.0.1")
        .env("JAEGER_AGENT_PORT", agent)
        .env("JAEGER_SAMPLING_ENDPOINT", sampling)
        .output()
        .expect("the program runs"),
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["ok", "settings"]);
    ended.assert_line(&["ok", "stored", "has the trace"]);
    ended.assert_line(&["ok", "sending", "sent 2"]);
    ended.assert_line(&["ok", "kernel"]);
    ended.assert_line(&["ok", "strategies", "answers for \"shop\""]);
    ended.assert_line(&["ok", "sampling", "\"doctor\""]);
    ended.assert_line(&["a call carries uber-trace-id: "]);
    assert!(backend.wait_for_spans(2, crate::support::PATIENCE));
    assert_eq!(backend.services(), ["tracehound-doctor"]);
}

#[test]
fn an_agent_that_is_not_there_is_a_failure() {
    let agent = MockAgent::start().expect("a port");
    agent.stop().expect("it stops");
    let port = agent.address().port().to_string();
    let ended = Ended::new(
        &program(&["doctor"])
            .env("JAEGER_SERVICE_NAME", "shop")
            .env("JAEGER_AGENT_PORT", port)
            .env("JAEGER_SAMPLER_TYPE", "const")
            .output()
            .expect("the program runs"),
    );
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.assert_line(&["fail", "sending", "refused"]);
    ended.assert_line(&["nobody is listening"]);
}

#[test]
fn variables_that_make_no_sense_are_named_and_secrets_are_not_shown() {
    let ended = Ended::new(
        &program(&["doctor", "--offline"])
            .env("JAEGER_SAMPLER_PARAM", "7")
            .env("JAEGER_PASSWORD", "hunter2")
            .output()
            .expect("the program runs"),
    );
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.assert_line(&["fail", "settings", "JAEGER_SAMPLER_PARAM"]);
    assert!(!ended.output.contains("hunter2"), "{ended:#?}");
}

#[test]
fn settings_are_checked_without_a_backend_and_listed_on_request() {
    let ended = run(&["doctor", "--offline", "--verbose"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["warn", "settings", "JAEGER_SERVICE_NAME"]);
    ended.assert_line(&["agent_port", "6831"]);
    ended.assert_line(&["warn", "sampling", "0.001"]);
}

#[test]
fn a_tracer_that_is_off_is_said_to_be_off() {
    let ended = Ended::new(
        &program(&["doctor"])
            .env("JAEGER_DISABLED", "true")
            .output()
            .expect("the program runs"),
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["warn", "settings", "JAEGER_DISABLED"]);
    ended.assert_line(&["The tracer is off"]);
}

#[test]
fn quotes_that_are_a_part_of_a_value_are_told() {
    let ended = offline(&[
        ("JAEGER_TAGS", "'zone=a'"),
        ("JAEGER_SAMPLER_TYPE", "const"),
    ]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&[
        "warn",
        "settings",
        "quotes around JAEGER_TAGS",
        "--env-file",
    ]);
    assert!(
        !ended.output.contains("every variable is understood"),
        "{ended:#?}"
    );
    let ended = offline(&[("JAEGER_SAMPLER_TYPE", "\"const\"")]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.assert_line(&["fail", "settings", "JAEGER_SAMPLER_TYPE"]);
    ended.assert_line(&["warn", "settings", "quotes around JAEGER_SAMPLER_TYPE"]);
}

/// Runs the doctor without a network, with these variables and the name of a service.
fn offline(variables: &[(&str, &str)]) -> Ended {
    let mut doctor = program(&["doctor", "--offline"]);
    doctor
        .env("JAEGER_SERVICE_NAME", "shop")
        .envs(variables.iter().copied());
    Ended::new(&doctor.output().expect("the program runs"))
}

#[test]
fn spans_that_the_backend_does_not_store_are_a_failure() {
    let backend = backend();
    // The compact protocol at the port of the binary one: each datagram arrives, and none can be read.
    let port = backend.binary_agent_address().port().to_string();
    let ended = Ended::new(
        &program(&["doctor", "--timeout", "0.3", "--read-back"])
            .arg(backend.query_address().to_string())
            .env("JAEGER_SERVICE_NAME", "shop")
            .env("JAEGER_AGENT_HOST", "127.0.0.1")
            .env("JAEGER_AGENT_PORT", port)
            .env("JAEGER_SAMPLER_TYPE", "const")
            .output()
            .expect("the program runs"),
    );
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    ended.assert_line(&["ok", "sending", "sent 2"]);
    ended.assert_line(&["fail", "stored", "has 0 of the 2 spans"]);
}

#[test]
fn the_port_of_the_other_protocol_is_a_warning() {
    let ended = offline(&[("JAEGER_AGENT_PORT", "6832")]);
    ended.assert_line(&["warn", "settings", "6832", "JAEGER_AGENT_PORT=6831"]);
    let binary = ("OTEL_EXPORTER_JAEGER_PROTOCOL", "udp/thrift.binary");
    let ended = offline(&[binary]);
    ended.assert_line(&["ok", "settings"]);
    let ended = offline(&[binary, ("JAEGER_AGENT_PORT", "6831")]);
    ended.assert_line(&["warn", "settings", "6831", "JAEGER_AGENT_PORT=6832"]);
}

#[test]
fn spans_that_go_to_no_backend_are_a_warning_with_the_name_of_the_variable() {
    for (name, value) in [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_EXPORTER", "console"),
        ("TRACEHOUND_DEV", "true"),
    ] {
        let ended = Ended::new(
            &program(&["doctor", "--timeout", "0.3"])
                .env("JAEGER_SERVICE_NAME", "shop")
                .env("JAEGER_SAMPLER_TYPE", "const")
                .env(name, value)
                .output()
                .expect("the program runs"),
        );
        ended.assert_line(&["warn", "sending", name, value]);
        assert!(!ended.output.contains("0 warned"), "{ended:#?}");
        assert!(!ended.output.contains("sent 2"), "{ended:#?}");
    }
}

#[test]
fn a_call_without_headers_is_a_warning() {
    for name in ["JAEGER_PROPAGATION", "OTEL_PROPAGATORS"] {
        let ended = offline(&[(name, "none")]);
        ended.assert_line(&["warn", "headers", "a call carries none", name]);
    }
}

#[test]
fn variables_that_lose_or_are_misspelt_are_named() {
    let ended = offline(&[
        ("JAEGER_AGENT_HOST", "127.0.0.1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("JAEGER_SAMPLE_TYPE", "const"),
        ("JAEGER_AGENT_SERVICE_HOST", "10.0.0.1"),
    ]);
    ended.assert_line(&[
        "warn",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "JAEGER_AGENT_HOST is set and wins",
    ]);
    ended.assert_line(&[
        "warn",
        "JAEGER_SAMPLE_TYPE is no setting",
        "JAEGER_SAMPLER_TYPE",
    ]);
    assert!(
        !ended.output.contains("every variable is understood"),
        "{ended:#?}"
    );
    assert!(!ended.output.contains("SERVICE_HOST"), "{ended:#?}");
}

#[test]
fn the_verdict_on_sampling_depends_on_the_share_and_names_what_keeps_all() {
    let sampler = |kind, param| {
        offline(&[
            ("JAEGER_SAMPLER_TYPE", kind),
            ("JAEGER_SAMPLER_PARAM", param),
        ])
    };
    sampler("probabilistic", "0.01").assert_line(&["ok", "sampling", "0.01"]);
    let ended = sampler("probabilistic", "0.009");
    ended.assert_line(&["warn", "sampling", "0.009"]);
    ended.assert_line(&["JAEGER_SAMPLER_TYPE=const and JAEGER_SAMPLER_PARAM=1 to keep all"]);
    let ended = sampler("const", "0");
    ended.assert_line(&["warn", "sampling"]);
    ended.assert_line(&["or set JAEGER_SAMPLER_PARAM=1 to keep all"]);
}

#[test]
fn a_server_without_strategies_is_named_with_the_reason() {
    let (_socket, address) = closed_port();
    let ended = Ended::new(
        &program(&["doctor", "--timeout", "10"])
            .env("JAEGER_SERVICE_NAME", "shop")
            .env("OTEL_TRACES_EXPORTER", "none")
            .env(
                "JAEGER_SAMPLING_ENDPOINT",
                format!("http://{address}/sampling"),
            )
            .output()
            .expect("the program runs"),
    );
    ended.assert_line(&["warn", "strategies", "no sampling strategy from", "refused"]);
    assert!(!ended.output.contains("NullReporter"), "{ended:#?}");
}
