use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project::{pin_project, pinned_drop};

use crate::watch::Orphans;
use crate::watch::orphans::loss::{Loss, Marked};

impl Orphans {
    /// Wraps a closure that will run elsewhere, so that a trace which is lost on the way is noticed there. It hands
    /// nothing over: it is for the place in a program through which all work goes, such as an executor of its own.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::Orphans;
    ///
    /// let orphans = Orphans::new();
    /// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
    /// let tracer = builder.observer(orphans.clone()).build()?;
    /// let (jobs, waiting) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
    /// let pool = std::thread::spawn(move || waiting.into_iter().for_each(|job| job()));
    ///
    /// let checkout = tracer.start_active_span("checkout");
    /// let in_pool = tracer.clone();
    /// jobs.send(Box::new(orphans.watched(move || in_pool.start_span("charge").finish())))?;
    /// drop((checkout, jobs));
    /// pool.join().expect("no panic");
    /// assert_eq!(orphans.proven(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn watched<F, R>(&self, f: F) -> impl FnOnce() -> R + use<F, R>
    where
        F: FnOnce() -> R,
    {
        let mark = Loss::of_work_spawned_at(Location::caller());
        move || {
            let _marked = Marked::new(mark);
            f()
        }
    }

    /// Like [`watched`](Self::watched), for a future that is about to be spawned as a task.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::Orphans;
    ///
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let orphans = Orphans::new();
    /// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
    /// let tracer = builder.observer(orphans.clone()).build()?;
    /// let checkout = tracer.start_active_span("checkout");
    /// let child = tracer.clone();
    /// let lost = orphans.watched_future(async move { child.start_span("charge").finish() });
    /// drop(checkout);
    /// runtime.block_on(lost);
    /// assert_eq!(orphans.proven(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn watched_future<F: Future>(&self, future: F) -> WatchedFuture<F> {
        WatchedFuture {
            inner: Some(future),
            mark: Loss::of_work_spawned_at(Location::caller()),
        }
    }
}

/// A future in which lost traces are noticed. [`Orphans::watched_future`] makes it.
///
/// ```
/// use tracehound::watch::{Orphans, WatchedFuture};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// let work: WatchedFuture<_> = Orphans::new().watched_future(async { 7 });
/// assert_eq!(runtime.block_on(work), 7);
/// # Ok::<(), std::io::Error>(())
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct WatchedFuture<F> {
    /// `None` only while the rest of it is dropped.
    #[pin]
    inner: Option<F>,
    mark: Option<Arc<Loss>>,
}

impl<F: Future> Future for WatchedFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _marked = Marked::new(this.mark.clone());
        match this.inner.as_pin_mut() {
            Some(inner) => inner.poll(cx),
            None => Poll::Pending,
        }
    }
}

#[pinned_drop]
impl<F> PinnedDrop for WatchedFuture<F> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let _marked = Marked::new(this.mark.take());
        this.inner.set(None);
    }
}

impl<F> fmt::Debug for WatchedFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFuture").finish_non_exhaustive()
    }
}
