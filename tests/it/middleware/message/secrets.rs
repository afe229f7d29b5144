//! Tests that what a message holds does not reach a span unless it is asked for.

use std::fmt;
use std::io;

use tracehound::middleware::MessageBus;
use tracehound::model::Recording;
use tracehound::propagation::MessageHeaders;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use super::Headers;
use crate::support::{events, kept_lines, recording_builder};

fn bus_at(level: Recording) -> (MessageBus, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    let (diagnostics, _lines) = kept_lines();
    let builder = builder.recording(level).diagnostics(diagnostics);
    let tracer = builder.build().expect("the service has a name");
    (MessageBus::new(tracer, "kafka"), spans)
}

/// Sends and receives a payload, with an error on both sides, and returns the two spans.
fn exchange(level: Recording, payload: &[u8]) -> Vec<OwnedSpan> {
    let (bus, spans) = bus_at(level);
    let mut headers: Headers = vec![("authorization".to_owned(), b"canary".to_vec())];
    let message = bus.send("orders").payload(payload);
    let sending = message.start(&mut MessageHeaders(&mut headers));
    sending.end(&Err::<(), _>(io::Error::other("refused 'canary'\ncanary")));
    let message = bus.receive("orders").payload(payload);
    let handling = message.start(&MessageHeaders(&headers[..]));
    handling
        .fail(&io::Error::other("bad order \"canary\""))
        .span();
    handling.finish();
    spans.spans()
}

#[test]
fn headers_payloads_and_values_in_errors_are_not_on_spans() {
    for level in [Recording::metadata(), Recording::statements()] {
        let spans = exchange(level, b"{\"card\":\"canary\"}");
        assert_eq!(spans.len(), 2);
        assert!(!format!("{spans:?}").contains("canary"), "{spans:#?}");
        for span in &spans {
            assert_eq!(span.tag_text("message.bytes"), "17");
        }
    }
}

#[test]
pub(in crate::middleware) fn a_test_environment_sees_payloads_but_no_secrets() {
    let everything = Recording::everything();
    for (payload, shown) in [
        (&b"{\"card\":\"7\"}"[..], "{\"card\":\"7\"}"),
        (b"{\"Password\":\"canary\"}", ""),
        (b"access_token=canary", ""),
        (b"call http://u:canary@shop/", "call http://shop/"),
        (b"\xff\xfecanary", ""),
    ] {
        for span in exchange(everything, payload) {
            assert_eq!(span.tag_text("message"), shown);
            assert!(span.tag_text("message").len() == shown.len());
            let tags = format!("{:?}", span.tags);
            assert!(!tags.contains("canary"), "{tags}");
        }
    }
    let long = "x".repeat(1_000_000);
    for span in exchange(everything, long.as_bytes()) {
        let text = span.tag_text("message");
        assert!(text.ends_with('…') && text.len() <= 1_024, "{}", text.len());
    }
}

#[test]
fn a_topic_or_an_id_that_is_a_url_shows_no_credentials() {
    let (bus, spans) = bus_at(Recording::everything());
    let topic = "amqp://app:canary@mq/orders?key=canary";
    let message = bus.send(topic).id(topic);
    message
        .start(&mut MessageHeaders(&mut Headers::new()))
        .finish();
    bus.receive(topic).name(topic).start(&[("a", "b")]).finish();
    let spans = spans.spans();
    assert!(!format!("{spans:?}").contains("canary"), "{spans:#?}");
    assert!(spans[0].operation_name.contains("mq/orders"), "{spans:#?}");
}

#[test]
fn an_error_whose_text_panics_is_still_an_error() {
    struct Fails;

    impl fmt::Display for Fails {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("planned");
        }
    }

    let (bus, spans) = bus_at(Recording::metadata());
    let sending = bus
        .send("orders")
        .start(&mut MessageHeaders(&mut Headers::new()));
    sending.end(&Err::<(), _>(Fails));
    let spans = spans.spans();
    assert_eq!(spans[0].tag_text("error"), "true");
    assert!(events(&spans[0]).is_empty());
}
