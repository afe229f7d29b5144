use std::thread::{self, JoinHandle};

use crate::scope::{Scope, active_parent};

/// Wraps a closure that will run elsewhere, on another thread or in a pool: what is active here, now, is
/// active there while it runs.
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
    let active = active_parent();
    move || {
        let _scope = active.map(Scope::new);
        f()
    }
}

/// [`std::thread::spawn`] with [`in_active_span`].
///
/// # Panics
///
/// As `std::thread::spawn`, where no thread can be had.
pub fn spawn<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    thread::spawn(in_active_span(f))
}
