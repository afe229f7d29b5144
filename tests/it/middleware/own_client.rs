//! A sender whose own client is traced: spans about sending spans would have to be sent, too.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use reqwest_middleware::ClientBuilder;
use tower::ServiceExt as _;
use tracehound::metrics::DropCause;
use tracehound::middleware::{ClientLayer, SendTraced, TracingMiddleware};
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender};
use tracehound::sampler::{ConstSampler, ProbabilisticSampler, SamplingRate};
use tracehound::testkit::MockCollector;
use tracehound::{JaegerTracer, SpanContext};
use tracing_subscriber::prelude::*;

use crate::support::web::{client, reqwest_client};

const LONG: Duration = Duration::from_secs(20);

/// Sends batches by every client that has middleware, all of them traced by the tracer whose spans they carry.
struct Traced {
    url: String,
    tracer: Arc<OnceLock<JaegerTracer>>,
    requests: Arc<AtomicUsize>,
    /// A span has started during a call.
    has_started: Arc<AtomicBool>,
}

impl Traced {
    fn post(&self, batch: &[u8]) -> bool {
        let Some(tracer) = self.tracer.get() else {
            return false;
        };
        let starts = [
            tracer.start_span("plain"),
            tracer.build_span("root").new_trace().tag("n", 1).start(),
            tracer.build_span("child").child_of(&parent()).start(),
        ];
        let active = tracer.start_active_span("active");
        let is_any = starts.iter().any(|span| !span.is_noop()) || !active.is_noop();
        self.has_started.fetch_or(is_any, Ordering::Relaxed);
        drop(active);

        let layer = tracehound::bridge::TracingLayer::new(tracer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        tracing::subscriber::with_default(subscriber, || {
            let _sending = tracing::info_span!("sending").entered();
            let batch = Bytes::copy_from_slice(batch);
            runtime.block_on(self.post_by_all(tracer, batch))
        })
    }

    async fn post_by_all(&self, tracer: &JaegerTracer, batch: Bytes) -> bool {
        let plain = reqwest_client();
        let own = ClientBuilder::new(reqwest_client()).with(TracingMiddleware::new(tracer.clone()));
        let request = Request::post(&*self.url).header(KIND.0, KIND.1);
        let request = request.body(Full::new(batch.clone())).expect("a request");
        let by_layer = ClientLayer::new(tracer.clone())
            .wrap(client())
            .oneshot(request);
        // The first two go where spans do not count.
        let aside = format!("{}/aside", self.url);
        let request = plain.post(&aside).body(batch.clone());
        let answers = [
            request.send_traced(tracer).await.is_ok(),
            own.build().post(&aside).body(batch).send().await.is_ok(),
            by_layer.await.is_ok(),
        ];
        self.requests.fetch_add(answers.len(), Ordering::Relaxed);
        answers == [true; 3]
    }
}

const KIND: (&str, &str) = ("content-type", "application/x-thrift");

/// Returns the context of a caller whose trace is kept.
fn parent() -> SpanContext {
    let headers = [("uber-trace-id", "1:2:0:1")];
    let there = JaegerTracer::builder("there").build().expect("named");
    there.extract(&headers).expect("valid").expect("has ids")
}

impl Sender for Traced {
    fn format(&self) -> BatchFormat {
        BatchFormat::BinaryBatch
    }

    fn max_bytes(&self) -> usize {
        65_000
    }

    fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
        SendOutcome::new(match self.post(batch.bytes) {
            true => SendResult::Sent,
            false => SendResult::Lost(DropCause::SendFailed),
        })
    }
}

#[test]
fn a_traced_client_of_the_sender_makes_no_span_about_sending_spans() {
    let always = SamplingRate::new(1.0).expect("a probability");
    for is_constant in [true, false] {
        let collector = MockCollector::start().expect("a port");
        let (tracer, requests) = (Arc::new(OnceLock::new()), Arc::default());
        let has_started = Arc::new(AtomicBool::new(false));
        let sender = Traced {
            url: collector.url("/api/traces"),
            tracer: tracer.clone(),
            requests: Arc::clone(&requests),
            has_started: has_started.clone(),
        };
        let builder = JaegerTracer::builder("shop").reporter(RemoteReporter::new(sender));
        let builder = match is_constant {
            true => builder.sampler(ConstSampler::new(true)),
            false => builder.sampler(ProbabilisticSampler::new(always)),
        };
        let built = tracer.get_or_init(|| builder.build().expect("named"));
        for n in 1..=5_u64 {
            built.start_span("order").set_tag("n", n);
            let report = built.flush(LONG);
            assert_eq!((report.finished, report.sent), (n, n), "{report}");
        }
        // Nothing is left to be sent: these flushes make no request.
        for _ in 0..3 {
            built.flush(LONG);
        }
        assert_eq!(requests.load(Ordering::Relaxed), 5 * 3);
        assert!(!has_started.load(Ordering::Relaxed));
        let report = built.close(LONG);
        assert!(report.is_complete() && report.finished == 5, "{report}");
        let arrived = collector.wait_for_spans(5, LONG);
        assert!(arrived.iter().all(|span| span.operation_name == "order"));
        assert_eq!(arrived.len(), 5);
    }
}
