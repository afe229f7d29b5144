use std::thread::{self, JoinHandle};

use crate::scope::capture;

/// Wraps a closure that will run elsewhere, on another thread or in a pool: the span that is active here and now is
/// active there while the closure runs. [`capture`] is for closures that run more than once or take arguments.
///
/// ```
/// use std::thread;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
/// use tracehound::scope::{active_span, in_active_span};
/// use tracehound::JaegerTracer;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("checkout");
/// let _scope = span.activate();
/// let there = thread::spawn(in_active_span(|| active_span().context()));
/// assert_eq!(there.join().expect("no panic"), span.context());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub fn in_active_span<R>(f: impl FnOnce() -> R) -> impl FnOnce() -> R {
    capture().wrap(f)
}

/// Starts a thread in which the span is active that is active here. Like [`std::thread::spawn`], but with
/// [`in_active_span`].
///
/// # Panics
///
/// If the system has no thread left, as `std::thread::spawn` does.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let upload = tracer.start_active_span("upload");
/// let child = tracer.clone();
/// let resize = scope::spawn(move || child.start_span("resize").finish());
/// resize.join().expect("no panic");
/// upload.finish();
/// assert_eq!(spans.tree(), "upload\n  resize");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub fn spawn<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    thread::spawn(in_active_span(f))
}
