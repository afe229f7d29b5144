//! Observers: code that is told of the start and the end of every span, sampled or not.
//!
//! A sampler keeps one trace in a thousand, so a count of what the backend stores says little about a service. An
//! observer sees all spans, so what it counts is exact.
//!
//! | observer | counts |
//! |---|---|
//! | [`RedMetrics`] | every span: rate, errors and durations by operation and kind, for a scrape page |
//! | [`RpcMetrics`] | the calls that the service answers, under the names of Jaeger's Go client, in a metrics library |
//!
//! The observers of the module [`watch`](crate::watch) look at spans while they are open.
//!
//! # How do I write one?
//!
//! A type that implements [`SpanObserver`]. This one counts the failures of each operation:
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex, PoisonError};
//! use tracehound::JaegerTracer;
//! use tracehound::observer::{ObservedSpan, SpanObserver};
//! use tracehound::prelude::*;
//! use tracehound::sampler::ConstSampler;
//!
//! #[derive(Clone, Default)]
//! struct Failures(Arc<Mutex<HashMap<String, u64>>>);
//!
//! impl SpanObserver for Failures {
//!     fn on_finish(&self, span: &ObservedSpan<'_>) {
//!         if span.is_error() {
//!             let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!             *failures.entry(span.operation_name().to_owned()).or_default() += 1;
//!         }
//!     }
//! }
//!
//! let failures = Failures::default();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(false)) // no trace is kept
//!     .observer(failures.clone())
//!     .build()?;
//! tracer.start_span("charge").set_tag("error", true);
//! assert_eq!(failures.0.lock().expect("no panic")["charge"], 1);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # What does it see of a span that is not sampled?
//!
//! Such a span keeps no tags. Of an observed span the tracer notes the tags `span.kind`, `error`, `http.status_code`
//! (or `http.response.status_code`) and `rpc.grpc.status_code` as they are set, at the start or later, and hands them
//! over at the end. No other tag can be seen.
//!
//! # What does it cost?
//!
//! Without an observer, nothing: spans execute the same instructions. With one, each span costs two calls through
//! pointers beside the observer's own work, and a span that is not sampled reads the clock at its end.

mod red;
mod rpc;

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::{Place, SpanId, SpanKind, TraceId};
use crate::record::Observation;
use crate::services::Services;

pub use red::{OperationMetrics, RedMetrics};
pub use rpc::RpcMetrics;

/// A part that is told of the start and the end of every span of a tracer, sampled or not.
///
/// The tracer calls it on the thread that starts or finishes the span, and holds no lock meanwhile. So it should be
/// quick, and must not wait for that thread. A panic is caught and counted
/// ([`Counter::CallbackPanics`](crate::metrics::Counter::CallbackPanics)); after a hundred panics the observer is not
/// called any more.
///
/// A span that was open at a fork is told to the observer in the parent process alone.
///
/// The page of the [module](self) has an example.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::diagnostics::Diagnostics;
/// use tracehound::observer::{ObservedSpan, SpanObserver};
/// use tracehound::prelude::*;
/// use tracehound::services::Services;
///
/// /// Writes a line for each request that fails on a server.
/// #[derive(Default)]
/// struct Failures(Option<Diagnostics>);
///
/// impl SpanObserver for Failures {
///     fn attach(&mut self, services: &Services) {
///         self.0 = Some(services.diagnostics().clone());
///     }
///
///     fn on_finish(&self, span: &ObservedSpan<'_>) {
///         if let (true, Some(diagnostics)) = (span.is_error(), &self.0) {
///             diagnostics.say(&format!("{} failed", span.operation_name()));
///         }
///     }
/// }
///
/// let tracer = JaegerTracer::builder("shop").observer(Failures::default()).build()?;
/// tracer.start_span("charge").set_tag("error", true);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub trait SpanObserver: Send + Sync {
    /// Takes the tracer's services: where to count and to warn, what time it is. The tracer's builder calls it once,
    /// before anything else. By default does nothing.
    fn attach(&mut self, _services: &Services) {}

    /// Returns whether [`on_start`](Self::on_start) should be called. The tracer's builder asks once. By default false.
    fn watches_starts(&self) -> bool {
        false
    }

    /// Takes note of a span that has just started, with its start tags. Only called if an observer of the tracer
    /// [watches starts](Self::watches_starts). By default does nothing.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicI64, Ordering};
    /// use tracehound::JaegerTracer;
    /// use tracehound::observer::{ObservedSpan, SpanObserver};
    /// use tracehound::prelude::*;
    ///
    /// /// The number of spans that are open.
    /// #[derive(Clone, Default)]
    /// struct InFlight(Arc<AtomicI64>);
    ///
    /// impl SpanObserver for InFlight {
    ///     fn watches_starts(&self) -> bool {
    ///         true
    ///     }
    ///
    ///     fn on_start(&self, _: &ObservedSpan<'_>) {
    ///         self.0.fetch_add(1, Ordering::Relaxed);
    ///     }
    ///
    ///     fn on_finish(&self, _: &ObservedSpan<'_>) {
    ///         self.0.fetch_sub(1, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let in_flight = InFlight::default();
    /// let tracer = JaegerTracer::builder("shop").observer(in_flight.clone()).build()?;
    /// let span = tracer.start_span("checkout");
    /// assert_eq!(in_flight.0.load(Ordering::Relaxed), 1);
    /// drop(span);
    /// assert_eq!(in_flight.0.load(Ordering::Relaxed), 0);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    fn on_start(&self, _span: &ObservedSpan<'_>) {}

    /// Takes note of a span that has finished. Called once for each span, however it ends.
    fn on_finish(&self, span: &ObservedSpan<'_>);
}

