//! Tasks of tokio in which the span is active that is active here. Needs the feature `tokio`.
//!
//! The base works on every runtime and needs none of this: wrap the work, then spawn it as ever.
//!
//! | work | wrapped |
//! |---|---|
//! | a future | `tokio::spawn(future.in_active_span())`, `set.spawn(future.in_active_span())` |
//! | a closure | `spawn_blocking(in_active_span(f))`, `set.spawn_blocking(in_active_span(f))` |
//! | a future with a span of its own | `tokio::spawn(future.in_span(tracer.start_span("resize")))` |
//!
//! This module has the calls that do both at once. The functions have the names of `tokio::task`, so that code which
//! imports that module can import this one. [`Captured::on`] is for what has methods: the handle of a runtime, a
//! `JoinSet` and a `LocalSet`. With [`Captured::child`] each task has a span of its own.
//!
//! ```
//! use tokio::task::JoinSet;
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::scope::capture;
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let checkout = tracer.start_span("checkout");
//! let work = async {
//!     let mut set = JoinSet::new();
//!     let reserve = capture().child(tracer.clone(), "reserve");
//!     for item in ["tea", "pot"] {
//!         reserve.on(&mut set).spawn(async move {
//!             active_span().set_tag("item", item);
//!         });
//!     }
//!     set.join_all().await;
//! };
//! runtime.block_on(work.in_span(checkout));
//! assert_eq!(spans.tree(), "checkout\n  reserve\n  reserve");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Branches of `select!` and `join!` run in one task. A span that only one branch has is given to the branch:
//! `select! { reply = ask().in_span(span) => … }`. A timer has no context; the task that waits for it has.
//!
//! [`Captured::on`]: crate::scope::Captured::on
//! [`Captured::child`]: crate::scope::Captured::child

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{self, AbortHandle, JoinHandle, JoinSet, LocalSet};

use crate::scope::{InSpan, Spawner, in_active_span};

/// Spawns a task in which the span is active that is active here: `tokio::spawn(future.in_active_span())`.
///
/// # Panics
///
/// Outside of a runtime, as [`tokio::spawn`] does.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::task;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("checkout");
/// let scope = span.activate();
/// let there = task::spawn(async { active_span().context() });
/// drop(scope);
/// assert_eq!(there.await?, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future.in_active_span())
}

/// Runs a closure on a thread for blocking work, where the span is active that is active here.
///
/// # Panics
///
/// Outside of a runtime, as [`tokio::task::spawn_blocking`] does.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::task;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("checkout");
/// let scope = span.activate();
/// let there = task::spawn_blocking(|| active_span().context());
/// drop(scope);
/// assert_eq!(there.await?, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    task::spawn_blocking(in_active_span(f))
}

/// Spawns a task on the current [`LocalSet`], in which the span is active that is active here.
///
/// # Panics
///
/// Outside of a `LocalSet`, as [`tokio::task::spawn_local`] does.
///
/// ```
/// use tokio::task::LocalSet;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::task;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("checkout");
/// # runtime.block_on(async {
/// let set = LocalSet::new();
/// let there = set.run_until(async {
///     let there = span.in_scope(|| task::spawn_local(async { active_span().context() }));
///     there.await
/// });
/// assert_eq!(there.await?, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: 'static> + 'static,
{
    task::spawn_local(future.in_active_span())
}

/// Tasks on the runtime of a handle:
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::capture;
///
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_active_span("checkout");
/// let captured = capture();
/// let task = captured.on(runtime.handle()).spawn(async { active_span().context() });
/// let thread = captured.on(runtime.handle()).spawn_blocking(|| active_span().context());
/// assert_eq!(runtime.block_on(task)?, span.context());
/// assert_eq!(runtime.block_on(thread)?, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Spawner<&Handle> {
    /// Spawns a task on the runtime.
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.place.spawn(self.captured.wrap_future(future))
    }

    /// Runs a closure on a thread of the runtime for blocking work.
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.place.spawn_blocking(self.captured.wrap(f))
    }
}

/// Tasks that stay on their thread:
///
/// ```
/// use tokio::task::LocalSet;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::capture;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_active_span("checkout");
/// let set = LocalSet::new();
/// let there = capture().on(&set).spawn_local(async { active_span().context() });
/// assert_eq!(set.block_on(&runtime, there)?, span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Spawner<&LocalSet> {
    /// Spawns a task on the set, which need not be `Send`.
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: 'static> + 'static,
    {
        self.place.spawn_local(self.captured.wrap_future(future))
    }
}

/// Tasks of a set that is awaited as a whole:
///
/// ```
/// use tokio::task::{JoinSet, LocalSet};
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::capture;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_active_span("checkout");
/// let captured = capture();
/// let local = LocalSet::new();
/// let contexts = local.block_on(&runtime, async {
///     let mut set = JoinSet::new();
///     let handle = tokio::runtime::Handle::current();
///     captured.on(&mut set).spawn(async { active_span().context() });
///     captured.on(&mut set).spawn_on(async { active_span().context() }, &handle);
///     captured.on(&mut set).spawn_blocking(|| active_span().context());
///     captured.on(&mut set).spawn_blocking_on(|| active_span().context(), &handle);
///     captured.on(&mut set).spawn_local(async { active_span().context() });
///     captured.on(&mut set).spawn_local_on(async { active_span().context() }, &local);
///     set.join_all().await
/// });
/// assert_eq!(contexts, vec![span.context(); 6]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<T: 'static> Spawner<&mut JoinSet<T>> {
    /// Spawns a task on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as [`JoinSet::spawn`] does.
    pub fn spawn<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.place.spawn(self.captured.wrap_future(future))
    }

    /// Spawns a task on another runtime.
    pub fn spawn_on<F>(&mut self, future: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let future = self.captured.wrap_future(future);
        self.place.spawn_on(future, handle)
    }

    /// Runs a closure on a thread of the current runtime for blocking work.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, as [`JoinSet::spawn_blocking`] does.
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.place.spawn_blocking(self.captured.wrap(f))
    }

    /// Runs a closure on a thread of another runtime for blocking work.
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let f = self.captured.wrap(f);
        self.place.spawn_blocking_on(f, handle)
    }

    /// Spawns a task on the current [`LocalSet`], which need not be `Send`.
    ///
    /// # Panics
    ///
    /// Outside of a `LocalSet`, as [`JoinSet::spawn_local`] does.
    pub fn spawn_local<F>(&mut self, future: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.place.spawn_local(self.captured.wrap_future(future))
    }

    /// Spawns a task on a [`LocalSet`].
    pub fn spawn_local_on<F>(&mut self, future: F, set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let future = self.captured.wrap_future(future);
        self.place.spawn_local_on(future, set)
    }
}
