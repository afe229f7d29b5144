use std::io;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

use crate::scope::Captured;

/// A place where threads or tasks are spawned, with what was captured active in each. [`Captured::on`] makes it.
///
/// The methods are those of the place itself, with the same names, results and panics.
///
/// ```
/// use std::thread;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::capture;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let upload = tracer.start_active_span("upload");
/// let captured = capture();
///
/// let named = captured.on(thread::Builder::new().name("resize".into()));
/// let there = named.spawn(|| active_span().context())?;
/// assert_eq!(there.join().expect("no panic"), upload.context());
///
/// let text = "borrowed";
/// thread::scope(|threads| {
///     let there = captured.on(threads).spawn(|| (text.len(), active_span().context()));
///     assert_eq!(there.join().expect("no panic"), (8, upload.context()));
///     let named = captured.on(thread::Builder::new());
///     let there = named.spawn_scoped(threads, || text.len())?;
///     assert_eq!(there.join().expect("no panic"), 8);
///     Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "nothing is spawned yet"]
pub struct Spawner<P> {
    pub(super) captured: Captured,
    pub(super) place: P,
}

impl Captured {
    /// Returns a spawner on a place: a `&thread::Scope`, a `thread::Builder`, and with the feature `tokio` a `&Handle`,
    /// a `&mut JoinSet` or a `&LocalSet`. The handle of a runtime is `runtime.handle()`.
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
    /// let upload = tracer.start_active_span("upload");
    /// let resize = capture().child(tracer.clone(), "resize");
    /// thread::scope(|threads| {
    ///     for width in [200, 800] {
    ///         resize.on(threads).spawn(move || {
    ///             active_span().set_tag("width", width);
    ///         });
    ///     }
    /// });
    /// upload.finish();
    /// assert_eq!(spans.tree(), "upload\n  resize\n  resize");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn on<P>(&self, place: P) -> Spawner<P> {
        Spawner {
            captured: self.clone(),
            place,
        }
    }
}

impl<'scope> Spawner<&'scope Scope<'scope, '_>> {
    /// Spawns a scoped thread.
    ///
    /// # Panics
    ///
    /// If the system has no thread left, as [`Scope::spawn`] does.
    pub fn spawn<F, R>(&self, f: F) -> ScopedJoinHandle<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        self.place.spawn(self.captured.wrap(f))
    }
}

impl Spawner<Builder> {
    /// Spawns a thread with the builder's name and stack size.
    ///
    /// # Errors
    ///
    /// If the system has no thread left, as [`Builder::spawn`].
    pub fn spawn<F, R>(self, f: F) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.place.spawn(self.captured.wrap(f))
    }

    /// Spawns a scoped thread with the builder's name and stack size.
    ///
    /// # Errors
    ///
    /// If the system has no thread left, as [`Builder::spawn_scoped`].
    pub fn spawn_scoped<'scope, F, R>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, R>>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        self.place.spawn_scoped(scope, self.captured.wrap(f))
    }
}