impl SpanObserver for Box<dyn SpanObserver> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn watches_starts(&self) -> bool {
        (**self).watches_starts()
    }

    fn on_start(&self, span: &ObservedSpan<'_>) {
        (**self).on_start(span);
    }

    fn on_finish(&self, span: &ObservedSpan<'_>) {
        (**self).on_finish(span);
    }
}

/// The part of a span that an observer sees, as of its start or its end.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use std::time::SystemTime;
/// use tracehound::JaegerTracer;
/// use tracehound::model::SpanKind;
/// use tracehound::observer::{ObservedSpan, SpanObserver};
/// use tracehound::prelude::*;
/// use tracehound::sampler::ConstSampler;
///
/// /// An access log: a line for each request, whether its trace is kept or not.
/// #[derive(Clone, Default)]
/// struct AccessLog(Arc<Mutex<Vec<String>>>);
///
/// impl SpanObserver for AccessLog {
///     fn watches_starts(&self) -> bool {
///         true
///     }
///
///     fn on_start(&self, span: &ObservedSpan<'_>) {
///         assert!(span.is_local_root() && span.is_implicit_root());
///         assert!(span.start_time() <= SystemTime::now());
///     }
///
///     fn on_finish(&self, span: &ObservedSpan<'_>) {
///         if span.kind() == Some(SpanKind::Server) {
///             let status = span.http_status().or(span.grpc_status().map(u16::from)).unwrap_or(0);
///             let line = format!("{} {status} {:?}", span.operation_name(), span.is_sampled());
///             self.0.lock().expect("no panic").push(line);
///             println!("{}:{} took {:?}", span.trace_id(), span.span_id(), span.duration());
///         }
///     }
/// }
///
/// let log = AccessLog::default();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(false))
///     .observer(log.clone())
///     .build()?;
/// let request = tracer.build_span("GET /cart").tag("span.kind", "server").start();
/// request.set_tag("http.status_code", 404);
/// request.finish();
/// assert_eq!(*log.0.lock().expect("no panic"), ["GET /cart 404 Some(false)"]);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy)]
pub struct ObservedSpan<'a> {
    facts: &'a Observation<'a>,
}

impl<'a> ObservedSpan<'a> {
    #[inline(always)]
    pub(crate) fn new(facts: &'a Observation<'a>) -> Self {
        Self { facts }
    }

