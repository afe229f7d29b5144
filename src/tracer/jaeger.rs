use std::borrow::Cow;
use std::fmt;
#[cfg(all(unix, feature = "signals"))]
use std::io;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::clock::Moment;
use crate::metrics::{FlushReport, Metrics};
use crate::model::{Process, TagNames};
use crate::propagation::{ExtractCarrier, ExtractError, HeaderSet, InjectCarrier, NO_HEADERS};
use crate::reporter::Worker;
use crate::span::{Span, SpanContext};
use crate::tracer::core::Core;
use crate::tracer::entry::{start, start_named};
use crate::tracer::handle::Handle;
#[cfg(all(unix, feature = "signals"))]
use crate::tracer::signals::{Close, Signal, close_on};
use crate::tracer::{StartSpanOptions, Tracer};

/// A tracer that records spans and reports them. Clones are cheap and share everything.
///
/// Call [`close`](Self::close) before the program ends, or [`close_async`](Self::close_async) in a future, and look at
/// the report. Otherwise the last clone closes the tracer when it is dropped: finished spans then have one second to be
/// sent, and open spans are lost, counted, and reported in a diagnostic line. A forked child must call `close`: clones
/// that belong to threads of the parent process are never dropped there.
///
/// ```
/// use std::time::Duration;
/// use tracehound::metrics::Counter;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(InMemoryReporter::new())
///     .build()?;
/// assert_eq!(tracer.process().expect("it is on").service_name, "shop");
/// tracer.start_span("checkout").finish();
/// assert!(tracer.close(Duration::from_secs(5)).is_complete());
/// assert_eq!(tracer.report().sent, 1);
/// assert_eq!(tracer.metrics().get(Counter::FinishedSpansSampled), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct JaegerTracer {
    handle: Option<Arc<Handle>>,
}

impl JaegerTracer {
    /// Returns a tracer that is off: every span is a no-op, `inject` writes nothing, `extract` finds nothing.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    ///
    /// assert!(JaegerTracer::disabled().start_span("checkout").is_noop());
    /// ```
    pub const fn disabled() -> Self {
        Self { handle: None }
    }

