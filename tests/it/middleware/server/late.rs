//! Tests that tags and logs are counted if they reach a request's span after its end, for example after an upgrade.

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

/// Returns the ended span of a request that was upgraded.
async fn upgraded(tracer: &JaegerTracer) -> RequestSpan {
    let (sender, receiver) = std::sync::mpsc::channel();
    let handler = service_fn(move |_: Request<()>| {
        let span = RequestSpan::active();
        span.log_event("in time").set_tag("in", "time");
        sender.send(span).expect("there is a receiver");
        async { reply(101, Empty::<Bytes>::new()) }
    });
    let server = ServerLayer::new(tracer.clone()).wrap(handler);
    server.oneshot(Request::new(())).await.expect("infallible");
    receiver.recv().expect("sent")
}

fn tag_and_log(span: &RequestSpan) {
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
fn late_tags_and_logs_after_an_upgrade_are_counted_and_change_nothing() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let span = upgraded(&tracer).await;
        let before = one_span(&reporter).await;
        assert_eq!(events(&before), ["in time"]);
        assert_eq!(before.tag_text("in"), "time");
        assert_eq!(before.tag_text("http.status_code"), "101");
        let dropped = || tracer.metrics().get(Counter::DroppedItems);
        assert_eq!(dropped(), 0);
        tag_and_log(&span);
        assert_eq!(dropped(), 7);
        assert_eq!(one_span(&reporter).await, before);
    });
}

#[test]
fn late_tags_and_logs_of_an_unsampled_span_are_not_counted() {
    run(async {
        let (builder, _reporter) = recording_builder();
        let tracer = builder.sampler(ConstSampler::new(false)).build();
        let tracer = tracer.expect("the service has a name");
        tag_and_log(&upgraded(&tracer).await);
        assert_eq!(tracer.metrics().get(Counter::DroppedItems), 0);
        tag_and_log(&RequestSpan::default());
    });
}
