use crate::scope::{Active, Scope, active_parent};

/// The span or context that was active on the thread that called [`capture`], to make active elsewhere.
///
/// It does not own the span, so it keeps no request open.
#[derive(Debug)]
pub struct Captured {
    active: Option<Active>,
}

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
/// let captured = scope::capture();
/// items.par_iter().for_each(|item| captured.run(|| pack(item)));
/// ```
pub fn capture() -> Captured {
    Captured {
        active: active_parent(),
    }
}

impl Captured {
    /// Runs `f` with what was captured active on this thread, and returns what `f` returns.
    ///
    /// If nothing was active when it was captured, nothing is active while `f` runs.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let _scope = self.activate();
        f()
    }

    /// Makes what was captured active on this thread until the scope is dropped.
    pub fn activate(&self) -> Scope {
        self.clone().into_scope()
    }

    pub(super) fn into_scope(self) -> Scope {
        match self.active {
            Some(active) => Scope::new(active),
            None => Scope::of_nothing(),
        }
    }
}

impl Clone for Captured {
    fn clone(&self) -> Self {
        Self {
            active: self.active.as_ref().map(Active::lent),
        }
    }
}
