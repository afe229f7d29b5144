//! Closures and futures in which what was captured is active.

use std::future::Future;

use crate::scope::work::Work;
use crate::scope::{Captured, Instrumented};

/// Each method takes work of another form. In all of them what was captured is active while the work runs; if nothing
/// was, nothing is. A [child](Self::child) starts when the work begins, once for each run, and ends with it. A panic
/// marks the child: `error=true` and a log record `event=panic`.
///
/// There is a method for closures without arguments and for those with one. For more, call [`run`](Self::run) in a
/// closure of your own: `move |a, b| captured.run(|| work(a, b))`.
impl Captured {
    /// Runs `f` here and now, and returns what `f` returns.
    ///
    /// If nothing was active when it was captured, nothing is active while `f` runs.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        match self.start_child() {
            Some(child) => Work::Has(child).run(f),
            None => {
                let _scope = self.activate_captured();
                f()
            }
        }
    }

    /// Wraps a closure that runs once: for threads, `spawn_blocking`, `rayon::spawn` and pools that take a
    /// `Box<dyn FnOnce()>`.
    ///
    /// ```
    /// use std::sync::mpsc;
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
    /// let (pool, jobs) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
    /// let worker = thread::spawn(move || jobs.iter().for_each(|job| job()));
    ///
    /// let upload = tracer.start_active_span("upload");
    /// let resize = capture().child(tracer.clone(), "resize");
    /// for width in [200, 800] {
    ///     let job = resize.wrap(move || {
    ///         active_span().set_tag("width", width);
    ///     });
    ///     pool.send(Box::new(job)).expect("the worker lives");
    /// }
    /// drop(pool);
    /// worker.join().expect("no panic");
    /// upload.finish();
    /// assert_eq!(spans.tree(), "upload\n  resize\n  resize");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn wrap<R, F>(&self, f: F) -> impl FnOnce() -> R + use<R, F>
    where
        F: FnOnce() -> R,
    {
        let captured = self.clone();
        move || captured.run(f)
    }

    /// Wraps a closure that runs once and takes an argument: for replies, and for completions that get a result.
    ///
    /// ```
    /// use tracehound::scope::capture;
    ///
    /// let reply = capture().wrap_once(|status: u16| status == 200);
    /// assert!(reply(200));
    /// ```
    pub fn wrap_once<A, R, F>(&self, f: F) -> impl FnOnce(A) -> R + use<A, R, F>
    where
        F: FnOnce(A) -> R,
    {
        let captured = self.clone();
        move |argument| captured.run(|| f(argument))
    }

    /// Wraps a closure that runs often, changes what it holds, and takes an argument: for listeners and iterators.
    ///
    /// ```
    /// use tracehound::scope::capture;
    ///
    /// let mut total = 0;
    /// let mut add = capture().wrap_mut(|n: u32| total += n);
    /// [1, 2, 3].map(&mut add);
    /// drop(add);
    /// assert_eq!(total, 6);
    /// ```
    pub fn wrap_mut<A, R, F>(&self, mut f: F) -> impl FnMut(A) -> R + use<A, R, F>
    where
        F: FnMut(A) -> R,
    {
        let captured = self.clone();
        move |argument| captured.run(|| f(argument))
    }

    /// Wraps a closure that several threads may run at once, and that takes an argument: for handlers and parallel
    /// iterators.
    ///
    /// ```
    /// use tracehound::scope::capture;
    ///
    /// let double = capture().wrap_fn(|n: u32| n * 2);
    /// assert_eq!([1, 2, 3].map(double), [2, 4, 6]);
    /// ```
    pub fn wrap_fn<A, R, F>(&self, f: F) -> impl Fn(A) -> R + use<A, R, F>
    where
        F: Fn(A) -> R,
    {
        let captured = self.clone();
        move |argument| captured.run(|| f(argument))
    }

    /// Wraps a future: what was captured is active in every poll, and while the future is dropped.
    ///
    /// A [child](Self::child) starts at the first poll. If the future is dropped after that and before its end, the
    /// child logs `cancelled`.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::scope::capture;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let upload = tracer.start_active_span("upload");
    /// let resize = capture().child(tracer.clone(), "resize");
    /// # runtime.block_on(async {
    /// let task = tokio::spawn(resize.wrap_future(async { active_span().set_tag("width", 200); }));
    /// task.await
    /// # })?;
    /// upload.finish();
    /// assert_eq!(spans.tree(), "upload\n  resize");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_future<F: Future>(&self, future: F) -> Instrumented<F> {
        Instrumented::new(future, Work::Carries(self.clone()))
    }
}
