use std::fmt;

use crate::model::TagRef;
use crate::sampler::{SamplingDecision, SpanView};

/// What a span asks of its tracer: the one place where a lower floor calls a higher one.
pub(crate) trait Decider: Send + Sync + fmt::Debug {
    /// Asks the sampler. A sampler that panics says no.
    fn decide(&self, question: Question<'_>, span: &SpanView<'_>) -> SamplingDecision;

    /// Whether a trace may be forced now by a debug id or a `sampling.priority`.
    fn allows_debug(&self, operation_name: &str) -> bool;
}

/// When a sampler is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    Create,
    Rename,
    Tag(&'a str, TagRef<'a>),
    Finish,
}
