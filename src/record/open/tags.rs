//! Storing tags in a span, and counting the parts that are cut or left out.

use crate::bounded_text::formatted;
use crate::metrics::Counter;
use crate::model::TagRef;
use crate::panics::caught;
use crate::record::open::buffer::Added;
use crate::record::open::slot::SpanSlot;
use crate::record::open::tag_facts::is_fact;

/// Formats `value` if need be, which runs user code, and sets the tag. Does nothing if the span is capped.
pub(crate) fn store_tag(slot: &SpanSlot, key: &str, value: TagRef<'_>) {
    if slot.is_capped() {
        return;
    }
    let text;
    let value = match value {
        TagRef::Display(display) => match catch(slot, || formatted(display)) {
            Some(formatted) => {
                text = formatted;
                TagRef::String(&text)
            }
            None => return,
        },
        value => value,
    };
    store_simple_tag(slot, key, value);
}

/// Notes what a tag of an observed span tells, kept or not. Formats a value that is not simple, which runs user code.
pub(crate) fn note_fact(slot: &SpanSlot, key: &str, value: TagRef<'_>) {
    if !is_fact(key) || slot.is_finished() {
        return;
    }
    match value {
        TagRef::Display(display) => {
            if let Some(text) = catch(slot, || formatted(display)) {
                slot.facts.note(key, TagRef::String(&text));
            }
        }
        value => slot.facts.note(key, value),
    }
}

/// Sets a tag with a simple value: text, a number, a truth value or bytes. Does nothing if the span has finished.
#[inline]
pub(crate) fn store_simple_tag(slot: &SpanSlot, key: &str, value: TagRef<'_>) {
    let Some(mut buffer) = slot.open() else {
        return;
    };
    let added = buffer.push_tag(key, value, &slot.recorder.limits);
    drop(buffer);
    count_added(slot, added);
}

/// Like [`store_simple_tag`], for several tags.
#[cfg(feature = "tower")]
#[inline(never)]
pub(crate) fn store_simple_tags(slot: &SpanSlot, tags: &[(&str, TagRef<'_>)]) {
    let Some(mut buffer) = slot.open() else {
        return;
    };
    let added = buffer.push_tags(tags, &slot.recorder.limits);
    drop(buffer);
    count_added(slot, added);
}

/// Sets tags with simple values of a sampled span that is not shared yet.
#[inline]
pub(crate) fn begin_with_tags(slot: &mut SpanSlot, tags: &[(&str, TagRef<'_>)]) {
    let added = slot.begin_with_tags(tags);
    count_added(slot, added);
}

/// Counts values that were cut.
#[inline]
pub(crate) fn count_truncated(slot: &SpanSlot, truncated: u64) {
    count_added(
        slot,
        Added {
            truncated,
            dropped: 0,
        },
    );
}

/// Counts what was cut or left out of something that was added.
#[inline]
pub(crate) fn count_added(slot: &SpanSlot, added: Added) {
    slot.recorder.count_added(added);
}

/// Counts a time that was moved into the possible range, if the span may be sent.
pub(crate) fn count_clamped_time(slot: &SpanSlot, is_clamped: bool) {
    if is_clamped && slot.is_recording() {
        slot.recorder.metrics.add(Counter::ClampedTimes, 1);
    }
}

/// Runs user code. Returns `None` and counts the panic if it panics.
pub(crate) fn catch<R>(slot: &SpanSlot, run: impl FnOnce() -> R) -> Option<R> {
    let result = caught(run);
    if result.is_none() {
        slot.recorder.metrics.add(Counter::CallbackPanics, 1);
    }
    result
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use crate::bounded_text::formatted;

    struct Fails;

    impl fmt::Display for Fails {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("as far as")?;
            Err(fmt::Error)
        }
    }

    #[test]
    fn a_value_that_fails_to_format_is_kept_as_far_as_it_came() {
        assert_eq!(formatted(&Fails), "as far as");
    }
}
