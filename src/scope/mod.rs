//! The active span of a thread, and how it gets into other threads and into tasks.
//!
//! [`Span::activate`](crate::Span::activate) makes a span active on this thread until the [`Scope`] that it returns is
//! dropped. Spans that start meanwhile are its children. The scope owns the span as a clone does, so the span stays
//! open at least as long, unless [`Span::finish`](crate::Span::finish) ends it.
//!
//! ```
//! use tracehound::prelude::*;
//! use tracehound::reporter::NullReporter;
//! use tracehound::scope::active_span;
//! use tracehound::JaegerTracer;
//!
//! let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
//! let checkout = tracer.start_active_span("checkout");
//! let pay = tracer.start_span("pay");
//! assert_eq!(pay.context().parent_id(), checkout.context().span_id());
//! pay.in_scope(|| assert_eq!(active_span().context(), pay.context()));
//! checkout.finish();
//! assert!(active_span().is_noop());
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which way suits my code?
//!
//! | a span around | by |
//! |---|---|
//! | a function | [`start_active_span`](crate::TracerExt::start_active_span): an [`ActiveSpan`] is span and scope in one value |
//! | a block | [`Span::in_scope`](crate::Span::in_scope) |
//! | a future | [`InSpan`], which activates the span in each poll; [`Instrumented::with_poll_times`] tells how long it worked and waited, and which poll held its thread too long |
//! | work on another thread or in another task | a row of the [table](#how-do-i-hand-work-over): neither inherits the active span |
//!
//! A scope must not be held across an `.await`, because the future may continue on another thread. A scope is `!Send`,
//! so such a future cannot be spawned on a multi-threaded runtime. On a runtime of one thread it compiles, and its span
//! is active for all other tasks while it waits. With this line in `clippy.toml`, Clippy finds it:
//!
//! ```toml
//! await-holding-invalid-types = ["tracehound::scope::Scope", "tracehound::scope::ActiveSpan"]
//! ```
//!
//! # What is active here?
//!
//! [`active_span`] takes tags and logs; [`active_context`] goes into requests, and [`trace_ids`] into log lines. They
//! differ under [`activate_context`], which makes a context active without a span of this process.
//!
//! # How do I hand work over?
//!
//! | I hand work over by | one line |
//! |---|---|
//! | a thread | `scope::spawn(f)`, or `thread::spawn(in_active_span(f))` |
//! | a scoped thread, `thread::Builder` | `capture().on(threads).spawn(f)`, `capture().on(builder).spawn(f)` |
//! | a pool that takes closures, `rayon::spawn`, `rayon::join` | `pool.execute(in_active_span(f))` |
//! | `rayon::scope`, the scoped threads of crossbeam | `pool.spawn(\|_\| captured.run(f))` |
//! | a parallel iterator | `items.par_iter().for_each(capture().wrap_fn(f))` |
//! | a callback with an argument | `capture().wrap_once(f)`, `wrap_mut`, `wrap_fn` |
//! | a task of any runtime | `tokio::spawn(future.in_active_span())` |
//! | `spawn_blocking` | `spawn_blocking(in_active_span(f))` |
//! | a `JoinSet`, a `LocalSet`, a runtime's `Handle` | `set.spawn(future.in_active_span())`; see also `scope::task` |
//! | a branch of `select!` or `join!` | `ask().in_span(span)` as the branch |
//! | a stream or a sink (feature `stream`) | `rows.stream_in_active_span()`, `rows.sink_in_active_span()` |
//! | a channel | `to.send(Traced::new(order))`, and there `order.receive(&tracer, "pack")` |
//!
//! None of these owns the span: work that is left behind keeps no request open. If nothing is active where the work is
//! handed over, nothing is active in the work.
//!
//! For a span of its own around each piece of work, say so where the context is captured: `capture()` in the table
//! becomes [`capture().child(tracer, "resize")`](Captured::child), `in_active_span(f)` becomes `captured.wrap(f)`, and
//! `future.in_active_span()` becomes `captured.wrap_future(future)`. Such a span starts when the work begins, ends with
//! it, and tells of a panic.
//!
//! # How does a span end with something else?
//!
//! | The span ends with | one line | dropped before |
//! |---|---|---|
//! | a future | `future.in_span(span)` | logs `cancelled` |
//! | a stream | `rows.stream_in_span(span)`: the number of items is a tag | logs `cancelled` |
//! | a sink | `rows.sink_in_span(span)`: the number of items is a tag | logs `cancelled` if items were not flushed |
//! | a callback | `ask(span.finish_with(\|answer\| …))` | logs `cancelled` |
//! | the first of several callbacks and futures | [`FinishOnce`] | logs `cancelled` |
//!
//! A panic in any of them marks the span: `error=true` and a log record `event=panic`.

