use std::sync::Arc;

use crate::model::{Baggage, TraceState};

/// The baggage and the `tracestate` of a trace, which go from span to span beside its ids.
///
/// It is one pointer, because most traces carry neither.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried(Option<Arc<Content>>);

#[derive(Clone, Debug, Default)]
struct Content {
    baggage: Baggage,
    trace_state: TraceState,
}

static NO_BAGGAGE: Baggage = Baggage::EMPTY;

impl Carried {
    /// Joins baggage and `tracestate`, of which each may be empty.
    pub(crate) fn new(baggage: Baggage, trace_state: TraceState) -> Self {
        let is_empty = baggage.is_empty() && trace_state.is_empty();
        let content = Content {
            baggage,
            trace_state,
        };
        Self((!is_empty).then(|| Arc::new(content)))
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(crate) fn baggage(&self) -> &Baggage {
        self.0
            .as_ref()
            .map_or(&NO_BAGGAGE, |content| &content.baggage)
    }

    /// Returns the `tracestate`, unless it is empty.
    pub(crate) fn trace_state(&self) -> Option<&TraceState> {
        let content = self.0.as_ref()?;
        (!content.trace_state.is_empty()).then_some(&content.trace_state)
    }

    pub(crate) fn set_baggage(&mut self, baggage: Baggage) {
        *self = Self::new(baggage, self.trace_state().cloned().unwrap_or_default());
    }

    pub(crate) fn set_trace_state(&mut self, trace_state: TraceState) {
        *self = Self::new(self.baggage().clone(), trace_state);
    }
}
