use super::{multiple, single};
use crate::propagation::{HeaderSet, Key};

/// The names of the B3 headers, and the prefix of baggage.
#[derive(Clone, Debug)]
pub(super) struct B3HeaderNames {
    pub(super) trace_id: Key,
    pub(super) span_id: Key,
    pub(super) parent_id: Key,
    pub(super) sampled: Key,
    pub(super) flags: Key,
    pub(super) single: Key,
    pub(super) baggage_prefix: Key,
    /// All of them, as carriers look for them.
    pub(super) set: HeaderSet,
}

impl Default for B3HeaderNames {
    fn default() -> Self {
        Self::new(Key::from_static("baggage-"))
    }
}

impl B3HeaderNames {
    pub(super) fn new(baggage_prefix: Key) -> Self {
        let [trace_id, span_id, parent_id, sampled, flags, single] = [
            multiple::TRACE_ID,
            multiple::SPAN_ID,
            multiple::PARENT_ID,
            multiple::SAMPLED,
            multiple::FLAGS,
            single::NAME,
        ]
        .map(Key::from_static);
        // The one header first: it wins, so a conflict names it.
        let all = [&single, &trace_id, &span_id, &parent_id, &sampled, &flags];
        Self {
            set: HeaderSet::new(all.map(Key::clone), [baggage_prefix.clone()]),
            trace_id,
            span_id,
            parent_id,
            sampled,
            flags,
            single,
            baggage_prefix,
        }
    }

    /// Returns whether the prefix and `key` together are one of the other headers, and so no baggage item.
    pub(super) fn is_reserved(&self, key: &str) -> bool {
        self.set
            .names()
            .filter_map(|own| own.strip_prefix(self.baggage_prefix.as_str()))
            .any(|rest| rest.eq_ignore_ascii_case(key))
    }
}
