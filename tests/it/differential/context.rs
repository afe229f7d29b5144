//! What the model knows of a context, and the choice of the parent.

use tracehound::model::{Flags, ReferenceType, SpanId, TraceId};

#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    pub(super) ids: Option<(TraceId, SpanId, Option<SpanId>)>,
    pub(super) state: State,
    pub(super) is_remote: bool,
    pub(super) baggage: Vec<(String, String)>,
    pub(super) debug_id: Option<String>,
}

impl Context {
    pub(super) fn is_empty(&self) -> bool {
        self.ids.is_none() && self.baggage.is_empty() && self.debug_id.is_none()
    }
}

/// The sampling decision of a context, and who makes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Final(Flags),
    /// The receiver's sampler decides.
    Deferred(Flags),
    /// All spans of the trace in this process share the decision with this index.
    Shared(usize),
}

impl Default for State {
    fn default() -> Self {
        Self::Final(Flags::default())
    }
}

/// Returns the first `ChildOf` with a trace, else the first `FollowsFrom` with one.
pub(super) fn parent(references: &[(ReferenceType, Context)]) -> Option<&(ReferenceType, Context)> {
    let mut candidates = references
        .iter()
        .filter(|(_, context)| context.ids.is_some());
    let first = candidates.clone().next();
    candidates
        .find(|(kind, _)| *kind == ReferenceType::ChildOf)
        .or(first)
}
