use std::fmt;
use std::sync::Arc;

use crate::diagnostics::Quoted;
use crate::model::Place;
use crate::watch::orphans::loss::Loss;

/// A root span that should have had a parent, by all that is known. [`Orphans::list`](crate::watch::Orphans::list) has
/// one for each place.
///
/// Its `Display` is one line. It says what is known, and no more.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::diagnostics::Diagnostics;
/// use tracehound::prelude::*;
/// use tracehound::watch::Orphans;
///
/// let orphans = Orphans::new();
/// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
/// let tracer = builder.observer(orphans.clone()).build()?;
/// let checkout = tracer.start_active_span("checkout");
/// let lost = orphans.watched(|| tracer.start_span("charge").finish());
/// std::thread::scope(|threads| threads.spawn(lost).join()).expect("no panic");
/// let orphan = &orphans.list()[0];
/// assert!(orphan.is_proven() && orphan.spawned_at.is_some());
/// assert_eq!((orphan.operation_name.as_str(), orphan.count), ("charge", 1));
/// # drop(checkout);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Orphan {
    /// The name of the operation, at most 256 characters of it.
    pub operation_name: String,
    /// The place in the program that starts the span, as [observers](crate::observer::ObservedSpan::place) see it.
    pub place: Option<Place>,
    /// The place that spawned the work in which the span starts, while a span or a context was active. `None` if that
    /// is not known, and the orphan is only suspected.
    pub spawned_at: Option<Place>,
    /// The number of spans that have started so.
    pub count: u64,
    pub(super) reason: Reason,
}

/// The evidence for an orphan.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Reason {
    Loss(Arc<Loss>),
    /// A suspicion: this number of other spans was open.
    OpenSpans(u64),
}

impl Orphan {
    /// Returns whether it is known that a context was lost, and where. Else it is only suspected.
    pub fn is_proven(&self) -> bool {
        matches!(self.reason, Reason::Loss(_))
    }
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(&self.operation_name))?;
        if let Some(place) = self.place {
            write!(f, " at {place}")?;
        }
        f.write_str(" starts a trace of its own: ")?;
        match &self.reason {
            Reason::Loss(loss) => write!(
                f,
                "{loss}, and no context is active in it now; hand it over there (in_active_span), or start the span with \
                 ignore_active_span() if it belongs to no trace"
            ),
            Reason::OpenSpans(1) => self.write_suspicion(f, "one other span is"),
            Reason::OpenSpans(n) => self.write_suspicion(f, &format!("{n} other spans are")),
        }
    }
}

impl Orphan {
    fn write_suspicion(&self, f: &mut fmt::Formatter<'_>, others: &str) -> fmt::Result {
        write!(
            f,
            "no context is active here, while {others} open in this process; if it belongs to one of these, a context was \
             lost on the way, else start the span with ignore_active_span()"
        )
    }
}