mod active;
mod active_span;
mod callback;
mod capture;
#[cfg(feature = "tracing")]
mod deferred;
#[cfg(not(feature = "tracing"))]
#[path = "no_deferred.rs"]
mod deferred;
mod finish_once;
#[cfg(feature = "foreign-context")]
mod foreign;
#[cfg(not(feature = "foreign-context"))]
#[path = "no_foreign.rs"]
mod foreign;
mod in_span;
#[cfg(feature = "stream")]
mod item_count;
mod poll_times;
#[cfg(feature = "tower")]
mod request;
mod role;
#[cfg(feature = "stream")]
mod sink;
mod span_time;
mod spawn;
mod spawner;
mod stack;
#[cfg(feature = "stream")]
mod stream;
#[cfg(feature = "tokio")]
pub mod task;
mod traced;
mod work;
mod wrap;

use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) use active::{Active, ActiveRef};
pub use active_span::ActiveSpan;
pub use capture::{Captured, capture};
#[cfg(feature = "tracing")]
pub(crate) use deferred::{Deferred, DeferredEntry, start_deferred};
pub use finish_once::FinishOnce;
#[cfg(feature = "foreign-context")]
pub use foreign::{ForeignActive, ForeignContext, SetForeignContextError, set_foreign_context};
pub use in_span::{InSpan, Instrumented};
pub use poll_times::{BLOCKING_LIMIT, PollTimes};
#[cfg(feature = "tower")]
pub(crate) use request::{answered_request, innermost_request, settle_name};
#[cfg(feature = "tower")]
pub(crate) use role::Role;
#[cfg(feature = "stream")]
pub use sink::{InstrumentedSink, SinkInSpan};
pub use spawn::{in_active_span, spawn};
pub use spawner::Spawner;
#[cfg(feature = "tracing")]
pub(crate) use stack::{peek, push_deferred, remove_deferred};
#[cfg(feature = "stream")]
pub use stream::{InstrumentedStream, StreamInSpan};
pub use traced::Traced;

use crate::span::{Span, SpanContext, TraceIds};

/// A guard that keeps a span or a context active on this thread. Dropping it makes the previous one active again.
///
/// Scopes may be dropped in any order: each takes away only what it has put there. A scope from [`Span::activate`] owns
/// its span as a clone does. It cannot leave its thread, so it cannot keep a request open from a task that was left
/// behind. A scope that is forgotten by `mem::forget` keeps its span open, and active for everything that the thread
/// does later.
///
/// ```compile_fail,E0277
/// fn must_be_send<T: Send>(_: T) {}
/// must_be_send(tracehound::Span::noop().activate());
/// ```
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::Scope;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let [outer, inner] = ["outer", "inner"].map(|name| tracer.start_span(name));
/// let outer_scope: Scope = outer.activate();
/// let inner_scope = inner.activate();
/// drop(outer_scope); // in any order
/// assert_eq!(active_span().context(), inner.context());
/// drop(inner_scope);
/// assert!(active_span().is_noop());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "the span is active only until the scope is dropped"]
pub struct Scope {
    id: Option<u64>,
    _bound_to_this_thread: PhantomData<*const ()>,
}

impl Scope {
    fn new(active: Active) -> Self {
        Self::of(stack::push(active))
    }

