use std::collections::{HashMap, VecDeque};

use crate::model::{SpanId, TraceId};
use crate::view::OpenSpan;

/// The roots of this process that have started and have not come yet, one a trace.
///
/// Their number is bounded. The oldest is forgotten first: it may never come, because it was lost or not sampled after
/// all.
#[derive(Debug, Default)]
pub(crate) struct OpenSpans {
    by_trace: HashMap<TraceId, OpenSpan>,
    /// Traces in the order of their starts. One that has come stays in the list for a while.
    order: VecDeque<TraceId>,
}

impl OpenSpans {
    /// Records a root that has started.
    pub(crate) fn open(&mut self, span: OpenSpan) {
        let trace_id = span.trace_id;
        if self.by_trace.insert(trace_id, span).is_none() {
            self.order.push_back(trace_id);
        }
        while self.by_trace.len() > MAX_OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_trace.remove(&oldest);
        }
        if self.order.len() > 2 * MAX_OPEN {
            self.order.retain(|id| self.by_trace.contains_key(id));
        }
    }

    /// Forgets a root that has come.
    pub(crate) fn close(&mut self, trace_id: TraceId, span_id: SpanId) {
        let open = self.by_trace.get(&trace_id);
        if open.is_some_and(|open| open.span_id == span_id) {
            self.by_trace.remove(&trace_id);
        }
    }

    /// Returns the root of a trace, if it is open.
    pub(crate) fn get(&self, trace_id: TraceId) -> Option<&OpenSpan> {
        self.by_trace.get(&trace_id)
    }
}

const MAX_OPEN: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::fixtures::{open, trace_id};

    #[test]
    fn open_spans_are_bounded_and_the_oldest_is_forgotten() {
        let mut spans = OpenSpans::default();
        for trace in 1..=20_000 {
            let mut root = open("shop", "checkout", 1, 0);
            root.trace_id = trace_id(trace);
            spans.open(root.clone());
            if trace % 2 == 0 {
                spans.close(root.trace_id, root.span_id);
            }
            assert!(spans.order.len() <= 2 * MAX_OPEN);
        }
        assert!(spans.by_trace.len() <= MAX_OPEN);
        assert!(spans.get(trace_id(19_999)).is_some());
        assert!(spans.get(trace_id(20_000)).is_none());
        assert!(spans.get(trace_id(1)).is_none());
    }

    #[test]
    fn only_the_root_itself_closes_its_entry() {
        let mut spans = OpenSpans::default();
        let root = open("shop", "checkout", 1, 0);
        spans.open(root.clone());
        spans.close(root.trace_id, SpanId::new(2).expect("not zero"));
        assert_eq!(spans.get(root.trace_id), Some(&root));
        spans.close(root.trace_id, root.span_id);
        assert_eq!(spans.get(root.trace_id), None);
    }
}
