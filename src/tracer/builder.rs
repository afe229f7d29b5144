use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::diagnostics::Diagnostics;
use crate::metrics::MetricsFactory;
use crate::model::{Recording, Tag, TagNames, TagValue};
use crate::observer::SpanObserver;
use crate::propagation::Codecs;
use crate::record::SlotLimit;
#[cfg(feature = "tokio")]
use crate::reporter::task;
use crate::reporter::{NullReporter, Reporter, SpawnWorker, thread};
use crate::restrictions::BaggageRestrictions;
use crate::sampler::{ProbabilisticSampler, Sampler, SamplingRate};
use crate::span::Limits;
use crate::throttler::Throttler;
use crate::tracer::jaeger::JaegerTracer;

/// A builder of a tracer, made by [`JaegerTracer::builder`].
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(InMemoryReporter::new())
///     .tag("zone", "eu-1")
///     .build()?;
/// # let _ = tracer;
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "nothing is traced until it is built"]
pub struct TracerBuilder {
    pub(super) service_name: String,
    pub(super) tags: Vec<Tag>,
    pub(super) sampler: Box<dyn Sampler>,
    pub(super) throttler: Option<Box<dyn Throttler>>,
    pub(super) priority_sets_debug: bool,
    pub(super) restrictions: Option<Box<dyn BaggageRestrictions>>,
    pub(super) reporter: Box<dyn Reporter>,
    pub(super) limits: Limits,
    pub(super) recording: Recording,
    pub(super) tag_names: TagNames,
    pub(super) clock: Option<Clock>,
    pub(super) id_source: Option<Box<dyn Fn() -> u64 + Send + Sync>>,
    pub(super) is_128_bit: bool,
    pub(super) finalizes_on_inject: bool,
    pub(super) zipkin_shared_rpc_span: bool,
    pub(super) max_open_spans: usize,
    pub(super) queue_size: Option<usize>,
    pub(super) flush_interval: Duration,
    pub(super) diagnostics: Diagnostics,
    pub(super) codecs: Codecs,
    pub(super) observers: Vec<Box<dyn SpanObserver>>,
    pub(super) factory: Option<Arc<dyn MetricsFactory>>,
    pub(super) spawn_worker: SpawnWorker,
}

impl JaegerTracer {
    /// Starts to build a tracer for a service. [`Config`](crate::Config) builds one from the environment.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(InMemoryReporter::new())
    ///     .build()?;
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn builder(service_name: impl Into<String>) -> TracerBuilder {
        TracerBuilder::new(service_name.into())
    }
}

impl TracerBuilder {
    fn new(service_name: String) -> Self {
        Self {
            service_name,
            tags: Vec::new(),
            sampler: Box::new(ProbabilisticSampler::new(SamplingRate::DEFAULT)),
            throttler: None,
            priority_sets_debug: true,
            restrictions: None,
            reporter: Box::new(NullReporter::new()),
            limits: Limits::default(),
            recording: Recording::metadata(),
            tag_names: TagNames::default(),
            clock: None,
            id_source: None,
            is_128_bit: false,
            finalizes_on_inject: false,
            zipkin_shared_rpc_span: false,
            max_open_spans: SlotLimit::DEFAULT,
            queue_size: None,
            flush_interval: Duration::from_secs(1),
            diagnostics: Diagnostics::default(),
            codecs: Codecs::default(),
            observers: Vec::new(),
            factory: None,
            spawn_worker: Box::new(thread::spawn),
        }
    }

