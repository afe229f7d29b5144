//! The methods of a [`Span`](crate::Span), as changes to its slot. User code (iterators, `Display`, samplers) runs
//! before the slot is locked.

use std::borrow::Cow;
use std::cell::Cell;
use std::iter::successors;
use std::time::SystemTime;

use crate::clock::WallTime;
use crate::model::{FieldRef, ReportedReference, SpanId, TagRef, Timestamp, TraceId, field, tags};
use crate::record::{
    Added, FieldList, LogDraft, Question, SpanSlot, ask, catch, count_added, count_clamped_time,
    count_truncated, note_fact, set_sampling_priority, store_simple_tag, store_tag, wall,
};
use crate::sampler::SamplerTags;
use crate::span::error_text::with_causes;
use crate::span::{ErrorLike, Reference};

/// Replaces the operation name. Asks the sampler first if it may still change its decision.
pub(crate) fn set_operation_name(slot: &SpanSlot, name: Cow<'static, str>) {
    // The name that it has is no question: an answer may cost a limiter's credit.
    let is_new = || {
        let buffer = slot.open();
        buffer.is_some_and(|buffer| *buffer.operation_name() != name)
    };
    if slot.asks_about_name() && is_new() {
        ask(slot, Question::Rename, &name);
    }
    if let Some(mut buffer) = slot.open() {
        buffer.set_operation_name(name);
    }
}

/// Sets a tag of an open span.
pub(crate) fn set_tag(slot: &SpanSlot, key: &str, value: TagRef<'_>) {
    let is_simple = !matches!(value, TagRef::Display(_) | TagRef::Unset);
    if !is_simple || key == tags::SAMPLING_PRIORITY {
        return set_any_tag(slot, key, value);
    }
    match slot.plain_flags() {
        // The fast path: the sampling decision is final, and the span is not observed.
        Some(flags) => {
            if flags.is_sampled() {
                store_simple_tag(slot, key, value);
            }
        }
        None => set_undecided_tag(slot, key, value),
    }
}

