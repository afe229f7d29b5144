//! Parts of a user's own: each gets the tracer's services, and counts and warns by them.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::model::Process;
use tracehound::prelude::*;
use tracehound::propagation::{
    Codec, CustomCodec, ExtractCarrier, ExtractError, Extractor, HeaderSet, InjectCarrier,
    Injector, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
};
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{
    CompositeReporter, FinishedSpan, InMemoryReporter, RemoteReporter, Reporter, WorkerHandle,
};
use tracehound::sampler::{
    ConstSampler, RateLimitingSampler, Sampler, SamplerTags, SamplingDecision, SpanView,
    TracesPerSecond,
};
use tracehound::services::Services;
use tracehound::tracer::TracerBuilder;
use tracehound::{JaegerTracer, SpanContext};

const LONG: Duration = Duration::from_secs(20);

/// What every part of these tests does with its services.
#[derive(Default)]
struct Equipment(Option<Services>);

impl Equipment {
    fn attach(&mut self, services: &Services) {
        assert!(self.0.is_none(), "attached once");
        assert_eq!(services.clock().monotonic(), Duration::from_secs(7));
        self.0 = Some(services.clone());
    }

    fn report(&self, counter: Counter, cause: &'static str) {
        let services = self.0.as_ref().expect("attached before it is used");
        services.metrics().add(counter, 1);
        let service = &services.process().service_name;
        let line = || format!("{cause} of {service}");
        services.diagnostics().warn(cause, line);
    }
}

#[derive(Default)]
struct MySampler(Equipment);

impl Sampler for MySampler {
    fn attach(&mut self, services: &Services) {
        self.0.attach(services);
    }

    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.0.report(Counter::DroppedItems, "sampler");
        SamplingDecision::Sample(SamplerTags::new("mine", true))
    }
}

struct MyCodec(Equipment, HeaderSet);

impl Default for MyCodec {
    fn default() -> Self {
        Self(Equipment::default(), HeaderSet::new([], []))
    }
}

impl Injector for MyCodec {
    fn inject(&self, _: &SpanContext, carrier: &mut dyn TextMapWriter) {
        self.0.report(Counter::BaggageItemsSkipped, "codec");
        carrier.set("mine", "1");
    }
}

impl Extractor for MyCodec {
    fn extract(&self, _: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        self.0.report(Counter::BaggageItemsSkipped, "codec");
        Ok(None)
    }
}

impl Codec for MyCodec {
    fn headers(&self) -> &HeaderSet {
        &self.1
    }

    fn attach(&mut self, services: &Services) {
        self.0.attach(services);
    }
}

struct Envelope;

impl InjectCarrier for Envelope {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::Custom(self)
    }
}

impl ExtractCarrier for Envelope {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::Custom(self)
    }
}

#[derive(Default)]
struct EnvelopeCodec(Equipment);

impl CustomCodec for EnvelopeCodec {
    fn attach(&mut self, services: &Services) {
        self.0.attach(services);
    }

    fn inject(&self, _: &SpanContext, _: &mut dyn Any) -> bool {
        self.0.report(Counter::PropagationConflicts, "custom codec");
        true
    }

    fn extract(&self, _: &dyn Any) -> Result<Option<SpanContext>, ExtractError> {
        Ok(None)
    }
}

#[derive(Default)]
struct MySender(Equipment);

impl Sender for MySender {
    fn attach(&mut self, services: &Services) {
        self.0.attach(services);
    }

    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        1_400
    }

    fn send(&mut self, _: &Batch<'_>, _: Instant) -> SendOutcome {
        self.0.report(Counter::DegradedSpans, "sender");
        SendOutcome::default()
    }
}

#[derive(Default)]
struct MyReporter(Equipment);

impl Reporter for MyReporter {
    fn attach(&mut self, worker: &WorkerHandle) {
        self.0.attach(worker.services());
    }

    fn report(&mut self, _: &FinishedSpan<'_>) {
        self.0.report(Counter::TruncatedValues, "reporter");
    }
}

/// A builder at seven seconds past the epoch, and the lines that its tracer writes.
fn builder() -> (TracerBuilder, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let builder = JaegerTracer::builder("shop")
        .clock(ManualClock::at_micros(7_000_000))
        .diagnostics(Diagnostics::with_handler(move |line| {
            sink.lock().unwrap().push(line.to_owned());
        }));
    (builder, lines)
}