    /// Returns the name of the operation as of now.
    #[inline]
    pub fn operation_name(&self) -> &'a str {
        self.facts.operation_name
    }

    /// Returns the id of the trace.
    #[inline]
    pub fn trace_id(&self) -> TraceId {
        self.facts.header.trace_id
    }

    /// Returns the id of the span.
    #[inline]
    pub fn span_id(&self) -> SpanId {
        self.facts.header.span_id
    }

    /// Returns whether this is the first span of its trace in this process.
    #[inline]
    pub fn is_local_root(&self) -> bool {
        self.facts.is_local_root
    }

    /// Returns whether the trace is kept, or `None` while its sampler has not decided.
    #[inline]
    pub fn is_sampled(&self) -> Option<bool> {
        self.facts.is_sampled
    }

    /// Returns the side of a call that the span stands for: the last value of `span.kind`. Returns `None` if it is not
    /// set.
    #[inline]
    pub fn kind(&self) -> Option<SpanKind> {
        self.facts.facts.kind()
    }

    /// Returns whether the span has failed: the last value of `error`, as a truth value or as a text that Go's
    /// `strconv.ParseBool` takes (`1`, `t`, `T`, `true`, `True`, `TRUE`). [`Span::log_error`](crate::Span::log_error)
    /// and a panic set it too.
    #[inline]
    pub fn is_error(&self) -> bool {
        self.facts.facts.is_error()
    }

    /// Returns the HTTP status: the last value of `http.status_code` or `http.response.status_code`, a number or its
    /// text. Of a larger number the lower 16 bits count, as in Jaeger's Go client.
    #[inline]
    pub fn http_status(&self) -> Option<u16> {
        self.facts.facts.http_status()
    }

    /// Returns the gRPC status: the last value of `rpc.grpc.status_code`, a number from 0 to 254 or its text.
    #[inline]
    pub fn grpc_status(&self) -> Option<u8> {
        self.facts.facts.grpc_status()
    }

    /// Returns where the program starts the span: the place of the call of
    /// [`start_span`](crate::TracerExt::start_span) or [`build_span`](crate::TracerExt::build_span).
    ///
    /// A span of the crate `tracing` has the place of its macro. A span of a layer for HTTP or gRPC has the place at
    /// which the program makes the layer. Other spans that this library starts have none, and neither have spans of
    /// OpenTelemetry's API. The place is known in [`on_start`](SpanObserver::on_start) only.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::observer::{ObservedSpan, SpanObserver};
    /// use tracehound::prelude::*;
    ///
    /// /// Prints where each span starts.
    /// struct Places;
    ///
    /// impl SpanObserver for Places {
    ///     fn watches_starts(&self) -> bool {
    ///         true
    ///     }
    ///
    ///     fn on_start(&self, span: &ObservedSpan<'_>) {
    ///         if let Some(place) = span.place() {
    ///             println!("{}:{} starts {}", place.file(), place.line(), span.operation_name());
    ///         }
    ///     }
    ///
    ///     fn on_finish(&self, span: &ObservedSpan<'_>) {
    ///         assert!(span.place().is_none());
    ///     }
    /// }
    ///
    /// let tracer = JaegerTracer::builder("shop").observer(Places).build()?;
    /// tracer.start_span("checkout").finish(); // src/main.rs:29 starts checkout
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn place(&self) -> Option<Place> {
        let place = self.facts.start?.place?;
        (!place.file().starts_with(OWN_SOURCES)).then_some(place)
    }

    /// Returns whether the span is the root of a trace only because nothing was active on its thread: the program has
    /// named no parent, and has not asked for a root by
    /// [`ignore_active_span`](crate::tracer::SpanBuilder::ignore_active_span) or
    /// [`new_trace`](crate::tracer::SpanBuilder::new_trace). Known in [`on_start`](SpanObserver::on_start) only.
    pub fn is_implicit_root(&self) -> bool {
        self.facts.start.is_some_and(|start| start.is_implicit_root)
    }

    /// Returns when the span started.
    pub fn start_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.facts.header.start.max(0).unsigned_abs())
    }

    /// Returns how long the span has lasted: zero at its start, and at its end if that is before the start.
    #[inline]
    pub fn duration(&self) -> Duration {
        Duration::from_nanos(self.facts.duration)
    }
}

impl ObservedSpan<'_> {
    /// Returns the start as ticks of the tracer's clock, in [`SpanObserver::on_start`] only.
    pub(crate) fn start_ticks(&self) -> Option<i64> {
        self.facts.start.map(|start| start.ticks)
    }

    /// Returns the start in nanoseconds since the epoch.
    pub(crate) fn start_nanos(&self) -> i64 {
        self.facts.header.start
    }

    /// Returns the name if it is static: its address and length then tell it from all others.
    #[inline(always)]
    pub(crate) fn static_name(&self) -> Option<&'static str> {
        match self.facts.operation_name {
            Cow::Borrowed(name) => Some(name),
            Cow::Owned(_) => None,
        }
    }

    /// Returns the duration in nanoseconds.
    #[inline(always)]
    pub(crate) fn nanos(&self) -> u64 {
        self.facts.duration
    }
}

impl fmt::Debug for ObservedSpan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace_id, span_id) = (self.trace_id(), self.span_id());
        f.debug_struct("ObservedSpan")
            .field("id", &format_args!("{trace_id}:{span_id}"))
            .field("operation_name", &self.operation_name())
            .field("kind", &self.kind())
            .field("is_error", &self.is_error())
            .field("is_sampled", &self.is_sampled())
            .field("duration", &self.duration())
            .finish()
    }
}

/// The folder of this library's sources, as the compiler names it, with a separator at the end.
const OWN_SOURCES: &str = {
    let this = file!();
    let folder = this.len() - "observer/mod.rs".len();
    this.split_at(folder).0
};
