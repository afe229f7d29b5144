//! Panics of user code whose payload panics again when it is dropped. None reaches the program or ends the worker.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::{Counter, DropCause};
use tracehound::prelude::*;
use tracehound::propagation::{
    Codec, ExtractError, Extractor, HeaderSet, Injector, TextMapReader, TextMapWriter,
};
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{
    CompositeReporter, FinishedSpan, InMemoryReporter, RemoteReporter, Reporter, Unsent,
    WorkerHandle,
};
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::services::Services;
use tracehound::span::SpanContext;
use tracehound::tracer::TracerBuilder;

const LONG: Duration = Duration::from_secs(20);

/// A payload of a panic. Dropping it panics with another one.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic_any(Self);
    }
}

fn explode() -> ! {
    panic_any(Bomb)
}

fn builder(reporter: impl Reporter + 'static) -> TracerBuilder {
    JaegerTracer::builder("test")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::with_handler(|_| explode()))
        .reporter(reporter)
}

/// A part that panics in every method; `report` panics only for the first span.
#[derive(Default)]
struct Throws {
    reported: Arc<Mutex<u32>>,
}

impl Reporter for Throws {
    fn attach(&mut self, _: &WorkerHandle) {
        explode()
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {
        *self.reported.lock().unwrap() += 1;
        explode()
    }

    fn paused_until(&self) -> Option<Instant> {
        explode()
    }

    fn resume(&mut self) {
        explode()
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        explode()
    }

    fn close(&mut self, _: Instant) -> Unsent {
        explode()
    }
}

#[test]
fn the_worker_survives_a_reporter_that_panics() {
    let reporter = Throws::default();
    let reported = reporter.reported.clone();
    let tracer = builder(reporter).build().expect("named");
    for round in 1..=3 {
        tracer.start_span("s").finish();
        let report = tracer.flush(LONG);
        assert_eq!((report.finished, report.sent), (round, 0), "{report}");
        assert_eq!(report.dropped.get(DropCause::InternalError), round);
    }
    assert_eq!(tracer.close(LONG).queued, 0);
    assert_eq!(*reported.lock().unwrap(), 3);
    assert!(tracer.metrics().get(Counter::CallbackPanics) >= 7);
}

#[test]
fn other_members_of_a_composite_get_their_spans() {
    let spans = InMemoryReporter::new();
    let composite = CompositeReporter::new()
        .member(Throws::default())
        .member(spans.clone());
    let tracer = builder(composite).build().expect("named");
    tracer.start_span("s").finish();
    tracer.close(LONG);
    assert_eq!(spans.spans().len(), 1);
}

#[test]
fn a_sender_that_panics_costs_only_its_batches() {
    struct Throws;
    impl Sender for Throws {
        fn format(&self) -> BatchFormat {
            BatchFormat::Compact
        }

        fn max_bytes(&self) -> usize {
            explode()
        }

        fn send(&mut self, _: &Batch<'_>, _: Instant) -> SendOutcome {
            explode()
        }

        fn poll(&mut self) -> SendOutcome {
            explode()
        }

        fn retry_after(&self) -> Duration {
            explode()
        }

        fn explain(&self, _: DropCause) -> String {
            explode()
        }
    }
    let tracer = builder(RemoteReporter::new(Throws)).build().expect("named");
    for round in 1..=2 {
        tracer.start_span("s").finish();
        let report = tracer.flush(LONG);
        assert_eq!(
            (report.sent, report.dropped.total()),
            (0, round),
            "{report}"
        );
    }
    assert_eq!(tracer.close(LONG).dropped.total(), 2);
}

#[test]
fn a_codec_that_panics_costs_the_context_and_not_the_request() {
    struct Throws(HeaderSet);
    impl Injector for Throws {
        fn inject(&self, _: &SpanContext, _: &mut dyn TextMapWriter) {
            explode()
        }
    }
    impl Extractor for Throws {
        fn extract(&self, _: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
            explode()
        }
    }
    impl Codec for Throws {
        fn headers(&self) -> &HeaderSet {
            &self.0
        }
    }
    let tracer = builder(InMemoryReporter::new())
        .text_map_codec(Throws(HeaderSet::new([], [])))
        .build()
        .expect("named");
    let mut headers = HashMap::<String, String>::new();
    let span = tracer.start_span("s");
    tracer.inject(&span.context(), &mut headers);
    assert!(headers.is_empty());
    assert!(!matches!(tracer.extract(&headers), Ok(Some(_))));
    assert!(tracer.metrics().get(Counter::CallbackPanics) >= 2);
}

struct PanicsWhenDropped;

impl Sampler for PanicsWhenDropped {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Drop
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[test]
fn a_sampler_that_panics_when_it_is_dropped_harms_no_thread() {
    let build = || {
        let handler = PanicsWhenDropped;
        JaegerTracer::builder("shop")
            .sampler(PanicsWhenDropped)
            .diagnostics(Diagnostics::with_handler(move |_| {
                let _ = &handler;
            }))
            .build()
            .unwrap()
    };
    let (tracer, outlives) = (build(), build());
    let span = outlives.start_span("open");
    thread::scope(|scope| {
        let idle = scope.spawn(|| tracer.clone().start_span("a").finish());
        idle.join().expect("no panic");
    });
    drop(tracer);
    drop(outlives);
    span.finish();
    JaegerTracer::builder("pay")
        .build()
        .unwrap()
        .start_span("b")
        .finish();
}

#[test]
fn a_sampler_is_closed_once() {
    struct CountsCloses(Arc<AtomicUsize>);
    impl Sampler for CountsCloses {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }
        fn close(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let closes = Arc::new(AtomicUsize::new(0));
    let build = || {
        JaegerTracer::builder("shop")
            .sampler(CountsCloses(closes.clone()))
            .build()
            .unwrap()
    };
    let tracer = build();
    tracer.close(Duration::from_secs(1));
    tracer.close(Duration::from_secs(1));
    drop(tracer);
    assert_eq!(closes.load(Ordering::Relaxed), 1);
    // Dropped by a panic.
    let tracer = build();
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _tracer = tracer;
        panic!("of the program");
    }));
    assert!(unwound.is_err());
    assert_eq!(closes.load(Ordering::Relaxed), 2);
}

