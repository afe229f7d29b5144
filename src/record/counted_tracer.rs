//! A tracer for tests of the memory of spans.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::record::{Decider, Question};
use crate::sampler::{SamplingDecision, SpanView};

/// A tracer that counts its drops, which shows how often the slot that holds it is freed.
#[derive(Debug)]
pub(crate) struct CountedTracer(pub(crate) Arc<AtomicUsize>);

impl Decider for CountedTracer {
    fn decide(&self, _: Question<'_>, _: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Drop
    }

    fn allows_debug(&self, _: &str) -> bool {
        false
    }

    fn max_baggage_bytes(&self, _: &str) -> usize {
        0
    }
}

impl Drop for CountedTracer {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
