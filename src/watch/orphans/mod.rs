//! Roots that should have had a parent.

mod found;
mod loss;
mod orphan;
#[cfg(all(feature = "tokio", tokio_unstable))]
mod tasks;
mod watched;

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crate::diagnostics::Diagnostics;
use crate::metrics::{MetricsPage, MetricsSource};
use crate::observer::{ObservedSpan, SpanObserver};
use crate::scope::mark_nothing;
use crate::services::Services;
use crate::sync::PerProcess;
use crate::watch::orphans::found::{Found, News};
use crate::watch::orphans::orphan::Reason;

pub use orphan::Orphan;
#[cfg(all(feature = "tokio", tokio_unstable))]
pub use tasks::TaskHooks;
pub use watched::WatchedFuture;

/// An observer that notices spans which have lost their trace on the way to another thread or task. It says so in a
/// line, once for each place. Cheap to clone; clones share everything.
///
/// A span without a parent starts a trace of its own. That is right for a request that comes in, and wrong for a piece
/// of its work that was moved to a thread or a task without its context. The two look alike; this observer tells them
/// apart as far as that can be known:
///
/// | way | notices | knows |
/// |---|---|---|
/// | `watch` a tokio runtime (`--cfg tokio_unstable`) | work that `tokio::spawn` moves | that a span was active at the spawn, and where that was |
/// | [`watched`](Self::watched), [`watched_future`](Self::watched_future) | work that goes through your own code | the same, and the place is that of the call |
/// | [`suspects`](Self::suspects) | all work | only that other spans are open in this process: a suspicion |
///
/// A root is never reported if the program has asked for it
/// ([`ignore_active_span`](crate::tracer::SpanBuilder::ignore_active_span),
/// [`new_trace`](crate::tracer::SpanBuilder::new_trace), a caller's context), if something is active on its thread, or
/// if [`scope`](crate::scope) has handed over on purpose that nothing is active.
///
/// Spans of the crate `tracing` and of OpenTelemetry's API are not reported: their bridges look for the parent
/// themselves.
///
/// A scope that is held across an `.await` on a runtime of one thread is active for every task of it. Spans then get a
/// parent that is not theirs, which is not noticed here.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::diagnostics::Diagnostics;
/// use tracehound::prelude::*;
/// use tracehound::scope::in_active_span;
/// use tracehound::watch::Orphans;
///
/// let orphans = Orphans::new();
/// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
/// let tracer = builder.observer(orphans.clone()).build()?;
/// let checkout = tracer.start_active_span("checkout");
/// let lost = orphans.watched(|| tracer.start_span("charge").finish());
/// let kept = orphans.watched(in_active_span(|| tracer.start_span("pack").finish()));
/// std::thread::scope(|threads| {
///     threads.spawn(lost);
///     threads.spawn(kept);
/// });
/// assert_eq!(orphans.proven(), 1);
/// let line = orphans.list()[0].to_string();
/// assert!(line.starts_with(r#""charge""#));
/// assert!(line.contains(r#" while "checkout" was active"#));
/// # drop(checkout);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// # What does it cost?
///
/// Two calls for each span. It is meant for tests and for a look at a program that misbehaves. Of more than 1 000
/// places the further ones are only counted. A forked child begins anew.
#[derive(Clone)]
pub struct Orphans {
    shared: Arc<Shared>,
}

struct Shared {
    suspects: bool,
    found: PerProcess<Found>,
    /// The lines of the first tracer.
    diagnostics: OnceLock<Diagnostics>,
}

impl Orphans {
    /// Makes an observer that has found nothing, and only reports what is known.
    pub fn new() -> Self {
        Self::with_parts(false)
    }

    /// Sets whether roots are suspected, too: a span that starts a trace while nothing is active on its thread and
    /// other spans are open in the process. It may well be right; then
    /// [`ignore_active_span`](crate::tracer::SpanBuilder::ignore_active_span) says so in the program, and there is no
    /// suspicion any more.
    ///
    /// Each span then changes a count that all threads share. The result is another observer. Defaults to false.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::Orphans;
    ///
    /// let orphans = Orphans::new().suspects(true);
    /// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
    /// let tracer = builder.observer(orphans.clone()).build()?;
    /// let request = tracer.start_span("request"); // is not made active
    /// tracer.start_span("query").finish();
    /// tracer.build_span("tick").ignore_active_span().start().finish();
    /// assert_eq!((orphans.suspected(), orphans.proven()), (1, 0));
    /// # drop(request);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn suspects(self, suspects: bool) -> Self {
        Self::with_parts(suspects)
    }

    fn with_parts(suspects: bool) -> Self {
        Self {
            shared: Arc::new(Shared {
                suspects,
                found: PerProcess::new(Found::default()),
                diagnostics: OnceLock::new(),
            }),
        }
    }

    /// Returns how many spans have lost their trace for certain.
    pub fn proven(&self) -> u64 {
        self.found().proven.load(Ordering::Relaxed)
    }

    /// Returns how many spans are suspected to have lost their trace. They do not count as proven.
    pub fn suspected(&self) -> u64 {
        self.found().suspected.load(Ordering::Relaxed)
    }

    /// Returns the first orphan of each place, those that came most often first.
    pub fn list(&self) -> Vec<Orphan> {
        self.found().list()
    }

    fn found(&self) -> &Found {
        self.shared.found.get(|_| Found::default())
    }

    fn report(&self, span: &ObservedSpan<'_>, reason: Reason) {
        let spawned_at = match &reason {
            Reason::Loss(loss) => Some(loss.place.into()),
            Reason::OpenSpans(_) => None,
        };
        let orphan = Orphan {
            operation_name: span.operation_name().chars().take(MAX_CHARS).collect(),
            place: span.place(),
            spawned_at,
            count: 1,
            reason,
        };
        let news = self.found().add(&orphan);
        if let Some(diagnostics) = self.shared.diagnostics.get() {
            match news {
                News::First => diagnostics.warn_once(&orphan.to_string()),
                News::FirstOfTooMany => diagnostics.warn_once(
                    "spans start traces of their own in too many places; further ones are only counted",
                ),
                News::Nothing => {}
            }
        }
    }
}

impl SpanObserver for Orphans {
    fn attach(&mut self, services: &Services) {
        let diagnostics = || services.diagnostics().clone();
        self.shared.diagnostics.get_or_init(diagnostics);
        mark_nothing();
    }

    fn watches_starts(&self) -> bool {
        true
    }

    fn on_start(&self, span: &ObservedSpan<'_>) {
        let others = match self.shared.suspects {
            true => self.found().open.fetch_add(1, Ordering::Relaxed),
            false => 0,
        };
        if span.is_implicit_root() {
            match loss::current() {
                Some(loss) => self.report(span, Reason::Loss(loss)),
                None if others > 0 => self.report(span, Reason::OpenSpans(others)),
                None => {}
            }
        }
    }

    fn on_finish(&self, _: &ObservedSpan<'_>) {
        if self.shared.suspects {
            self.found().open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl MetricsSource for Orphans {
    fn write_to(&self, page: &mut MetricsPage) {
        page.counter(
            "tracehound_orphan_roots",
            "Roots that have lost their trace on the way to another thread or task.",
            [
                (&[("certainty", "proven")][..], self.proven()),
                (&[("certainty", "suspected")][..], self.suspected()),
            ],
        );
    }
}

impl Default for Orphans {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Orphans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orphans")
            .field("proven", &self.proven())
            .field("suspected", &self.suspected())
            .finish_non_exhaustive()
    }
}

const MAX_CHARS: usize = 256;