    fn of_span(span: Span) -> Self {
        Self::of(stack::push_span(span))
    }

    fn of(id: Option<u64>) -> Self {
        Self {
            id,
            _bound_to_this_thread: PhantomData,
        }
    }

    /// Returns a scope in which no span is active. If none is active anyway, it puts nothing on the stack, unless
    /// [`mark_nothing`] was called.
    fn of_nothing() -> Self {
        let is_marked = MARKS_NOTHING.load(Ordering::Relaxed);
        if is_marked || stack::peek(|active| active.is_some()).unwrap_or(false) {
            return Self::new(Active::Context(SpanContext::default()));
        }
        Self::of(None)
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            stack::remove(id);
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scope")
    }
}

impl Span {
    /// Makes this span active on this thread until the scope is dropped. A span may be active in many places at once.
    ///
    /// The scope owns the span as a clone does: while it is there, only [`finish`](Self::finish) ends the span. The
    /// scope of a handle that does not own, such as [`active_span`] gives, does not own either.
    ///
    /// ```
    /// # use tracehound::prelude::*;
    /// # use tracehound::reporter::InMemoryReporter;
    /// # use tracehound::sampler::ConstSampler;
    /// # let spans = InMemoryReporter::new();
    /// # let tracer = JaegerTracer::builder("shop")
    /// #     .sampler(ConstSampler::new(true))
    /// #     .reporter(spans.clone())
    /// #     .build()?;
    /// {
    ///     let _scope = tracer.start_span("checkout").activate();
    ///     active_span().set_tag("items", 3);
    /// }
    /// assert_eq!(spans.spans()[0].tag_text("items"), "3");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn activate(&self) -> Scope {
        Scope::of_span(self.clone())
    }

    /// Makes this span active without owning it, for one whose owner is known to stay.
    pub(crate) fn activate_lent(&self) -> Scope {
        Scope::of_span(self.downgrade())
    }

    /// Makes the span of a request active by moving it to the stack, until it is [taken back](Self::take_back).
    /// Meanwhile `self` is the no-op span. So an owner that nobody else can reach is active without a second handle.
    #[cfg(feature = "tower")]
    #[inline(always)]
    pub(crate) fn lend(&mut self, role: Role) -> Lent {
        Lent(stack::lend(self, role))
    }

    /// Takes back a span that was [lent](Self::lend), and what has become of its role.
    #[cfg(feature = "tower")]
    #[inline(always)]
    pub(crate) fn take_back(&mut self, lent: &Lent, role: &mut Role) {
        if let Some(lent) = lent.0.and_then(stack::take_back) {
            (*self, *role) = lent;
        }
    }

    /// Runs `f` with this span active, and returns what `f` returns. The span stays open.
    ///
    /// ```
    /// # use tracehound::prelude::*;
    /// # use tracehound::reporter::NullReporter;
    /// # let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// let span = tracer.start_span("checkout");
    /// let total = span.in_scope(|| {
    ///     active_span().log_event("cart read");
    ///     4_200
    /// });
    /// span.set_tag("cents", total);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn in_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let _scope = self.activate_lent();
        f()
    }
}

/// The place of a span that was [lent](Span::lend) to the stack.
#[cfg(feature = "tower")]
pub(crate) struct Lent(Option<u64>);

/// Returns the active span of this thread, as a handle that does not own it. Without one, returns the no-op span.
///
/// ```
/// use tracehound::scope::active_span;
///
/// active_span().set_tag("items", 3).log_event("cart read");
/// ```
pub fn active_span() -> Span {
    stack::top(|active| match active {
        Some(ActiveRef::Span(span)) => span.downgrade(),
        _ => Span::noop(),
    })
}