#[test]
fn parts_of_a_users_own_count_and_warn_through_their_tracer() {
    let (builder, lines) = builder();
    let tracer = builder
        .sampler(MySampler::default())
        .reporter(
            CompositeReporter::new()
                .member(RemoteReporter::new(MySender::default()))
                .member(MyReporter::default()),
        )
        .text_map_codec(MyCodec::default())
        .http_headers_codec(MyCodec::default())
        .custom_codec(EnvelopeCodec::default())
        .build()
        .unwrap();
    visit(&tracer);
    assert_eq!(counts(&tracer), [1, 4, 1, 1, 1]);
    let mut lines = lines.lock().unwrap().clone();
    lines.sort();
    // One line a cause in ten seconds, whatever part it came from.
    let expected = ["codec", "custom codec", "reporter", "sampler", "sender"];
    assert_eq!(lines, expected.map(|part| format!("{part} of shop")));
}

#[test]
fn parts_in_boxes_get_the_services_too() {
    let (builder, _) = builder();
    let sampler: Box<dyn Sampler> = Box::new(MySampler::default());
    let sender: Box<dyn Sender> = Box::new(MySender::default());
    let reporter: Box<dyn Reporter> = Box::new(RemoteReporter::new(sender));
    let codecs: [Box<dyn Codec>; 2] = [Box::new(MyCodec::default()), Box::new(MyCodec::default())];
    let [text_map, http_headers] = codecs;
    let custom: Box<dyn CustomCodec> = Box::new(EnvelopeCodec::default());
    let tracer = builder
        .sampler(sampler)
        .reporter(reporter)
        .text_map_codec(text_map)
        .http_headers_codec(http_headers)
        .custom_codec(custom)
        .build()
        .unwrap();
    visit(&tracer);
    assert_eq!(counts(&tracer), [1, 4, 1, 1, 0]);
}

/// Calls every part; both codecs twice.
fn visit(tracer: &JaegerTracer) {
    let span = tracer.start_span("checkout");
    let context = span.context();
    let mut text_map = HashMap::new();
    tracer.inject(&context, &mut text_map);
    assert_eq!(tracer.extract(&text_map), Ok(None));
    let mut headers = HashMap::new();
    let mut headers = tracehound::propagation::HttpHeaders(&mut headers);
    tracer.inject(&context, &mut headers);
    assert_eq!(tracer.extract(&headers), Ok(None));
    tracer.inject(&context, &mut Envelope);
    span.finish();
    assert!(tracer.flush(LONG).is_complete());
}

/// How often each part has counted: sampler, codecs, custom codec, sender, reporter.
fn counts(tracer: &JaegerTracer) -> [u64; 5] {
    [
        Counter::DroppedItems,
        Counter::BaggageItemsSkipped,
        Counter::PropagationConflicts,
        Counter::DegradedSpans,
        Counter::TruncatedValues,
    ]
    .map(|counter| tracer.metrics().get(counter))
}

#[test]
fn a_part_that_panics_when_it_is_attached_is_counted_and_used() {
    struct Panicking;
    impl Sampler for Panicking {
        fn attach(&mut self, _: &Services) {
            panic!("attach");
        }

        fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
            ConstSampler::new(true).on_create_span(span)
        }
    }
    let (builder, lines) = builder();
    let spans = InMemoryReporter::new();
    let tracer = builder
        .sampler(Panicking)
        .reporter(spans.clone())
        .build()
        .unwrap();
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 1);
    assert!(lines.lock().unwrap()[0].contains("the sampler panicked"));
    tracer.start_span("checkout").finish();
    assert_eq!(spans.spans().len(), 1);
}

#[test]
fn a_rate_limiter_goes_by_the_clock_of_its_tracer() {
    let clock = ManualClock::default();
    let tracer = JaegerTracer::builder("shop")
        .clock(clock.clone())
        .sampler(RateLimitingSampler::new(TracesPerSecond::from(1)))
        .build()
        .unwrap();
    let is_kept = || tracer.start_span("checkout").context().is_sampled();
    assert_eq!([is_kept(), is_kept()], [true, false]);
    clock.advance(Duration::from_secs(1));
    assert_eq!([is_kept(), is_kept()], [true, false]);
}

#[test]
fn a_rate_limiter_keeps_the_clock_that_the_user_has_chosen() {
    let (of_tracer, own) = (ManualClock::default(), ManualClock::default());
    let services = Services::detached(Process::new("shop", vec![])).with_clock(of_tracer.clone());
    let mut sampler = RateLimitingSampler::new(TracesPerSecond::from(1)).clock(own.clone());
    sampler.attach(&services);
    let root = SpanView::new(tracehound::model::TraceId::new(0, 1).unwrap(), "s", true);
    let is_kept = || matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_));
    assert_eq!([is_kept(), is_kept()], [true, false]);
    of_tracer.advance(Duration::from_secs(1));
    assert!(!is_kept());
    own.advance(Duration::from_secs(1));
    assert!(is_kept());
}
