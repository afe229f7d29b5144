//! Throttlers: how many debug traces callers may force.
//!
//! A debug trace is kept whatever the sampler says, and by a backend that thins traces out, too. It is asked for by the
//! header `jaeger-debug-id` of a request without a trace, by a debug flag without ids (B3), and by the tag
//! [`sampling.priority`](crate::model::tags::SAMPLING_PRIORITY) above 0. So who can send a header can have every
//! request traced. A throttler bounds that:
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::NullReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::throttler::DebugLimiter;
//!
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(false))
//!     .throttler(DebugLimiter::new()) // one a second for each operation, ten in all
//!     .reporter(NullReporter::new())
//!     .build()?;
//! let request = [("jaeger-debug-id", "find-me")];
//! let caller = tracer.extract(&request)?;
//! let is_debug = || tracer.build_span("pay").child_of(&caller).start().context().is_debug();
//! assert!(is_debug());
//! assert!(!is_debug());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which one do I want?
//!
//! | throttler | allows | suits |
//! |---|---|---|
//! | none, the default | every debug trace, as all other Jaeger clients do | services that strangers cannot reach |
//! | [`DebugLimiter`] | a number a second, for each operation and in all | all others |
//! | `RemoteThrottler`, with the feature `remote-sampler` | what an agent grants credits for | agents of your own: no open Jaeger backend grants credits |
//!
//! [`Trust`](crate::propagation::Trust) is the other way: it makes a server ignore the debug flags and debug ids of
//! strangers altogether.
//!
//! # What happens to a request that is denied?
//!
//! It is traced as any other. A debug id or a debug flag is ignored: the sampler decides about the new root, and the
//! root has no tag `jaeger-debug-id`. Baggage is kept. The tag `sampling.priority` changes nothing and is not recorded.
//! Each denial is counted as [`ThrottledDebugSpans`](crate::metrics::Counter::ThrottledDebugSpans), and a diagnostic
//! line tells of it at most once in ten seconds.
//!
//! # What is not throttled?
//!
//! A caller's trace that has the debug flag already (`uber-trace-id` with flags 3) goes on as such, so that no trace
//! has holes. What a server believes of a caller's flags is up to [`Trust`](crate::propagation::Trust).

#[cfg(feature = "remote-sampler")]
mod accounts;
mod debug_limiter;
#[cfg(feature = "remote-sampler")]
mod remote;

pub use self::debug_limiter::DebugLimiter;
#[cfg(feature = "remote-sampler")]
pub use self::remote::RemoteThrottler;

use crate::services::Services;

/// A policy that decides whether a debug trace may be forced now.
///
/// The tracer calls it on the program's threads and holds no lock meanwhile. A panic is caught and counted, and means
/// no. After a hundred panics the throttler is not called any more, and no debug trace is allowed.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::throttler::Throttler;
///
/// /// Allows debug traces of everything but health checks.
/// struct NoHealthChecks;
///
/// impl Throttler for NoHealthChecks {
///     fn is_allowed(&self, operation_name: &str) -> bool {
///         operation_name != "GET /health"
///     }
/// }
///
/// let tracer = JaegerTracer::builder("shop").throttler(NoHealthChecks).build()?;
/// let span = tracer.start_span("GET /health");
/// span.set_tag("sampling.priority", 1);
/// assert!(!span.context().is_debug());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub trait Throttler: Send + Sync {
    /// Takes the tracer's services: where to count and to warn, what time it is. The tracer's builder calls it once,
    /// before anything else. By default does nothing.
    ///
    /// A forked child shares the throttler with its parent: see [`Services::generation`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::clock::Clock;
    /// use tracehound::model::Process;
    /// use tracehound::services::Services;
    /// use tracehound::throttler::Throttler;
    ///
    /// /// Allows no debug traces in the first minute, while caches are cold.
    /// #[derive(Default)]
    /// struct AfterWarmUp {
    ///     clock: Option<(Clock, Duration)>,
    /// }
    ///
    /// impl Throttler for AfterWarmUp {
    ///     fn attach(&mut self, services: &Services) {
    ///         let clock = services.clock().clone();
    ///         let started = clock.monotonic();
    ///         self.clock = Some((clock, started));
    ///     }
    ///
    ///     fn is_allowed(&self, _operation_name: &str) -> bool {
    ///         let Some((clock, started)) = &self.clock else { return false };
    ///         clock.monotonic() - *started >= Duration::from_secs(60)
    ///     }
    ///
    ///     fn close(&self) {
    ///         // nothing to stop
    ///     }
    /// }
    ///
    /// let mut throttler = AfterWarmUp::default();
    /// throttler.attach(&Services::detached(Process::new("shop", vec![])));
    /// assert!(!throttler.is_allowed("GET /cart"));
    /// ```
    fn attach(&mut self, _services: &Services) {}

    /// Returns whether a debug trace may be forced at a span with this name. Each call that returns true starts one.
    fn is_allowed(&self, operation_name: &str) -> bool;

    /// Takes note that the tracer closes. Called once; by default does nothing.
    fn close(&self) {}
}

impl Throttler for Box<dyn Throttler> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn is_allowed(&self, operation_name: &str) -> bool {
        (**self).is_allowed(operation_name)
    }

    fn close(&self) {
        (**self).close();
    }
}
