//! The last handle of a tracer or a span is dropped inside user code that the tracer calls.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::DropCause;
use tracehound::model::{TagRef, display, field};
use tracehound::prelude::*;
use tracehound::propagation::{HeaderScan, TextMapReader, TextMapWriter};
use tracehound::reporter::{
    FinishedSpan, InMemoryReporter, MakeReporter, Reporter, Unsent, WorkerHandle,
};
use tracehound::restrictions::{BaggageRestrictions, Restriction};
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::throttler::Throttler;
use tracehound::tracer::TracerBuilder;

use crate::support::{LONG, builder, recording, rubbish, until};

/// The handles that will be dropped, and the callback in which that happens.
#[derive(Clone)]
struct Trap(Arc<Mutex<Armed>>);

#[derive(Default)]
struct Armed {
    at: Option<Place>,
    tracer: Option<JaegerTracer>,
    /// The tracer is also closed, not only dropped.
    closes: bool,
    span: Option<Span>,
    has_gone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Report,
    Flush,
    Close,
    SamplerCreate,
    SamplerRename,
    SamplerTag,
    SamplerFinish,
    SamplerClose,
    Throttler,
    ThrottlerClose,
    Restrictions,
    RestrictionsClose,
    IdSource,
    Display,
    LogIterator,
    TagClosure,
    Inject,
    Extract,
    Diagnostics,
}

const PLACES: [Place; 19] = [
    Place::Report,
    Place::Flush,
    Place::Close,
    Place::SamplerCreate,
    Place::SamplerRename,
    Place::SamplerTag,
    Place::SamplerFinish,
    Place::SamplerClose,
    Place::Throttler,
    Place::ThrottlerClose,
    Place::Restrictions,
    Place::RestrictionsClose,
    Place::IdSource,
    Place::Display,
    Place::LogIterator,
    Place::TagClosure,
    Place::Inject,
    Place::Extract,
    Place::Diagnostics,
];

impl Trap {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn arm(&self, place: Place, tracer: Option<JaegerTracer>, span: Option<Span>) {
        let mut armed = self.lock();
        armed.at = Some(place);
        armed.tracer = tracer;
        armed.span = span;
    }

    /// Springs the trap if it was armed for this place. Every callback calls this.
    fn at(&self, place: Place) {
        let (tracer, span, closes) = {
            let mut armed = self.lock();
            if armed.at != Some(place) {
                return;
            }
            armed.at = None;
            (armed.tracer.take(), armed.span.take(), armed.closes)
        };
        drop(span);
        if let Some(tracer) = tracer
            && closes
        {
            tracer.close(LONG);
        }
        self.lock().has_gone = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Armed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Everywhere(Trap, InMemoryReporter);

impl Reporter for Everywhere {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.1.attach(worker);
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        self.0.at(Place::Report);
        self.1.report(span);
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        self.0.at(Place::Flush);
        self.1.flush(deadline)
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        self.0.at(Place::Close);
        self.1.close(deadline)
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        None
    }
}

/// A sampler that never decides, so that it is asked at every place.
struct Hesitant(Trap);

impl Sampler for Hesitant {
    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.0.at(Place::SamplerCreate);
        SamplingDecision::Delay
    }

    fn on_set_operation_name(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.0.at(Place::SamplerRename);
        SamplingDecision::Delay
    }

    fn on_set_tag(&self, _: &SpanView<'_>, _: &str, _: TagRef<'_>) -> SamplingDecision {
        self.0.at(Place::SamplerTag);
        SamplingDecision::Delay
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.0.at(Place::SamplerFinish);
        ConstSampler::new(true).on_create_span(span)
    }

    fn close(&self) {
        self.0.at(Place::SamplerClose);
    }
}

/// A throttler that allows nothing, so that it is asked again.
struct Strict(Trap);

impl Throttler for Strict {
    fn is_allowed(&self, _: &str) -> bool {
        self.0.at(Place::Throttler);
        false
    }

    fn close(&self) {
        self.0.at(Place::ThrottlerClose);
    }
}

struct Lenient(Trap);

impl BaggageRestrictions for Lenient {
    fn restriction(&self, _: &str) -> Restriction {
        self.0.at(Place::Restrictions);
        Restriction::NONE
    }

    fn close(&self) {
        self.0.at(Place::RestrictionsClose);
    }
}

struct Carrier(Trap);

impl TextMapWriter for Carrier {
    fn set(&mut self, _: &str, _: &str) -> bool {
        self.0.at(Place::Inject);
        true
    }
}

struct Source(Trap);

impl TextMapReader for Source {
    fn scan<'c>(&'c self, _: &mut HeaderScan<'c, '_>) {
        self.0.at(Place::Extract);
    }
}

struct Shown<'a>(&'a Trap);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.at(Place::Display);
        f.write_str("shown")
    }
}

fn tracer(trap: &Trap, spans: &InMemoryReporter) -> TracerBuilder {
    let (for_ids, for_lines) = (trap.clone(), trap.clone());
    let next = std::sync::atomic::AtomicU64::new(1);
    builder(Everywhere(trap.clone(), spans.clone()))
        .sampler(Hesitant(trap.clone()))
        .throttler(Strict(trap.clone()))
        .baggage_restrictions(Lenient(trap.clone()))
        .flush_interval(Duration::from_millis(1))
        .id_source(move || {
            for_ids.at(Place::IdSource);
            next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        })
        .diagnostics(Diagnostics::with_handler(move |_| {
            for_lines.at(Place::Diagnostics)
        }))
}

