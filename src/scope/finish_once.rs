use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::span::Span;

/// The end of a span that one of several events brings about: the first one finishes the span, later ones do nothing.
///
/// The events are wrapped callbacks that have run, wrapped futures that are ready, a panic in either, and
/// [`finish`](Self::finish). If all clones and all that they have wrapped are dropped before any of these, the span
/// logs `cancelled` and finishes.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::FinishOnce;
///
/// /// A client with a pair of callbacks, of which it calls one.
/// fn charge(cents: u32, paid: impl FnOnce(u32), failed: impl FnOnce(std::fmt::Error)) {
///     if cents < 500 { paid(cents) } else { failed(std::fmt::Error) }
/// }
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// for cents in [420, 4_200] {
///     let end = FinishOnce::new(tracer.start_span("charge"));
///     let paid = end.wrap_once(|cents| {
///         active_span().set_tag("cents", cents);
///     });
///     charge(cents, paid, end.wrap_error(|error| eprintln!("{error}")));
/// }
/// assert_eq!(spans.tree(), "charge\ncharge !");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
#[must_use = "the span finishes as cancelled when this and all that it has wrapped are dropped"]
pub struct FinishOnce {
    /// `None` for the no-op span.
    end: Option<Arc<End>>,
}

struct End {
    span: Span,
    is_reached: AtomicBool,
}

impl FinishOnce {
    /// Makes the end of a span, which finishes then even if there are other handles to it.
    pub fn new(span: Span) -> Self {
        let end = (!span.is_noop()).then(|| {
            Arc::new(End {
                span,
                is_reached: AtomicBool::new(false),
            })
        });
        Self { end }
    }

    /// Finishes the span now, unless that has happened before.
    pub fn finish(&self) {
        if let Some(end) = &self.end {
            end.reach(|_| ());
        }
    }

    /// Returns a handle to the span that does not own it.
    pub fn span(&self) -> Span {
        self.end
            .as_ref()
            .map_or_else(Span::noop, |end| end.span.downgrade())
    }

    /// Finishes the span as one whose work panicked.
    #[cold]
    pub(super) fn finish_by_panic(&self) {
        if let Some(end) = &self.end {
            end.reach(Span::mark_panic);
        }
    }
}

impl End {
    /// Finishes the span after `mark`, unless that has happened before.
    fn reach(&self, mark: impl FnOnce(&Span)) {
        // Relaxed: the swap alone decides who finishes, and the span has its own order.
        if !self.is_reached.swap(true, Ordering::Relaxed) {
            mark(&self.span);
            self.span.finish_by_ref();
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // A span that ends because its thread panics is marked when its last owner is dropped, which may be this one.
        if !thread::panicking() {
            self.reach(|span| {
                span.log_event("cancelled");
            });
        }
    }
}

impl fmt::Debug for FinishOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FinishOnce").field(&self.span()).finish()
    }
}