    /// Waits until every span that finished before this call has been sent, and reports what became of all spans so
    /// far.
    ///
    /// Returns after `timeout` at the latest; spans that still wait then are in [`FlushReport::queued`]. Blocks the
    /// calling thread, and needs no async runtime.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(InMemoryReporter::new())
    ///     .build()?;
    /// tracer.start_span("checkout").finish();
    /// let report = tracer.flush(Duration::from_secs(5));
    /// assert!(report.is_complete());
    /// assert_eq!(report.sent, 1);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn flush(&self, timeout: Duration) -> FlushReport {
        self.handle
            .as_ref()
            .map_or_else(FlushReport::default, |handle| handle.worker.flush(timeout))
    }

    /// Sends the spans that wait, closes the reporter, and reports what became of all spans.
    ///
    /// Returns after `timeout` at the latest, and blocks the calling thread. All clones are closed with this one: spans
    /// that finish later are counted as `after_shutdown`, and a line says how many are still open. A second call only
    /// reports.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tracehound::JaegerTracer;
    /// # let tracer = JaegerTracer::disabled();
    /// // finished 7, sent 7, dropped none, queued 0
    /// println!("{}", tracer.close(Duration::from_secs(1)));
    /// ```
    pub fn close(&self, timeout: Duration) -> FlushReport {
        self.handle
            .as_ref()
            .map_or_else(FlushReport::default, |handle| handle.close(timeout))
    }

    /// Like [`flush`](Self::flush), as a future that blocks no thread and needs no particular runtime.
    ///
    /// It asks the worker when it is first polled, and `timeout` counts from then. It ends by the timeout even if the
    /// reporter blocks: a short-lived thread keeps the time. If it is dropped before, the worker flushes all the same.
    /// If no worker thread could be started, it ends at once, and the spans are in [`FlushReport::queued`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tracehound::JaegerTracer;
    /// # use tracehound::prelude::*;
    /// # use tracehound::reporter::InMemoryReporter;
    /// # use tracehound::sampler::ConstSampler;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tracehound::tracer::BuildError> {
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(InMemoryReporter::new())
    ///     .build()?;
    /// tracer.start_span("checkout").finish();
    /// assert_eq!(tracer.flush_async(Duration::from_secs(5)).await.sent, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn flush_async(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = FlushReport> + Send + use<> {
        let flush = self.handle.as_ref();
        let flush = flush.map(|handle| handle.worker.flush_async(timeout));
        async move {
            match flush {
                Some(flush) => flush.await,
                None => FlushReport::default(),
            }
        }
    }

    /// Like [`close`](Self::close), as a future that blocks no thread and needs no particular runtime.
    ///
    /// It closes the tracer when it is first polled, and ends as [`flush_async`](Self::flush_async) does. If it is
    /// dropped after that, the tracer is closed all the same, and the worker goes on until the timeout.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tracehound::JaegerTracer;
    /// # async fn stop(tracer: JaegerTracer) {
    /// println!("{}", tracer.close_async(Duration::from_secs(1)).await);
    /// # }
    /// ```
    pub fn close_async(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = FlushReport> + Send + use<> {
        let handle = self.handle.clone();
        async move {
            match &handle {
                Some(handle) => handle.close_async(timeout).await,
                None => FlushReport::default(),
            }
        }
    }

    /// Returns what became of the spans so far, without waiting. It is exact right after a [`flush`](Self::flush); at
    /// other times it never shows more sent and lost spans than finished ones.
    pub fn report(&self) -> FlushReport {
        self.handle
            .as_ref()
            .map_or_else(FlushReport::default, |handle| handle.worker.report())
    }

    /// Returns the counters of the tracer about itself. If the tracer is off, all of them are 0.
    pub fn metrics(&self) -> Metrics {
        self.handle
            .as_ref()
            .map_or_else(Metrics::default, |handle| {
                handle.core.recorder.metrics.clone()
            })
    }

    /// Returns the name of the service and the tags that hold for all spans. Returns `None` if the tracer is off.
    pub fn process(&self) -> Option<&Process> {
        self.handle.as_ref().map(|handle| &*handle.core.process)
    }

    /// Says in a line of text what the sampler would do with a new trace that begins with this operation, and why. It
    /// spends nothing. A tracer that is off says so.
    ///
    /// The page of the [samplers](crate::sampler#which-one-answers-when) tells what else decides about a trace.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::sampler::{RateLimitingSampler, TracesPerSecond};
    ///
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(RateLimitingSampler::new(TracesPerSecond::from(5)))
    ///     .build()?;
    /// assert_eq!(
    ///     tracer.explain_sampling("checkout"),
    ///     "ratelimiting, keeps 5 traces a second, 5.0 at once now"
    /// );
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn explain_sampling(&self, operation_name: &str) -> String {
        match &self.handle {
            Some(handle) => handle.core.explain_sampling(operation_name),
            None => "the tracer is off and keeps nothing".to_owned(),
        }
    }

    /// Returns the HTTP headers that the tracer writes and reads. If the tracer is off, there are none.
    ///
    /// A proxy that passes on only known headers needs them, and so does a server that answers to pages of another
    /// origin (CORS): a browser sends only the headers that `access-control-allow-headers` lists, and shows a script
    /// only those of a response that `access-control-expose-headers` lists.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::reporter::NullReporter;
    ///
    /// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// let headers = tracer.propagated_headers();
    /// let is_public = |name: &&str| *name != "jaeger-debug-id";
    /// let allowed: Vec<&str> = headers.names().filter(is_public).collect();
    /// assert_eq!(
    ///     allowed.join(", "), // in `access-control-allow-headers`, with those of your own
    ///     "uber-trace-id, jaeger-baggage, traceparent, tracestate, baggage",
    /// );
    /// assert!(headers.prefixes().eq(["uberctx-"]));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    ///
    /// - A list of CORS holds whole names, and no prefixes. So a script cannot send baggage as `uberctx-{key}`, unless
    ///   you list each key that it uses. Let it send W3C's `baggage` instead, which holds all items in one header.
    /// - `access-control-allow-headers: *` allows all of them, but not in requests with cookies or other credentials.
    /// - Leave out `jaeger-debug-id`, as above, unless each visitor of the page may have traces kept. What is believed
    ///   of the headers is up to [`Trust`](crate::propagation::Trust), because a script is no more than a stranger.
    /// - This crate writes no headers into responses. List in `access-control-expose-headers` only what your program
    ///   adds, such as a header with [`SpanContext::to_trace_id`] for reports of errors.
    pub fn propagated_headers(&self) -> &HeaderSet {
        match &self.handle {
            Some(handle) => handle.core.http_headers(),
            None => &NO_HEADERS,
        }
    }

    /// Starts a span whose name must be freed. Out of line, because most names are literals.
    #[inline(never)]
    fn start_owned_name(
        &self,
        operation_name: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> Span {
        self.start(StartSpanOptions::new(operation_name, Some(place)))
    }

    pub(super) fn from_parts(core: Core, worker: Worker) -> Self {
        Self {
            handle: Some(Arc::new(Handle {
                core: Arc::new(core),
                worker,
                is_closed: AtomicBool::new(false),
            })),
        }
    }
}

#[cfg(all(unix, feature = "signals"))]
impl JaegerTracer {
    /// Closes the tracer when SIGTERM arrives, which Kubernetes, systemd and `docker stop` send. Then the process ends
    /// by the signal, as it would have done at once. The first process of a container, which no signal of its own can
    /// end, exits with status 143.
    ///
    /// Spans that have finished then have `grace` to be sent; open spans are lost. Other threads go on meanwhile. A
    /// thread waits for the signal; the tracer is not kept open for it. Several tracers of a process are closed at
    /// once. A forked child ends by the signal at once, unless it calls this itself.
    ///
    /// Do not use it in a program that handles SIGTERM itself, for example to answer its last requests: call
    /// [`close`](Self::close) or [`close_async`](Self::close_async) behind that. This function would end the process
    /// under it.
    ///
    /// # Errors
    ///
    /// If the system gives no thread, pipe or handler. The signal then ends the process as before.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::reporter::NullReporter;
    ///
    /// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// tracer.close_on_terminate(Duration::from_secs(2))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_on_terminate(&self, grace: Duration) -> io::Result<()> {
        self.close_on(Signal::Terminate, grace)
    }

    /// Like [`close_on_terminate`](Self::close_on_terminate), for SIGINT: Ctrl-C in a terminal.
    ///
    /// # Errors
    ///
    /// As [`close_on_terminate`](Self::close_on_terminate).
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # let tracer = tracehound::JaegerTracer::disabled();
    /// tracer.close_on_interrupt(Duration::from_secs(1))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn close_on_interrupt(&self, grace: Duration) -> io::Result<()> {
        self.close_on(Signal::Interrupt, grace)
    }

    fn close_on(&self, signal: Signal, grace: Duration) -> io::Result<()> {
        match &self.handle {
            Some(handle) => {
                let handle: Arc<dyn Close> = handle.clone();
                close_on(signal, Arc::downgrade(&handle), grace)
            }
            None => Ok(()),
        }
    }
}

