//! How a baggage item is set on a span, within the restrictions of its tracer.

use crate::bounded_text::beginning;
use crate::metrics::Counter;
use crate::model::{field, tags};
use crate::record::SpanSlot;
use crate::span::recording::log;

/// Sets a baggage item, counts the outcome and logs it.
pub(crate) fn set_baggage_item(slot: &SpanSlot, key: &str, value: &str) {
    // The restrictions may be user code, so they are asked before the slot is locked.
    if slot.is_finished() {
        return;
    }
    let allowed = truncated(value, slot.tracer.max_baggage_bytes(key));
    let Some(outcome) = slot.change_baggage(|baggage| {
        let replaces = baggage.get(key).is_some_and(|old| !old.is_empty());
        let changed = allowed.and_then(|value| baggage.with(key, value).ok());
        match (changed, allowed) {
            (Some(changed), Some(kept)) => {
                *baggage = changed;
                Outcome::Set {
                    kept,
                    replaces,
                    is_truncated: kept.len() < value.len(),
                }
            }
            _ => Outcome::Refused,
        }
    }) else {
        return;
    };
    outcome.count(slot);
    if slot.is_recording() {
        outcome.log(slot, key, value);
    }
}

/// The outcome of setting a baggage item.
enum Outcome<'v> {
    Set {
        kept: &'v str,
        /// There was a value before, and it was not empty.
        replaces: bool,
        is_truncated: bool,
    },
    Refused,
}

impl Outcome<'_> {
    fn count(&self, slot: &SpanSlot) {
        let queue = &slot.recorder.queue;
        match self {
            Self::Set { is_truncated, .. } => {
                if *is_truncated {
                    queue.count(Counter::BaggageTruncations);
                }
                queue.count(Counter::BaggageUpdatesOk);
            }
            Self::Refused => queue.count(Counter::BaggageUpdatesErr),
        }
    }

    /// Writes the record that the Go client writes, in its order.
    fn log(&self, slot: &SpanSlot, key: &str, given: &str) {
        let (value, replaces, is_truncated, is_refused) = match *self {
            Self::Set {
                kept,
                replaces,
                is_truncated,
            } => (kept, replaces, is_truncated, false),
            Self::Refused => (given, false, false, true),
        };
        let fields = [
            field(tags::EVENT, "baggage"),
            field("key", key),
            field("value", value),
            field("override", replaces.then_some("true")),
            field("truncated", is_truncated.then_some("true")),
            field("invalid", is_refused.then_some("true")),
        ];
        log(slot, None, fields.into_iter());
    }
}

/// Returns the whole characters at the start of `value` that fit into `limit` bytes. Returns `None` if the limit is 0,
/// or if not even the first character fits.
fn truncated(value: &str, limit: usize) -> Option<&str> {
    if limit == 0 {
        return None;
    }
    let start = beginning(value, limit);
    (!start.is_empty() || value.is_empty()).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::truncated;

    #[test]
    fn a_value_is_cut_between_characters_or_refused() {
        for (value, limit, expected) in [
            ("", 0, None),
            ("", 1, Some("")),
            ("abc", 0, None),
            ("abc", 1, Some("a")),
            ("abc", 3, Some("abc")),
            ("abc", usize::MAX, Some("abc")),
            ("aé", 2, Some("a")),
            ("aé", 3, Some("aé")),
            ("éa", 1, None),
            ("🚀", 3, None),
            ("🚀🚀", 7, Some("🚀")),
        ] {
            assert_eq!(truncated(value, limit), expected, "{value:?} {limit}");
        }
    }
}