/// Returns the active context of this thread: that of the active span, or the one of [`activate_context`], else an
/// empty one. It is the parent of a span that starts here.
///
/// Use it for what must continue the trace even if no span of this process is active, such as a consumer that forwards
/// what it was sent. For log lines, [`trace_ids`] is shorter, and leaves the sampling decision open.
///
/// ```
/// use std::collections::HashMap;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::{active_context, activate_context};
/// use tracehound::JaegerTracer;
///
/// let tracer = JaegerTracer::builder("relay").reporter(NullReporter::new()).build()?;
/// let received: HashMap<_, _> = [("uber-trace-id".to_owned(), "1f:2e:0:1".to_owned())].into();
/// let context = tracer.extract(&received)?.unwrap_or_default();
/// let _scope = activate_context(&context);
///
/// let log_line = format!("trace={} relayed", active_context().to_trace_id());
/// assert_eq!(log_line, "trace=000000000000001f relayed");
///
/// let mut forwarded = HashMap::new();
/// tracer.inject(&active_context(), &mut forwarded);
/// assert_eq!(tracer.extract(&forwarded)?, Some(context));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn active_context() -> SpanContext {
    match active_parent() {
        Some(Active::Span(span)) => span.context(),
        Some(Active::Context(context)) => context,
        _ => SpanContext::default(),
    }
}

/// Returns the ids for a log line that is written here: those of the [active context](active_context).
///
/// They are empty, and print as nothing, if no span and no context is active. The value is `Copy`: a logger can take it
/// when a line is logged, and print it later on another thread.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::trace_ids;
///
/// fn log(text: &str) {
///     eprintln!("{} {text}", trace_ids()); // trace_id=… span_id=… sampled=… paid
/// }
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_active_span("checkout");
/// log("paid");
/// assert_eq!(trace_ids(), span.trace_ids());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub fn trace_ids() -> TraceIds {
    with_active_parent(|active| match active {
        Some(ActiveRef::Span(span)) => span.trace_ids(),
        Some(ActiveRef::Context(context)) => context.trace_ids(),
        None => TraceIds::default(),
    })
}

/// Calls `f` with the active span of this thread, and returns what `f` returns. For a single call,
/// `active_span().set_tag("items", 3)` is shorter.
///
/// The value that `f` returns cannot borrow the span. Methods such as `set_tag` return the span, so they need a block:
///
/// ```
/// use tracehound::scope::with_active_span;
///
/// with_active_span(|span| {
///     span.set_tag("items", 3);
/// });
/// ```
pub fn with_active_span<R>(f: impl FnOnce(&Span) -> R) -> R {
    f(&active_span())
}

/// Makes a context active on this thread until the scope is dropped. Spans that start meanwhile are its children. Use
/// it for a parent in another process, if no span of this process stands for it.
///
/// [`active_context`] returns the context; [`active_span`] returns the no-op span, as there is no span to set tags on.
///
/// ```
/// use std::collections::HashMap;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::activate_context;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("pack")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let message: HashMap<_, _> = [("uber-trace-id".to_owned(), "1f:2e:0:1".to_owned())].into();
/// let sender = tracer.extract(&message)?.unwrap_or_default();
/// let scope = activate_context(&sender);
/// tracer.start_span("pack").finish();
/// drop(scope);
/// assert_eq!(spans.spans()[0].parent_id, sender.span_id());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn activate_context(context: &SpanContext) -> Scope {
    Scope::new(Active::Context(context.clone()))
}

/// Makes every scope of nothing put an empty context on the stack from now on, so that an observer can tell a root in
/// work to which nothing was handed over on purpose from one in work that was forgotten.
pub(crate) fn mark_nothing() {
    MARKS_NOTHING.store(true, Ordering::Relaxed);
}

static MARKS_NOTHING: AtomicBool = AtomicBool::new(false);

/// Calls `look` with the default parent of a span that starts here. `look` must not run user code.
#[inline(always)]
pub(crate) fn with_active_parent<R>(look: impl FnOnce(Option<ActiveRef<'_>>) -> R) -> R {
    stack::top(look)
}

/// Returns the default parent of a span that starts here, without owning it.
pub(crate) fn active_parent() -> Option<Active> {
    stack::top(|active| active.map(ActiveRef::lent))
}
