//! What is said on the span of a request when it is over, as after an upgrade, is counted.

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use tower::{ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{RequestSpan, ServerLayer};
use tracehound::model::field;
use tracehound::sampler::ConstSampler;

use crate::support::web::{events, one_span, reply, run};
use crate::support::{recording_builder, recording_tracer};

/// The span of a request to upgrade, which is over.
async fn upgraded(tracer: &JaegerTracer) -> RequestSpan {
    let (sender, receiver) = std::sync::mpsc::channel();
    let handler = service_fn(move |request: Request<()>| {
        let span = request.extensions().get::<RequestSpan>();
        let span = span.expect("a span").clone();
        span.log_event("in time").set_tag("in", "time");
        sender.send(span).expect("there is a receiver");
        async { reply(101, Empty::<Bytes>::new()) }
    });
    let server = ServerLayer::new(tracer.clone()).wrap(handler);
    server.oneshot(Request::new(())).await.expect("infallible");
    receiver.recv().expect("sent")
}

fn speak(span: &RequestSpan) {
    let error = "x".parse::<u8>().expect_err("not a number");
    span.log_event("message").log_event("message");
    span.log([field("event", "message"), field("bytes", 7)]);
    span.log_at(std::time::SystemTime::now(), [field("event", "close")]);
    span.log_error(&error);
    span.set_tag("messages", 3);
    span.set_tag_with("reason", || "gone");
    span.set_tag("nothing", None::<&str>);
}

#[test]
fn what_is_said_on_the_span_of_an_upgrade_is_counted_and_changes_nothing() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let span = upgraded(&tracer).await;
        let before = one_span(&reporter).await;
        assert_eq!(events(&before), ["in time"]);
        assert_eq!(before.tag_text("in"), "time");
        assert_eq!(before.tag_text("http.status_code"), "101");
        let dropped = || tracer.metrics().get(Counter::DroppedItems);
        assert_eq!(dropped(), 0);
        speak(&span);
        assert_eq!(dropped(), 7);
        assert_eq!(one_span(&reporter).await, before);
    });
}

#[test]
fn what_is_said_on_a_span_that_nobody_keeps_is_not_missed() {
    run(async {
        let (builder, _reporter) = recording_builder();
        let tracer = builder.sampler(ConstSampler::new(false)).build();
        let tracer = tracer.expect("the service has a name");
        speak(&upgraded(&tracer).await);
        assert_eq!(tracer.metrics().get(Counter::DroppedItems), 0);
        speak(&RequestSpan::default());
    });
}