    /// Sets the sampler, which decides which traces are kept. Defaults to one in a thousand.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Box::new(sampler);
        self
    }

    /// Sets the throttler, which bounds how many debug traces callers may force. By default every one is allowed.
    ///
    /// The page of the module [`throttler`](crate::throttler) has an example.
    pub fn throttler(mut self, throttler: impl Throttler + 'static) -> Self {
        self.throttler = Some(Box::new(throttler));
        self
    }

    /// Sets whether a tag `sampling.priority` above 0 sets the debug flag of its trace beside the sampled one. With the
    /// flag the samplers of a backend keep the trace, too. The throttler is asked in either case.
    ///
    /// Defaults to true. False is what the Go client's option `NoDebugFlagOnForcedSampling` does.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::model::tags;
    /// use tracehound::prelude::*;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let builder = JaegerTracer::builder("shop").sampler(ConstSampler::new(false));
    /// let tracer = builder.priority_sets_debug(false).build()?;
    /// let span = tracer.start_span("checkout");
    /// span.set_tag(tags::SAMPLING_PRIORITY, 1);
    /// let flags = span.context().flags();
    /// assert!(flags.is_sampled() && !flags.is_debug());
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn priority_sets_debug(mut self, wanted: bool) -> Self {
        self.priority_sets_debug = wanted;
        self
    }

    /// Sets which baggage items the program may set. By default all are allowed, up to the limits of
    /// [`Baggage`](crate::model::Baggage).
    ///
    /// The page of the module [`restrictions`](crate::restrictions) has an example.
    pub fn baggage_restrictions(
        mut self,
        restrictions: impl BaggageRestrictions + 'static,
    ) -> Self {
        self.restrictions = Some(Box::new(restrictions));
        self
    }

    /// Sets the reporter, which takes finished spans. Defaults to a [`NullReporter`]; [`Config`](crate::Config) sends
    /// spans to an agent.
    pub fn reporter(mut self, reporter: impl Reporter + 'static) -> Self {
        self.reporter = Box::new(reporter);
        self
    }

    /// Adds a tag that holds for all spans of this process. Of several with one key the last one counts. Its key and
    /// value are cut as those of a span's tag are: see [`Limits`](crate::span::Limits).
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<TagValue>) -> Self {
        self.tags.push(Tag::new(key.into(), value));
        self
    }

    /// Sets how much a span may hold. Defaults to [`Limits::default`].
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::span::Limits;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .limits(Limits::default().tag_value_bytes(8))
    ///     .build()?;
    /// tracer.start_span("checkout").set_tag("note", "a long note");
    /// assert!(spans.spans()[0].tag_text("note").ends_with('…'));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how much of the program's data its spans show. Defaults to [`Recording::metadata`], which shows none.
    ///
    /// [`Recording::everything`] is for test environments, and a line says so at the start.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::model::Recording;
    ///
    /// let (sender, lines) = mpsc::channel();
    /// let diagnostics = Diagnostics::with_handler(move |line| {
    ///     let _ = sender.send(line.to_owned());
    /// });
    /// let builder = JaegerTracer::builder("shop").diagnostics(diagnostics);
    /// let tracer = builder.recording(Recording::everything()).build()?;
    /// assert!(lines.recv().expect("a line").starts_with("ONLY FOR TESTS"));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn recording(mut self, recording: Recording) -> Self {
        self.recording = recording;
        self
    }

    /// Sets the vocabulary in which the middleware names tags. Defaults to [`TagNames::OpenTracing`].
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::middleware::Database;
    /// use tracehound::model::TagNames;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .tag_names(TagNames::OpenTelemetry)
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let users = Database::new(tracer, "postgresql");
    /// users.statement("SELECT name FROM users WHERE id = $1").start().finish();
    ///
    /// let span = &spans.spans()[0];
    /// assert_eq!(span.operation_name, "SELECT users");
    /// assert_eq!(span.tag_text("db.system.name"), "postgresql");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn tag_names(mut self, names: TagNames) -> Self {
        self.tag_names = names;
        self
    }

    /// Sets the clock of the tracer and its parts. Defaults to [`Clock::system`].
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.clock = Some(clock.into());
        self
    }

    /// Sets the function that makes ids. A zero is replaced by a random id. Defaults to 63 random bits.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use tracehound::JaegerTracer;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    ///
    /// // For a test that compares whole traces: ids and times that are always alike.
    /// let next = AtomicU64::new(1);
    /// let tracer = JaegerTracer::builder("shop")
    ///     .reporter(NullReporter::new())
    ///     .clock(ManualClock::at_micros(1_500_000_000_000_000))
    ///     .id_source(move || next.fetch_add(1, Ordering::Relaxed))
    ///     .build()?;
    /// assert_eq!(tracer.start_span("checkout").context().to_trace_id(), "0000000000000001");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn id_source(mut self, next_id: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.id_source = Some(Box::new(next_id));
        self
    }

    /// Sets whether new traces have ids of 128 bits. Defaults to false, as in all Jaeger clients.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    ///
    /// let builder = JaegerTracer::builder("shop").reporter(NullReporter::new());
    /// let tracer = builder.trace_id_128bit(true).final_decision_on_inject(true).build()?;
    /// assert_eq!(tracer.start_span("checkout").context().to_trace_id().len(), 32);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn trace_id_128bit(mut self, is_128_bit: bool) -> Self {
        self.is_128_bit = is_128_bit;
        self
    }

    /// Sets whether the injection of an undecided trace's context makes its decision final, so that this service and
    /// those downstream agree.
    ///
    /// Defaults to false: the context then says "not sampled", and a late tag may still keep the spans of this process.
    pub fn final_decision_on_inject(mut self, is_final: bool) -> Self {
        self.finalizes_on_inject = is_final;
        self
    }

    /// Sets whether the two sides of a call share one span, as in Zipkin: a span that starts with the tag
    /// `span.kind=server` and whose parent is in another process gets the parent's span id and parent id.
    ///
    /// Use it in a fleet of Zipkin tracers whose services also share spans. Defaults to false: the server has a span of
    /// its own, a child of the client's. (Go: `ZipkinSharedRPCSpan`, Java: `withZipkinSharedRPCSpan`.)
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::propagation::B3Codec;
    /// use tracehound::reporter::NullReporter;
    ///
    /// let tracer = JaegerTracer::builder("shop")
    ///     .reporter(NullReporter::new())
    ///     .text_map_codec(B3Codec::multiple_headers())
    ///     .zipkin_shared_rpc_span(true)
    ///     .build()?;
    /// let headers = [("x-b3-traceid", "1"), ("x-b3-spanid", "2"), ("x-b3-parentspanid", "3")];
    /// let parent = tracer.extract(&headers)?.expect("has ids");
    /// let span = tracer.build_span("pay").child_of(&parent).tag("span.kind", "server").start();
    /// assert_eq!(span.context().span_id(), parent.span_id());
    /// assert_eq!(span.context().parent_id(), parent.parent_id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn zipkin_shared_rpc_span(mut self, is_shared: bool) -> Self {
        self.zipkin_shared_rpc_span = is_shared;
        self
    }

    /// Sets how many spans may be open at once and record; at least 1. Defaults to 1,000,000.
    ///
    /// A span that starts beyond that still has ids and passes its context on, but keeps no tags, logs or references.
    /// If its trace is sampled, it is lost as [`DropCause::OpenCap`](crate::metrics::DropCause) when it finishes. The
    /// places of up to 64 finished spans for each thread, and 512 for all, are kept for later spans and count, too.
    ///
    /// ```
    /// use tracehound::metrics::DropCause;
    /// use tracehound::prelude::*;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let builder = JaegerTracer::builder("shop").sampler(ConstSampler::new(true));
    /// let tracer = builder.max_open_spans(1).build()?;
    /// let first = tracer.start_span("first");
    /// let second = tracer.start_span("second");
    /// assert!(first.is_recording() && !second.is_recording());
    /// assert!(second.context().is_sampled());
    /// second.finish();
    /// assert_eq!(tracer.report().dropped.get(DropCause::OpenCap), 1);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn max_open_spans(mut self, spans: usize) -> Self {
        self.max_open_spans = spans;
        self
    }

    /// Sets how many finished spans may wait before new ones are dropped. A span counts as 512 bytes.
    ///
    /// Defaults to a share in the 8 MiB that all tracers of the process have together; a tracer with a number of its
    /// own has its own budget. Beyond it each thread can always hold 4 KiB.
    pub fn queue_size(mut self, spans: usize) -> Self {
        self.queue_size = Some(spans);
        self
    }

    /// Sets how long a finished span waits at most before it is sent, if the receiver has room. Full packets are sent
    /// as they fill. Defaults to one second; at least a millisecond.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::restrictions::AllowedKeys;
    /// use tracehound::throttler::DebugLimiter;
    ///
    /// let tracer = JaegerTracer::builder("shop")
    ///     .queue_size(65_536) // 32 MiB, for bursts
    ///     .flush_interval(Duration::from_millis(200))
    ///     .throttler(DebugLimiter::new())
    ///     .baggage_restrictions(AllowedKeys::new().key("user-id", 36))
    ///     .build()?;
    /// # drop(tracer);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval.max(Duration::from_millis(1));
        self
    }

    /// Sets where the tracer and its parts say what is wrong. Defaults to standard error.
    pub fn diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    /// Adds an observer, which is told of the start and the end of every span, sampled or not.
    ///
    /// Defaults to none: then spans cost what they cost without this. Observers are called in the order in which they
    /// were added.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::observer::{ObservedSpan, SpanObserver};
    /// use tracehound::prelude::*;
    ///
    /// /// Prints what takes longer than a second.
    /// struct Slow;
    ///
    /// impl SpanObserver for Slow {
    ///     fn on_finish(&self, span: &ObservedSpan<'_>) {
    ///         if span.duration().as_secs() > 0 {
    ///             println!("{} took {:?}", span.operation_name(), span.duration());
    ///         }
    ///     }
    /// }
    ///
    /// let tracer = JaegerTracer::builder("shop").observer(Slow).build()?;
    /// tracer.start_span("checkout").finish();
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn observer(mut self, observer: impl SpanObserver + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// Sets the factory of a metrics library, to which the tracer's own metrics go. [`MetricsFactory`] says when.
    ///
    /// Defaults to none: [`JaegerTracer::metrics`] tells them all the same.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::metrics::InMemoryMetrics;
    /// use tracehound::prelude::*;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let metrics = InMemoryMetrics::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .metrics_factory(metrics.clone())
    ///     .build()?;
    /// tracer.start_span("checkout").finish();
    /// tracer.flush(Duration::from_secs(5));
    /// assert_eq!(metrics.counter_value("jaeger_tracer_reporter_spans", &[("result", "ok")]), 1);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn metrics_factory(mut self, factory: impl MetricsFactory + 'static) -> Self {
        self.factory = Some(Arc::new(factory));
        self
    }

    /// Sets a tokio runtime on which the worker runs as a task. By default it has a thread of its own.
    ///
    /// For programs that should have no thread more. The reporter and its sender then run on the runtime's threads, and
    /// block one of them while they send; a close may take until its timeout if the receiver has no room. When the
    /// runtime ends, a thread goes on with the worker, and no span is lost. A thread also stands in while a caller
    /// waits, say in [`flush`](JaegerTracer::flush) on the runtime's only thread, and the runtime does not get on.
    ///
    /// The runtime needs its timer (`enable_time` or `enable_all`); without it, and in a forked child, the worker has a
    /// thread. Do not use it in tests that pause the runtime's clock.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tokio::runtime::Handle;
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tracehound::tracer::BuildError> {
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(InMemoryReporter::new())
    ///     .worker_on(Handle::current())
    ///     .build()?;
    /// tracer.start_span("checkout").finish();
    /// assert_eq!(tracer.close_async(Duration::from_secs(5)).await.sent, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tokio")]
    pub fn worker_on(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.spawn_worker = task::spawner(runtime);
        self
    }
}

impl fmt::Debug for TracerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TracerBuilder({:?})", self.service_name)
    }
}