#[test]
fn a_reporter_or_a_sender_that_panics_when_attached_is_told_of_in_a_line() {
    struct Unattached;
    impl Reporter for Unattached {
        fn attach(&mut self, _: &WorkerHandle) {
            explode();
        }
        fn report(&mut self, _: &FinishedSpan<'_>) {}
    }
    impl Sender for Unattached {
        fn attach(&mut self, _: &Services) {
            explode();
        }
        fn format(&self) -> BatchFormat {
            BatchFormat::Compact
        }
        fn max_bytes(&self) -> usize {
            1_400
        }
        fn send(&mut self, _: &Batch<'_>, _: Instant) -> SendOutcome {
            SendOutcome::default()
        }
    }
    let lines_of = |reporter: Box<dyn Reporter>| {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let diagnostics =
            Diagnostics::with_handler(move |line| sink.lock().unwrap().push(line.to_owned()));
        let tracer = builder(reporter).diagnostics(diagnostics).build().unwrap();
        assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 1);
        tracer.close(LONG);
        lines.lock().unwrap().clone()
    };
    let line = |part| {
        vec![format!(
            "{part} panicked while it was attached to the tracer"
        )]
    };
    assert_eq!(lines_of(Box::new(Unattached)), line("the reporter"));
    let composite = CompositeReporter::new().member(Unattached);
    assert_eq!(lines_of(Box::new(composite)), line("a reporter"));
    let remote = RemoteReporter::new(Unattached);
    assert_eq!(lines_of(Box::new(remote)), line("the sender"));
}
