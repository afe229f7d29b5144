use std::fmt;
use std::num::NonZeroU64;
use std::sync::OnceLock;

use crate::panics::caught;
use crate::span::{Span, SpanContext};

/// The active spans of another tracing library, so that its spans and ours become parents of each other.
///
/// A crate that joins such a library to this one implements it and hands it to [`set_foreign_context`].
/// `tracehound-opentelemetry` does so for OpenTelemetry's `Context`.
///
/// # Which of the two is the parent
///
/// Each scope of ours remembers the [mark](Self::mark) of what the other library had active when the scope began. As
/// long as the mark is the same, the span of the scope is the inner one. As soon as it differs, the span or context
/// that is active in the other library is: it was activated later. If nothing is active there, our innermost scope
/// counts.
///
/// ```
/// use std::cell::Cell;
/// use std::num::NonZeroU64;
/// use tracehound::JaegerTracer;
/// use tracehound::SpanContext;
/// use tracehound::model::{Flags, SpanId, TraceId};
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::{
///     ForeignActive, ForeignContext, SetForeignContextError, active_context, set_foreign_context,
/// };
///
/// thread_local! {
///     /// The id of the span that is active in the other library, or 0.
///     static OTHER: Cell<u64> = const { Cell::new(0) };
/// }
///
/// struct Other;
///
/// impl ForeignContext for Other {
///     fn mark(&self) -> Option<NonZeroU64> {
///         OTHER.try_with(|id| NonZeroU64::new(id.get())).ok().flatten()
///     }
///
///     fn active(&self) -> Option<ForeignActive> {
///         let span_id = SpanId::new(self.mark()?.get())?;
///         let context = SpanContext::new(TraceId::new(0, 7)?, span_id, None, Flags::SAMPLED);
///         Some(ForeignActive::Context(context))
///     }
/// }
///
/// set_foreign_context(Other)?;
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let ours = tracer.start_active_span("ours");
/// assert_eq!(active_context(), ours.context());
/// OTHER.set(5);
/// assert_eq!(active_context().span_id(), SpanId::new(5));
/// OTHER.set(0);
/// assert_eq!(active_context(), ours.context());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a method must not do
///
/// Both methods run whenever a span starts or is looked up, so they must be fast. They must not look at active spans,
/// such as by [`active_span`](crate::scope::active_span), because that would call them again without an end. If one
/// panics, the panic is caught and nothing is active in the other library.
pub trait ForeignContext: Send + Sync {
    /// Returns a number that identifies what is active on this thread, or `None` if nothing is.
    ///
    /// It differs for different spans. For a span that is activated twice it may be the same.
    fn mark(&self) -> Option<NonZeroU64>;

    /// Returns what is active on this thread.
    fn active(&self) -> Option<ForeignActive>;
}

/// An active span or context of another library: the parent of spans that start here.
///
/// ```
/// use tracehound::SpanContext;
/// use tracehound::model::{Flags, SpanId, TraceId};
/// use tracehound::scope::ForeignActive;
///
/// /// Translates the ids of another library.
/// fn translated(trace_id: u128, span_id: u64) -> Option<ForeignActive> {
///     let trace_id = TraceId::new((trace_id >> 64) as u64, trace_id as u64)?;
///     let context = SpanContext::new(trace_id, SpanId::new(span_id)?, None, Flags::SAMPLED);
///     Some(ForeignActive::Context(context))
/// }
///
/// assert!(matches!(translated(7, 5), Some(ForeignActive::Context(_))));
/// assert!(translated(7, 0).is_none(), "no span has the id 0");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ForeignActive {
    /// A span of this process. [`active_span`](crate::scope::active_span) returns a handle to it that does not own it.
    Span(Span),
    /// A context without a span that takes tags and logs.
    Context(SpanContext),
}

/// Makes the spans that are active in another library the parents of ours. Only the first call in a process succeeds,
/// because a thread cannot tell which of two other libraries has activated its span later.
///
/// # Errors
///
/// Returns [`SetForeignContextError`] if there is another library already.
///
/// The page of [`ForeignContext`] has a whole example.
///
/// ```
/// use std::num::NonZeroU64;
/// use tracehound::scope::{ForeignActive, ForeignContext, set_foreign_context};
///
/// /// A library in which nothing is ever active.
/// struct Idle;
///
/// impl ForeignContext for Idle {
///     fn mark(&self) -> Option<NonZeroU64> {
///         None
///     }
///
///     fn active(&self) -> Option<ForeignActive> {
///         None
///     }
/// }
///
/// assert!(set_foreign_context(Idle).is_ok());
/// let error = set_foreign_context(Idle).expect_err("there is one already");
/// println!("{error}");
/// ```
pub fn set_foreign_context(
    foreign: impl ForeignContext + 'static,
) -> Result<(), SetForeignContextError> {
    FOREIGN
        .set(Box::new(foreign))
        .map_err(|_| SetForeignContextError(()))
}

/// The error of [`set_foreign_context`]: spans of another library are parents of ours already.
///
/// ```
/// use tracehound::scope::SetForeignContextError;
///
/// /// Tells an operator that spans of the other library are traces of their own.
/// fn report(error: &SetForeignContextError) {
///     eprintln!("OpenTelemetry's spans are not joined: {error}");
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetForeignContextError(());

impl fmt::Display for SetForeignContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("spans of another library are parents of ours already")
    }
}

impl std::error::Error for SetForeignContextError {}

static FOREIGN: OnceLock<Box<dyn ForeignContext>> = OnceLock::new();

/// The mark of what was active in the other library when a scope began.
pub(super) type Mark = Option<NonZeroU64>;

/// Returns the mark of what is active in the other library now.
#[inline(always)]
pub(super) fn mark() -> Mark {
    FOREIGN.get().and_then(|foreign| mark_of(&**foreign))
}

/// Returns what is active in the other library, if it was activated after our innermost scope, whose mark `top_mark`
/// returns.
#[inline(always)]
pub(super) fn activated_after<A: From<ForeignActive>>(
    top_mark: impl FnOnce() -> Option<Mark>,
) -> Option<A> {
    let foreign = FOREIGN.get()?;
    let mark = mark_of(&**foreign)?;
    if top_mark() == Some(Some(mark)) {
        return None;
    }
    active_of(&**foreign).map(A::from)
}

#[inline(never)]
fn mark_of(foreign: &dyn ForeignContext) -> Mark {
    caught(|| foreign.mark()).flatten()
}

#[inline(never)]
fn active_of(foreign: &dyn ForeignContext) -> Option<ForeignActive> {
    caught(|| foreign.active()).flatten()
}