impl Tracer for JaegerTracer {
    fn start(&self, options: StartSpanOptions<'_>) -> Span {
        match &self.handle {
            Some(handle) => start(&handle.core, options),
            None => Span::noop(),
        }
    }

    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
        if let Some(handle) = &self.handle {
            handle.core.inject(context, carrier);
        }
    }

    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError> {
        match &self.handle {
            Some(handle) => handle.core.extract(carrier),
            None => Ok(None),
        }
    }

    #[inline]
    fn is_noop(&self) -> bool {
        self.handle.is_none()
    }

    fn tag_names(&self) -> TagNames {
        match &self.handle {
            Some(handle) => handle.core.recorder.tag_names,
            None => TagNames::default(),
        }
    }

    #[inline(always)]
    fn start_named(
        &self,
        operation_name: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> Span {
        match (&self.handle, operation_name) {
            (Some(handle), Cow::Borrowed(name)) => start_named(&handle.core, name, place),
            (Some(_), name) => self.start_owned_name(name, place),
            (None, _) => Span::noop(),
        }
    }

    #[inline]
    fn moment(&self) -> Moment {
        match &self.handle {
            Some(handle) => Moment::ticks(handle.core.recorder.clock.now()),
            None => Moment::wall(),
        }
    }
}

/// Panics of user code are caught before they reach shared state.
impl UnwindSafe for JaegerTracer {}
impl RefUnwindSafe for JaegerTracer {}

impl fmt::Debug for JaegerTracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.handle {
            Some(handle) => write!(f, "JaegerTracer({:?})", handle.core.process.service_name),
            None => f.write_str("JaegerTracer(disabled)"),
        }
    }
}
