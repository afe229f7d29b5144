use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::metrics::{Counter, Metrics};
use crate::panics::caught;
use crate::sampler::SpanView;

/// A rule of the user that says which traces matter.
pub(super) struct Rule {
    name: Cow<'static, str>,
    applies: Box<dyn Fn(&SpanView<'_>) -> bool + Send + Sync>,
    panics: AtomicU32,
}

impl Rule {
    pub(super) fn new(
        name: Cow<'static, str>,
        applies: impl Fn(&SpanView<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            applies: Box::new(applies),
            panics: AtomicU32::new(0),
        }
    }

    pub(super) fn name(&self) -> Cow<'static, str> {
        self.name.clone()
    }

    /// Returns whether a local root is of a trace that matters. A panic is counted and means no.
    pub(super) fn applies(&self, root: &SpanView<'_>, metrics: &Metrics) -> bool {
        if self.panics.load(Ordering::Relaxed) >= MAX_PANICS {
            return false;
        }
        caught(|| (self.applies)(root)).unwrap_or_else(|| {
            self.panics.fetch_add(1, Ordering::Relaxed);
            metrics.add(Counter::CallbackPanics, 1);
            false
        })
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({:?})", self.name)
    }
}

/// After how many panics a rule is not asked any more.
const MAX_PANICS: u32 = 100;
