use std::net::UdpSocket;

use crate::support::{Ended, backend, program, run};

#[test]
fn a_program_with_a_backend_is_well() {
    let backend = backend();
    let agent = backend.agent_address().port().to_string();
    let sampling = format!("http://{}/sampling", backend.sampling_address());
    let ended = Ended::new(
        &program(&["doctor"])
            .env("JAEGER_SERVICE_NAME", "shop")
            .env("JAEGER_AGENT_HOST", "127.0.0.1")
            .env("JAEGER_AGENT_PORT", agent)
            .env("JAEGER_SAMPLING_ENDPOINT", sampling)
            .output()
            .expect("the program runs"),
    );
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    ended.assert_line(&["ok", "settings"]);
    ended.assert_line(&["ok", "sending", "sent 2"]);
    ended.assert_line(&["ok", "kernel"]);
    ended.assert_line(&["ok", "strategies"]);
    ended.assert_line(&["ok", "sampling", "\"doctor\""]);
    ended.assert_line(&["a call carries uber-trace-id: "]);
    assert!(backend.wait_for_spans(2, crate::support::PATIENCE));
    assert_eq!(backend.services(), ["tracehound-doctor"]);
}

#[test]
fn an_agent_that_is_not_there_is_a_failure() {
    // Nobody listens at a port that was just given back.
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port().to_string();
    drop(socket);
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
    ended.assert_line(&["The tracer is off"]);
}