/// Sets tags whose values are simple, and whose keys do not decide on the trace.
#[cfg(feature = "tower")]
pub(crate) fn set_tags(slot: &SpanSlot, tags: &[(&str, TagRef<'_>)]) {
    match slot.plain_flags() {
        Some(flags) => {
            if flags.is_sampled() {
                crate::record::store_simple_tags(slot, tags);
            }
        }
        None => tags
            .iter()
            .for_each(|(key, value)| set_tag(slot, key, *value)),
    }
}

/// Sets a tag with a simple value of a span that is observed or whose decision may still change.
#[inline(never)]
fn set_undecided_tag(slot: &SpanSlot, key: &str, value: TagRef<'_>) {
    if slot.is_observed() || slot.recorder.interests.asks_about_tag(key) {
        set_any_tag(slot, key, value);
    } else if slot.is_recording() {
        store_simple_tag(slot, key, value);
    }
}

/// Sets any tag: `sampling.priority`, a value that must be formatted, one that may decide, or one of an observed span.
#[cold]
#[inline(never)]
fn set_any_tag(slot: &SpanSlot, key: &str, value: TagRef<'_>) {
    if matches!(value, TagRef::Unset) {
        return;
    }
    if slot.is_observed() {
        note_fact(slot, key, value);
    }
    if key == tags::SAMPLING_PRIORITY {
        if !slot.is_finished() {
            set_sampling_priority(slot, value);
        }
        return;
    }
    if !slot.is_recording() {
        return;
    }
    if slot.is_undecided() && slot.recorder.interests.asks_about_tag(key) {
        ask(slot, Question::Tag(key, value), &slot.operation_name());
        if !slot.is_recording() {
            return;
        }
    }
    store_tag(slot, key, value);
}

/// Writes a log record of this moment that has only an event.
pub(crate) fn log_event(slot: &SpanSlot, event: &str) {
    log_few(slot, now(slot), &[field(tags::EVENT, event)]);
}

/// Writes a log record. `fields` is user code, so it is drained before the span is locked.
#[inline]
pub(crate) fn log<'v>(
    slot: &SpanSlot,
    time: Option<Timestamp>,
    mut fields: impl Iterator<Item = FieldRef<'v>>,
) {
    let time = time.unwrap_or_else(|| now(slot));
    let mut few = FieldList::new();
    match catch(slot, || few.fill(&mut fields)) {
        Some(false) => {
            return log_many(slot, time, few.as_slice().iter().copied().chain(fields));
        }
        Some(true) => log_few(slot, time, few.as_slice()),
        None => {}
    }
    if needs_drop_of(&fields) {
        // The drop of an iterator is user code too.
        catch(slot, || drop(fields));
    }
}

fn needs_drop_of<T>(_: &T) -> bool {
    std::mem::needs_drop::<T>()
}

/// Returns the current time on the clock of the span's trace.
#[inline(never)]
fn now(slot: &SpanSlot) -> Timestamp {
    Timestamp::from_nanos(wall(slot.anchor, slot.recorder.clock.now()))
}

/// Returns the time of a log record. A time out of range is moved to the nearest one within, and counted.
#[cold]
pub(crate) fn nearest_time(slot: &SpanSlot, time: SystemTime) -> Timestamp {
    let time = WallTime::nearest_to(time);
    count_clamped_time(slot, time.is_clamped);
    Timestamp::from_nanos(time.nanos)
}

/// Writes a log record whose fields fit into a `FieldList`.
#[inline(never)]
fn log_few(slot: &SpanSlot, time: Timestamp, fields: &[FieldRef<'_>]) {
    let Some(mut buffer) = slot.open() else {
        return;
    };
    let is_pushed = buffer.push_short_log(time, fields, &slot.recorder.limits);
    drop(buffer);
    if !is_pushed {
        log_many(slot, time, fields.iter().copied());
    }
}

/// Writes a log record with any fields, which are formatted into a draft of this thread first.
#[cold]
#[inline(never)]
fn log_many<'v>(slot: &SpanSlot, time: Timestamp, fields: impl Iterator<Item = FieldRef<'v>>) {
    let limits = &slot.recorder.limits;
    let mut draft = LogDraft::new(time);
    let drained = catch(slot, || fields.for_each(|field| draft.push(field, limits)));
    if drained.is_some() {
        let truncated = draft.truncated;
        let record = draft.finish();
        let added = match slot.open() {
            Some(mut buffer) => buffer.push_log(record, limits),
            None => Added::default(),
        };
        count_added(slot, Added { truncated, ..added });
    }
    draft.discard();
}

/// Adds a reference to a span that has started.
pub(crate) fn add_reference(slot: &SpanSlot, reference: &Reference) {
    let Reference { kind, context } = reference;
    let Some((trace_id, span_id)) = context.trace_id().zip(context.span_id()) else {
        return;
    };
    let reference = ReportedReference::new(*kind, trace_id, span_id);
    let looks_like_parent = slot.header.parent_id.is_none() && trace_id == slot.header.trace_id;
    let added = match slot.open() {
        Some(mut buffer) if looks_like_parent => buffer.drop_item(),
        Some(mut buffer) => buffer.push_late_reference(&reference),
        None => Added::default(),
    };
    count_added(slot, added);
}

/// Sets the tag `error` and logs the error with its causes.
pub(crate) fn log_error<const FORM: u8>(slot: &SpanSlot, error: &(impl ErrorLike<FORM> + ?Sized)) {
    slot.note_error();
    set_tag(slot, tags::ERROR, TagRef::Bool(true));
    let texts = catch(slot, || {
        let message = error.to_string();
        let causes = successors(error.cause(), |cause| (*cause).source());
        let object = with_causes(&message, causes);
        (message, object, error.kind())
    });
    let Some((message, object, kind)) = texts else {
        return;
    };
    log(
        slot,
        None,
        [
            field(tags::EVENT, "error"),
            field(tags::MESSAGE, &message),
            field(tags::ERROR_KIND, kind),
            field(tags::ERROR_OBJECT, &object),
        ]
        .into_iter(),
    );
}

thread_local! {
    /// The span that was marked last, until its last owner is dropped.
    static MARKED: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Marks a span whose last owner is dropped during a panic, unless the work that panicked has marked it already.
pub(crate) fn mark_panic_unless_marked(slot: &SpanSlot) {
    let marked = MARKED.get();
    if marked == Some((slot.header.trace_id, slot.header.span_id)) {
        MARKED.set(None);
    } else {
        mark_panic(slot);
        MARKED.set(marked);
    }
}

/// Marks a span whose work panicked.
pub(crate) fn mark_panic(slot: &SpanSlot) {
    slot.note_error();
    if slot.is_recording() {
        MARKED.set(Some((slot.header.trace_id, slot.header.span_id)));
        set_tag(slot, tags::ERROR, TagRef::Bool(true));
        log(slot, None, [field(tags::EVENT, "panic")].into_iter());
    }
}

/// Sets a tag of a span that is not shared yet.
#[inline]
pub(crate) fn begin_with_tag(slot: &mut SpanSlot, key: &str, value: TagRef<'_>) {
    let is_simple = !matches!(value, TagRef::Display(_) | TagRef::Unset);
    if !is_simple || key == tags::SAMPLING_PRIORITY || slot.is_undecided() || !slot.is_recording() {
        set_tag(slot, key, value);
        return;
    }
    let added = slot.begin_with_tag(key, value);
    count_added(slot, added);
}

/// Sets the tags of the sampler that keeps a span. The span is not shared yet.
#[inline]
pub(crate) fn begin_with_sampler_tags(slot: &mut SpanSlot, sampler_tags: SamplerTags) {
    let truncated = slot.push_sampler_tags(sampler_tags);
    count_truncated(slot, truncated);
}