/// Reaches every place that needs a tracer.
fn visit(tracer: &JaegerTracer, trap: &Trap) {
    let span = tracer.build_span("visit").tag("a", 1).start();
    fill(&span, trap);
    visit_carriers(tracer, &span, trap);
    span.finish();
    // Makes a diagnostic line.
    assert!(tracer.extract(&rubbish()).is_err());
}

/// Makes every call on a span that calls user code.
fn fill(span: &Span, trap: &Trap) {
    span.set_operation_name("filled");
    span.set_tag("sampling.priority", 1)
        .set_baggage_item("k", "v");
    span.set_tag("b", 2).set_tag("shown", display(&Shown(trap)));
    span.set_tag_with("c", || {
        trap.at(Place::TagClosure);
        3
    });
    span.log((0..3).map(|n| {
        trap.at(Place::LogIterator);
        field("n", n)
    }));
}

fn visit_carriers(tracer: &JaegerTracer, span: &Span, trap: &Trap) {
    use tracehound::propagation::{ExtractCarrier, InjectCarrier, ReadFrom, WriteTo};
    struct In(Carrier);
    impl InjectCarrier for In {
        fn write(&mut self) -> WriteTo<'_> {
            WriteTo::TextMap(&mut self.0)
        }
    }
    struct Out(Source);
    impl ExtractCarrier for Out {
        fn read(&self) -> ReadFrom<'_> {
            ReadFrom::TextMap(&self.0)
        }
    }
    tracer.inject(&span.context(), &mut In(Carrier(trap.clone())));
    assert_eq!(tracer.extract(&Out(Source(trap.clone()))), Ok(None));
}

pub(super) fn a_tracer_can_be_closed_inside_every_callback() {
    for place in PLACES {
        let (trap, spans) = (Trap::new(), InMemoryReporter::new());
        let tracer = tracer(&trap, &spans).build().expect("named");
        let span = tracer.start_span("in the trap");
        trap.arm(place, Some(tracer.clone()), Some(span));
        trap.lock().closes = true;
        visit(&tracer, &trap);
        tracer.flush(LONG);
        tracer.close(LONG);
        until(&format!("{place:?}"), || trap.lock().has_gone);
        let report = tracer.report();
        let lost = report.dropped.get(DropCause::AfterShutdown);
        assert_eq!(
            (report.finished, report.queued),
            (2, 0),
            "{place:?}: {report}"
        );
        assert_eq!(report.sent + lost, 2, "{place:?}: {report}");
    }
}

pub(super) fn the_last_tracer_can_be_dropped_inside_every_callback() {
    // A call on the tracer itself needs a handle, so the last handle cannot be dropped at those places.
    let places = [
        Place::Report,
        Place::Flush,
        Place::SamplerRename,
        Place::SamplerTag,
        Place::SamplerFinish,
        Place::Throttler,
        Place::Restrictions,
        Place::Display,
        Place::LogIterator,
        Place::TagClosure,
    ];
    for place in places {
        let (trap, spans) = (Trap::new(), InMemoryReporter::new());
        let tracer = tracer(&trap, &spans).build().expect("named");
        let span = tracer.start_span("outlives its tracer");
        let child = tracer.build_span("child").child_of(&span).start();
        trap.arm(place, Some(tracer), Some(span.clone()));
        fill(&span, &trap);
        child.finish();
        span.finish();
        until(&format!("{place:?}"), || trap.lock().has_gone);
        // The handle in the trap may have finished the span; the later calls then did nothing.
        assert!(spans.spans().len() <= 2, "{place:?}");
    }
}

pub(super) fn the_last_span_can_be_dropped_inside_every_callback() {
    for place in PLACES {
        let (trap, spans) = (Trap::new(), InMemoryReporter::new());
        let tracer = tracer(&trap, &spans).build().expect("named");
        let last = tracer.start_span("in the trap");
        let handle = last.downgrade();
        trap.arm(place, None, Some(last));
        visit(&tracer, &trap);
        tracer.flush(LONG);
        let report = tracer.close(LONG);
        assert!(trap.lock().has_gone, "{place:?}");
        assert!(!handle.is_recording(), "{place:?}");
        let lost = report.dropped.get(DropCause::AfterShutdown);
        assert_eq!(report.sent + lost, report.finished, "{place:?}: {report}");
        // The sampler is closed last, after all other callbacks.
        let finished = tracer.report().finished;
        assert_eq!(finished, 2, "{place:?}: {report}");
    }
}

pub(super) fn a_tracer_can_be_closed_while_spans_are_open() {
    for _ in 0..50 {
        let (tracer, spans) = recording();
        let shared = tracer.start_span("shared");
        let open: Vec<_> = (0..100).map(|_| tracer.start_span("open")).collect();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for n in 0..200 {
                        shared.set_tag("n", n).log_event("e");
                        let _scope = shared.activate();
                        drop(tracer.start_span("s"));
                    }
                });
            }
            scope.spawn(|| drop(open));
            scope.spawn(|| tracer.close(LONG));
        });
        shared.finish();
        let report = tracer.close(LONG);
        assert_eq!((report.finished, report.queued), (501, 0), "{report}");
        let late = report.dropped.get(DropCause::AfterShutdown);
        assert_eq!(report.sent + late, 501, "{report}");
        assert_eq!(spans.spans().len() as u64, report.sent);
    }
}
