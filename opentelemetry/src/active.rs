//! The active spans of a thread: that of OpenTelemetry's context and that of tracehound.

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::trace::TraceContextExt as _;
use tracehound::model::{SpanId, TraceId};
use tracehound::scope::{
    ForeignActive, ForeignContext, active_context, active_span, set_foreign_context,
};
use tracehound::{Span, SpanContext};

use crate::baggage;
use crate::extracted::Extracted;
use crate::{TracehoundSpan, identity, open_spans};

/// Returns the current [`Context`] of this thread with the innermost active span in it, which may be one of
/// tracehound's.
///
/// `Context::current` knows spans of OpenTelemetry only. Use this one to hand a span of tracehound to code that takes a
/// `Context`: to the wrapper of a future, to an exporter of logs or metrics that notes ids of traces.
///
/// The context does not own the span: it keeps no request open. It has the baggage of the span, too.
///
/// ```
/// use opentelemetry::trace::TraceContextExt;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound_opentelemetry::{TracehoundProvider, current_context};
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let _provider = TracehoundProvider::new(tracer.clone());
/// let span = tracer.start_active_span("checkout");
/// let cx = current_context();
/// let trace_id = cx.span().span_context().trace_id().to_string();
/// assert!(trace_id.ends_with(&span.context().to_trace_id()));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub fn current_context() -> Context {
    let cx = with_current(Context::clone).unwrap_or_default();
    let context = active_context();
    let is_there = identity::ids(cx.span().span_context()) == ids(&context);
    if context.is_empty() || is_there && context.has_trace() {
        return cx;
    }
    let span = active_span();
    if !span.is_noop() {
        return context_with_span(&cx, &span);
    }
    Extracted::put(&cx, joined(context, &cx))
}

/// Returns a [`Context`] with a span of tracehound in it, which it does not own, and with the baggage of that span.
///
/// ```
/// use opentelemetry::Context;
/// use opentelemetry::trace::{FutureExt, Tracer as _, TracerProvider};
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound_opentelemetry::{TracehoundProvider, context_with_span};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let library = TracehoundProvider::new(tracer.clone()).tracer("library");
///
/// let span = tracer.start_span("checkout");
/// let work = async { library.in_span("query", |_cx| ()) };
/// work.with_context(context_with_span(&Context::new(), &span)).await;
/// span.finish();
/// assert_eq!(spans.tree(), "checkout\n  query");
/// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn context_with_span(cx: &Context, span: &Span) -> Context {
    let context = joined(span.context(), cx);
    let cx = cx.with_span(TracehoundSpan::lent(span));
    if context.baggage().is_empty() {
        cx
    } else {
        cx.with_baggage(baggage::to_otel(context.baggage()))
    }
}

/// Returns a parent's context with the baggage of a `Context` joined to its own.
fn joined(parent: SpanContext, cx: &Context) -> SpanContext {
    baggage::joined(parent, cx, Extracted::of(cx).map(SpanContext::baggage))
}

fn ids(context: &SpanContext) -> Option<(TraceId, SpanId)> {
    context.trace_id().zip(context.span_id())
}

/// Makes spans of OpenTelemetry the parents of ours. Returns false if another library has taken that place.
pub(crate) fn join() -> bool {
    static IS_JOINED: OnceLock<bool> = OnceLock::new();
    *IS_JOINED.get_or_init(|| set_foreign_context(OpenTelemetry).is_ok())
}

/// Returns the parent of what starts in a `Context`, or of what is sent from it; an empty context if it is a root.
///
/// A context whose span is the current one, or that has none while there is no current one, stands for all that is
/// active: the span of either side that was activated last. Any other context stands for itself alone.
pub(crate) fn parent_in(cx: &Context) -> SpanContext {
    let parent = if asks_for_root(cx) {
        SpanContext::default()
    } else if is_current(cx) {
        active_context()
    } else {
        active_in(cx).map(context_of).unwrap_or_default()
    };
    joined(parent, cx)
}

/// Whether a context has an invalid span, which is the way to ask for a root.
fn asks_for_root(cx: &Context) -> bool {
    cx.has_active_span() && !cx.span().span_context().is_valid()
}

fn is_current(cx: &Context) -> bool {
    let mark = mark_of(cx);
    // Without a hook, what is active on our side knows nothing of a span of theirs.
    (join() || mark.is_none()) && with_current(|current| mark_of(current) == mark).unwrap_or(false)
}

/// The part of OpenTelemetry's current context that tracehound looks at.
struct OpenTelemetry;

impl ForeignContext for OpenTelemetry {
    fn mark(&self) -> Option<NonZeroU64> {
        with_current(mark_of).flatten()
    }

    fn active(&self) -> Option<ForeignActive> {
        with_current(active_in).flatten()
    }
}

/// Returns a number that identifies the span in a context, or what was extracted without a trace.
fn mark_of(cx: &Context) -> Option<NonZeroU64> {
    let span = cx.span();
    let context = span.span_context();
    if context.is_valid() {
        return NonZeroU64::new(u64::from_be_bytes(context.span_id().to_bytes()));
    }
    let extracted = Extracted::of(cx).filter(|extracted| !extracted.has_trace())?;
    NonZeroU64::new(std::ptr::from_ref(extracted).addr() as u64)
}

/// Returns the span or the remote parent in a context.
fn active_in(cx: &Context) -> Option<ForeignActive> {
    let span = cx.span();
    let context = span.span_context();
    let extracted = Extracted::of(cx);
    if !context.is_valid() {
        let container = extracted.filter(|extracted| !extracted.has_trace())?;
        return Some(ForeignActive::Context(container.clone()));
    }
    if let Some(span) = open_spans::find(context) {
        return Some(ForeignActive::Span(span));
    }
    let is_same = |extracted: &&SpanContext| identity::ids(context) == ids(extracted);
    Some(ForeignActive::Context(match extracted.filter(is_same) {
        Some(extracted) => extracted.clone(),
        None => identity::from_otel(context),
    }))
}

fn context_of(active: ForeignActive) -> SpanContext {
    match active {
        ForeignActive::Span(span) => span.context(),
        ForeignActive::Context(context) => context,
        _ => SpanContext::default(),
    }
}

thread_local! {
    /// Lives as long as OpenTelemetry's current context of this thread, at most: thread-locals are destroyed in the
    /// reverse order of their first use.
    static IS_THERE: IsThere = IsThere::after_the_current_context();
}

struct IsThere;

impl IsThere {
    fn after_the_current_context() -> Self {
        Context::map_current(|_| ());
        Self
    }
}

impl Drop for IsThere {
    fn drop(&mut self) {}
}

/// Calls `look` with the current context, or returns `None` if the thread ends and has none any more.
///
/// OpenTelemetry panics then, and also if its context is looked up by a subscriber of its own diagnostics.
fn with_current<R>(look: impl FnOnce(&Context) -> R) -> Option<R> {
    let look = AssertUnwindSafe(|| {
        IS_THERE.try_with(|_| ()).ok()?;
        Some(Context::map_current(look))
    });
    catch_unwind(look).ok().flatten()
}
