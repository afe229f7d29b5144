//! How tags get into a span, and what is counted when one is cut or left out.

use crate::metrics::Counter;
use crate::model::TagRef;
use crate::panics::caught;
use crate::record::open::buffer::Added;
use crate::record::open::slot::SpanCell;

pub(crate) fn store_tag(cell: &SpanCell, key: &str, value: TagRef<'_>) {
    let text;
    let value = match value {
        TagRef::Display(display) => match catch(cell, || display.to_string()) {
            Some(formatted) => {
                text = formatted;
                TagRef::String(&text)
            }
            None => return,
        },
        value => value,
    };
    store_plain_tag(cell, key, value);
}

/// `value` is one of the kinds that are sent. Nothing where the span has finished.
#[inline]
pub(crate) fn store_plain_tag(cell: &SpanCell, key: &str, value: TagRef<'_>) {
    let Some(mut buffer) = cell.open() else {
        return;
    };
    let added = buffer.push_tag(key, value, &cell.recorder.limits);
    drop(buffer);
    count_added(cell, added);
}

/// Sets tags, all of them text, numbers, truth values or bytes, of a sampled span that nobody else can know of yet.
#[inline]
pub(crate) fn begin_with_tags(cell: &mut SpanCell, tags: &[(&str, TagRef<'_>)]) {
    let added = cell.begin_with_tags(tags);
    count_added(cell, added);
}

#[inline]
pub(crate) fn count_truncated(cell: &SpanCell, truncated: u64) {
    count_added(
        cell,
        Added {
            truncated,
            dropped: 0,
        },
    );
}

#[inline]
pub(crate) fn count_added(cell: &SpanCell, added: Added) {
    if added.truncated | added.dropped != 0 {
        cell.recorder
            .metrics
            .add(Counter::TruncatedValues, added.truncated);
        cell.recorder
            .metrics
            .add(Counter::DroppedItems, added.dropped);
    }
}

/// Counts a time that cannot be as the user says, if the span may be sent.
pub(crate) fn count_moved_time(cell: &SpanCell, is_moved: bool) {
    if is_moved && cell.is_recording() {
        cell.recorder.metrics.add(Counter::ClampedTimes, 1);
    }
}

/// Runs code of the user's; `None`, counted, where it panics.
pub(crate) fn catch<R>(cell: &SpanCell, run: impl FnOnce() -> R) -> Option<R> {
    let result = caught(run);
    if result.is_none() {
        cell.recorder.metrics.add(Counter::CallbackPanics, 1);
    }
    result
}
