//! What a span asks its tracer, and tells it.

use std::borrow::Cow;
use std::fmt;

use crate::diagnostics::Diagnostics;
use crate::model::{Flags, Place, TagRef};
use crate::record::open::tag_facts::TagFacts;
use crate::record::queue::frame::FrameHeader;
use crate::sampler::{SamplingDecision, SpanView};

/// The questions that a span asks its tracer. This is the one place where a lower floor calls a higher one.
///
/// All methods may run user code, so the caller holds no lock and borrows no state of its thread.
pub(crate) trait Decider: Send + Sync + fmt::Debug {
    /// Asks the sampler. The answer is no if the sampler panics.
    fn decide(&self, question: Question<'_>, span: &SpanView<'_>) -> SamplingDecision;

    /// Returns whether a debug id or a `sampling.priority` may force a trace now.
    fn allows_debug(&self, operation_name: &str) -> bool;

    /// Returns the flags that a `sampling.priority` above zero adds, if it may force a trace now.
    fn forced_flags(&self, operation_name: &str) -> Option<Flags> {
        let flags = Flags::SAMPLED.with(Flags::DEBUG);
        self.allows_debug(operation_name).then_some(flags)
    }

    /// Returns where the tracer says what is wrong, if it says it at all.
    fn diagnostics(&self) -> Option<&Diagnostics> {
        None
    }

    /// Tells the observers that a span has finished.
    fn observe_finish(&self, _span: &Observation<'_>) {}

    /// Returns the most bytes that a value of a baggage key may have, or 0 if the key may not be set.
    fn max_baggage_bytes(&self, key: &str) -> usize;
}

/// The view of a span for observers: references to its slot, mostly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation<'a> {
    pub(crate) header: &'a FrameHeader,
    pub(crate) facts: &'a TagFacts,
    pub(crate) operation_name: &'a Cow<'static, str>,
    pub(crate) is_local_root: bool,
    /// `None` while the trace is undecided.
    pub(crate) is_sampled: Option<bool>,
    /// Nanoseconds since the start; 0 at the start.
    pub(crate) duration: u64,
    /// Facts that are known at the start only.
    pub(crate) start: Option<StartFacts>,
}

/// The facts about the start of a span that the span does not keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StartFacts {
    /// The start as ticks of the clock. Negative if the user gave a time before tick zero.
    pub(crate) ticks: i64,
    pub(crate) place: Option<Place>,
    /// The span is the root of a trace only because nothing was active.
    pub(crate) is_implicit_root: bool,
}

/// The event about which a sampler is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question<'a> {
    Create,
    Rename,
    Tag(&'a str, TagRef<'a>),
    Finish,
}
