use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::tracer;

use crate::contender::{Contender, Mode};
use crate::request::Request;

struct Tracehound {
    tracer: JaegerTracer,
    delivered: Arc<AtomicU64>,
}

pub fn prepare(mode: Mode) -> Option<Box<dyn Contender>> {
    let delivered = Arc::new(AtomicU64::new(0));
    let tracer = match mode {
        Mode::Off => JaegerTracer::disabled(),
        Mode::Sampled | Mode::Unsampled => JaegerTracer::builder("compare")
            .sampler(ConstSampler::new(mode == Mode::Sampled))
            .reporter(RemoteReporter::new(Sink(delivered.clone())))
            .build()
            .expect("named"),
    };
    Some(Box::new(Tracehound { tracer, delivered }))
}

/// Takes ready packets: spans are encoded, not only read.
struct Sink(Arc<AtomicU64>);

impl Sender for Sink {
    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        65_000
    }

    fn send(&mut self, batch: &Batch<'_>, _deadline: Instant) -> SendOutcome {
        self.0.fetch_add(batch.span_count, Ordering::Relaxed);
        SendOutcome::default()
    }
}

impl Contender for Tracehound {
    fn roots(&self, n: u64) {
        for _ in 0..n {
            self.tracer.start_span("root").finish();
        }
    }

    fn children(&self, n: u64) {
        let root = self.tracer.start_span("root");
        let _scope = root.activate();
        for _ in 0..n {
            self.tracer.start_span("child").finish();
        }
    }

    fn requests(&self, n: u64, request: &mut Request) {
        for _ in 0..n {
            let caller = self.tracer.extract(&request.headers).unwrap_or_default();
            let server = self
                .tracer
                .build_span("GET /orders")
                .child_of(&caller)
                .tag("http.method", "GET")
                .tag("component", "shop")
                .tag("http.url", &request.url)
                .tag("user.id", &request.user)
                .tag("http.status_code", request.status)
                .tag("http.response_size", request.response_size)
                .start();
            server.log([
                field("event", "cache_miss"),
                field("bytes", request.bytes_read),
            ]);
            let client = self
                .tracer
                .build_span("GET /backend")
                .child_of(&server)
                .start();
            self.tracer.inject(&client.context(), &mut request.next);
            client.finish();
            server.finish();
        }
    }

    fn off(&self, n: u64) {
        for i in 0..n {
            let span = tracer().start_span("root");
            span.set_tag("items", i as i64);
            span.finish();
        }
    }

    fn flush(&self) {
        let report = self.tracer.flush(Duration::from_secs(10));
        assert!(report.is_complete(), "{report}");
    }

    fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}
