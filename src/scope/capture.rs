use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::panics::caught;
use crate::scope::span_time::ticks;
use crate::scope::{Active, Scope, active_parent};
use crate::span::{Span, SpanContext, TakeContext, ToSpanContext};

/// The span or context that was active on the thread that called [`capture`], to make active elsewhere: in threads,
/// tasks, pools and callbacks.
///
/// It does not own the span, so it keeps no request open. It is cheap to clone, and may be used any number of times, on
/// any thread.
///
/// [`child`](Self::child) makes it start a span of its own for each piece of work.
///
/// ```
/// use std::thread;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::capture;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let checkout = tracer.start_active_span("checkout");
/// let captured = capture();
/// let client = tracer.clone();
/// let mail = thread::spawn(move || {
///     let _scope = captured.activate();
///     client.start_span("send mail").finish();
/// });
/// mail.join().expect("no panic");
/// checkout.finish();
/// assert_eq!(spans.tree(), "checkout\n  send mail");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub struct Captured {
    active: Option<Active>,
    child: Option<Arc<StartChild>>,
}

type StartChild = dyn Fn() -> Span + Send + Sync;

/// Captures what is active on this thread now: for thread pools, and for callbacks that run often or take arguments.
///
/// ```
/// use std::thread;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::capture;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_active_span("checkout");
/// let captured = capture();
/// let price = |items: u32| captured.run(|| (items * 5, active_span().context()));
/// thread::scope(|threads| {
///     let there = threads.spawn(|| price(3));
///     assert_eq!(there.join().expect("no panic"), (15, span.context()));
/// });
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// In a parallel iterator of rayon:
///
/// ```text
/// items.par_iter().for_each(capture().wrap_fn(|item| pack(item)));
/// ```
pub fn capture() -> Captured {
    Captured {
        active: active_parent(),
        child: None,
    }
}

impl Captured {
    /// Makes each piece of work start a span by `start` when it begins. What was captured is active while `start` runs.
    /// The span ends with the work. [`child`](Self::child) is shorter, this one takes tags and references.
    ///
    /// If `start` panics, the panic is caught, and the work runs without a span of its own. A no-op span changes
    /// nothing about the work.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::scope::{active_context, capture};
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let order = tracer.start_active_span("order");
    /// // The order does not wait for the mail, so the mail follows from it.
    /// let mail = capture().child_with(move || {
    ///     tracer.build_span("mail").follows_from(&active_context()).tag("kind", "thanks").start()
    /// });
    /// order.finish();
    /// let send = mail.wrap(|| {
    ///     active_span().set_tag("bytes", 512);
    /// });
    /// std::thread::spawn(send).join().expect("no panic");
    /// assert_eq!(spans.tree(), "order\n  mail");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn child_with(self, start: impl Fn() -> Span + Send + Sync + 'static) -> Self {
        Self {
            child: Some(Arc::new(start)),
            ..self
        }
    }

    /// Makes what was captured active on this thread until the scope is dropped. A [child](Self::child) starts now and
    /// ends with the scope.
    ///
    /// If nothing was active when it was captured, nothing is active meanwhile.
    pub fn activate(&self) -> Scope {
        match self.start_child() {
            Some(child) => Scope::of_span(child),
            None => self.activate_captured(),
        }
    }

    /// Starts the child, if there is one to start and it is no no-op span.
    pub(super) fn start_child(&self) -> Option<Span> {
        let start = self.child.as_ref()?;
        let _scope = self.activate_captured();
        caught(|| start()).filter(|child| !child.is_noop())
    }

    /// Starts the child once: later calls return `None`.
    pub(super) fn take_child(&mut self) -> Option<Span> {
        let child = self.start_child();
        self.child = None;
        child
    }

    /// Returns a handle to the span that was captured, which does not own it.
    pub(super) fn span(&self) -> Span {
        match &self.active {
            Some(Active::Span(span)) => span.downgrade(),
            _ => Span::noop(),
        }
    }

    /// Returns the nanoseconds since tick zero on the clock of the tracer of the span that was captured.
    pub(super) fn ticks(&self) -> Option<u64> {
        match &self.active {
            Some(Active::Span(span)) => ticks(span),
            _ => None,
        }
    }

    /// Makes what was captured active, without a child.
    pub(super) fn activate_captured(&self) -> Scope {
        match &self.active {
            Some(active) => Scope::new(active.lent()),
            None => Scope::of_nothing(),
        }
    }
}

impl Clone for Captured {
    fn clone(&self) -> Self {
        Self {
            active: self.active.as_ref().map(Active::lent),
            child: self.child.clone(),
        }
    }
}

/// The context of what was captured, as the parent of a span of your own.
impl ToSpanContext for Captured {
    fn to_span_context(&self) -> SpanContext {
        match &self.active {
            Some(Active::Span(span)) => span.context(),
            Some(Active::Context(context)) => context.clone(),
            _ => SpanContext::default(),
        }
    }

    fn give_span_context(&self, to: impl TakeContext) {
        match &self.active {
            Some(Active::Span(span)) => span.give_span_context(to),
            Some(Active::Context(context)) => context.give_span_context(to),
            _ => {}
        }
    }
}

/// A start that panics is caught, and leaves nothing half changed.
impl UnwindSafe for Captured {}
impl RefUnwindSafe for Captured {}

impl fmt::Debug for Captured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captured")
            .field("active", &self.active)
            .field("starts_child", &self.child.is_some())
            .finish()
    }
}
