//! What the calls of a [`Span`](crate::Span) do to its cell. Code of the user's (iterators, `Display`, samplers)
//! runs before the cell is locked.

use std::borrow::Cow;
use std::cell::Cell;
use std::iter::successors;
use std::time::SystemTime;

use crate::clock::WallTime;
use crate::metrics::{Counter, DropCause};
use crate::model::sampling::{SamplerTags, SamplingDecision, SpanView};
use crate::model::{FieldRef, Flags, SpanId, TagRef, Timestamp, TraceId, field, tags};
use crate::panics::caught;
use crate::record::{
    Added, FieldList, FrameHeader, Hold, LocalTrace, LogDraft, Question, SpanBuffer, SpanCell,
    SpanClock, SpanRef, wall,
};
use crate::span::ErrorLike;
use crate::span::error_text::with_causes;

pub(crate) fn set_operation_name(cell: &SpanCell, name: Cow<'static, str>) {
    let asks = (cell.is_undecided() || cell.is_revisable()) && !cell.is_finished();
    if asks {
        let view = SpanView::new(cell.header.trace_id, &name, cell.is_local_root);
        let decision = cell.tracer.decide(Question::Rename, &view);
        apply_decision(cell, decision);
    }
    if let Some(mut buffer) = cell.open() {
        buffer.set_operation_name(name);
    }
}

pub(crate) fn set_tag(cell: &SpanCell, key: &str, value: TagRef<'_>) {
    let is_plain = !matches!(value, TagRef::Display(_) | TagRef::None);
    if is_plain
        && key != tags::SAMPLING_PRIORITY
        && let Some(flags) = cell.decided_flags()
    {
        // The usual case: text or a number on a span whose sampler has nothing more to say.
        if flags.is_sampled() {
            store_plain_tag(cell, key, value);
        }
        return;
    }
    set_any_tag(cell, key, value);
}

#[cold]
fn set_any_tag(cell: &SpanCell, key: &str, value: TagRef<'_>) {
    if matches!(value, TagRef::None) {
        return;
    }
    if key == tags::SAMPLING_PRIORITY {
        if !cell.is_finished() {
            set_sampling_priority(cell, value);
        }
        return;
    }
    if !cell.is_recording() {
        return;
    }
    if cell.is_undecided() {
        let name = cell.operation_name();
        let view = SpanView::new(cell.header.trace_id, &name, cell.is_local_root);
        let decision = cell.tracer.decide(Question::Tag(key, value), &view);
        apply_decision(cell, decision);
        if !cell.is_recording() {
            return;
        }
    }
    store_tag(cell, key, value);
}

/// `fields` is user code: it is drained before the span is touched.
#[inline]
pub(crate) fn log<'v>(
    cell: &SpanCell,
    time: Option<Timestamp>,
    mut fields: impl Iterator<Item = FieldRef<'v>>,
) {
    let time = time.unwrap_or_else(|| now(cell));
    let mut few = FieldList::new();
    match catch(cell, || few.fill(&mut fields)) {
        Some(false) => {
            return log_many(cell, time, few.as_slice().iter().copied().chain(fields));
        }
        Some(true) => log_few(cell, time, few.as_slice()),
        None => {}
    }
    if needs_drop_of(&fields) {
        // That is the user's code as well.
        catch(cell, || drop(fields));
    }
}

fn needs_drop_of<T>(_: &T) -> bool {
    std::mem::needs_drop::<T>()
}

#[inline(never)]
fn now(cell: &SpanCell) -> Timestamp {
    Timestamp::from_nanos(wall(cell.anchor, cell.recorder.clock.now()))
}

/// The time of a log record, as far as records can have it.
#[cold]
pub(crate) fn nearest_time(cell: &SpanCell, time: SystemTime) -> Timestamp {
    let time = WallTime::nearest_to(time);
    count_moved_time(cell, time.is_clamped);
    Timestamp::from_nanos(time.nanos)
}

#[inline(never)]
fn log_few(cell: &SpanCell, time: Timestamp, fields: &[FieldRef<'_>]) {
    let Some(mut buffer) = cell.open() else {
        return;
    };
    let is_pushed = buffer.push_short_log(time, fields, &cell.recorder.limits);
    drop(buffer);
    if !is_pushed {
        log_many(cell, time, fields.iter().copied());
    }
}

/// Any fields, drained and formatted into scratch of this thread.
#[cold]
#[inline(never)]
fn log_many<'v>(cell: &SpanCell, time: Timestamp, fields: impl Iterator<Item = FieldRef<'v>>) {
    let limits = &cell.recorder.limits;
    let mut draft = LogDraft::new(time);
    let drained = catch(cell, || fields.for_each(|field| draft.push(field, limits)));
    if drained.is_some() {
        let truncated = draft.truncated;
        let record = draft.finish();
        let added = match cell.open() {
            Some(mut buffer) => buffer.push_log(record, limits),
            None => Added::default(),
        };
        count_added(cell, Added { truncated, ..added });
    }
    draft.discard();
}

pub(crate) fn log_error<const FORM: u8>(cell: &SpanCell, error: &(impl ErrorLike<FORM> + ?Sized)) {
    store_tag(cell, tags::ERROR, TagRef::Bool(true));
    let texts = catch(cell, || {
        let message = error.to_string();
        let causes = successors(error.cause(), |cause| (*cause).source());
        let object = with_causes(&message, causes);
        (message, object, error.kind())
    });
    let Some((message, object, kind)) = texts else {
        return;
    };
    log(
        cell,
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

pub(crate) fn set_baggage_item(cell: &SpanCell, key: &str, value: &str) {
    let result = cell.change_baggage(|baggage| {
        let replaces = baggage.get(key).is_some_and(|old| !old.is_empty());
        baggage.with(key, value).map(|changed| {
            *baggage = changed;
            replaces
        })
    });
    let Some(result) = result else { return };
    cell.recorder.store.count(match result {
        Ok(_) => Counter::BaggageUpdatesOk,
        Err(_) => Counter::BaggageUpdatesErr,
    });
    if cell.is_recording() {
        let fields = [
            field(tags::EVENT, "baggage"),
            field("key", key),
            field("value", value),
            field("override", (result == Ok(true)).then_some("true")),
            field("invalid", result.is_err().then_some("true")),
        ];
        log(cell, None, fields.into_iter());
    }
}

thread_local! {
    /// The span that was marked last, as long as its owner has not gone.
    static MARKED: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// The last owner was dropped while its thread panics. The work that panicked may have marked the span already.
pub(crate) fn mark_panic_unless_marked(cell: &SpanCell) {
    if MARKED.take() != Some((cell.header.trace_id, cell.header.span_id)) {
        mark_panic(cell);
        MARKED.set(None);
    }
}

/// The work of the span panics.
pub(crate) fn mark_panic(cell: &SpanCell) {
    if cell.is_recording() {
        MARKED.set(Some((cell.header.trace_id, cell.header.span_id)));
        store_tag(cell, tags::ERROR, TagRef::Bool(true));
        log(cell, None, [field(tags::EVENT, "panic")].into_iter());
    }
}

/// Ends the span now; the first call wins, a later one is counted if the user made it.
#[inline(always)]
pub(crate) fn finish(span: SpanRef, is_explicit: bool) {
    if let Err(span) = span.finish_alone(SpanClock::now_at_hand) {
        finish_slowly(span, is_explicit);
    }
}

/// The same where the time takes a call, or the span is not as most are.
#[cold]
#[inline(never)]
fn finish_slowly(span: SpanRef, is_explicit: bool) {
    if let Err(span) = span.finish_alone(|clock| Some(clock.now())) {
        let cell = span.cell();
        let end = cell.wall(cell.recorder.clock.now());
        count_moved_time(cell, cell.has_explicit_start() && end < cell.header.start);
        finish_any(span, end, is_explicit);
    }
}

/// The same at a time of the user's.
pub(crate) fn finish_at(span: SpanRef, end: SystemTime) {
    let end = WallTime::nearest_to(end);
    let is_early = end.nanos < span.cell().header.start;
    count_moved_time(span.cell(), end.is_clamped || is_early);
    finish_any(span, end.nanos, true);
}

/// Of a span that others may reach, that has ended before, whose trace was or is undecided, or for which the thread has
/// no room at hand.
#[cold]
#[inline(never)]
fn finish_any(mut span: SpanRef, end: i64, is_explicit: bool) {
    let cell = span.cell();
    if cell.is_inherited() {
        return finish_inherited(cell);
    }
    if cell.is_undecided() && !cell.is_finished() && !std::thread::panicking() {
        let name = cell.operation_name();
        let view = SpanView::new(cell.header.trace_id, &name, cell.is_local_root);
        let decision = cell.tracer.decide(Question::Finish, &view);
        apply_decision(cell, decision);
    }
    let Some((cell, mut buffer)) = span.finish() else {
        if is_explicit {
            span.cell().recorder.store.count(Counter::FinishedTwice);
        }
        return;
    };
    let store = &*cell.recorder.store;
    let flags = cell.flags();
    if flags.is_sampled() {
        cell.recorder.seal(&mut buffer);
        let header = header_at(cell, &buffer, flags, end);
        store.push(&header, &buffer.bytes(), Counter::FinishedSpansSampled);
    } else if let Some(trace) = cell.local_trace().filter(|trace| !trace.is_final()) {
        hold(cell, trace, &mut buffer, end);
        drop(buffer);
        store.count(Counter::FinishedSpansDelayed);
    } else {
        drop(buffer);
        store.count(Counter::FinishedSpansUnsampled);
    }
    if let Some(trace) = cell.local_trace().filter(|_| cell.is_local_root) {
        let waited = trace.end();
        if waited.count > 0 {
            trace.store.drop_spans(DropCause::Delayed, waited.count);
        }
        if !trace.is_final() {
            // Nobody is left who could decide: what is still open is not kept.
            trace.decide(trace.flags());
        }
    }
}

fn header_at(cell: &SpanCell, buffer: &SpanBuffer, flags: Flags, end: i64) -> FrameHeader {
    let end = buffer.end(flags, cell.duration_until(end));
    cell.header.with_end(end)
}

/// The span was open at a fork and ends in the child: the parent, which has it too, sends it.
#[cold]
fn finish_inherited(cell: &SpanCell) {
    if cell.finish_inherited() && cell.flags().is_sampled() {
        cell.recorder.store.drop_spans(DropCause::Forked, 1);
    }
}

/// Puts the sampler's answer into effect.
pub(crate) fn apply_decision(cell: &SpanCell, decision: SamplingDecision) {
    match decision {
        SamplingDecision::Sample(sampler_tags) => {
            let flags = cell.flags().with(Flags::SAMPLED);
            decide(cell, flags);
            store_sampler_tags(cell, &sampler_tags);
        }
        // A late "no" never clears what somebody else has set.
        SamplingDecision::Drop if cell.is_undecided() => decide(cell, cell.flags()),
        SamplingDecision::Drop => decide(cell, cell.flags().without(Flags::SAMPLED)),
        SamplingDecision::Delay => {}
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

fn set_sampling_priority(cell: &SpanCell, value: TagRef<'_>) {
    let is_positive = match value {
        TagRef::Bool(value) => value,
        TagRef::Long(value) => value > 0,
        TagRef::Unsigned(value) => value > 0,
        TagRef::Double(value) => value > 0.0,
        TagRef::String(text) => match text.trim().parse::<f64>() {
            Ok(value) => value > 0.0,
            Err(_) => return,
        },
        _ => return,
    };
    let flags = cell.flags();
    cell.settle();
    if !is_positive {
        decide(cell, flags.without(Flags::SAMPLED).without(Flags::DEBUG));
    } else if flags.is_debug() {
        store_tag(cell, tags::SAMPLING_PRIORITY, value);
    } else {
        let name = cell.operation_name();
        if cell.tracer.allows_debug(&name) {
            decide(cell, flags.with(Flags::SAMPLED).with(Flags::DEBUG));
            store_tag(cell, tags::SAMPLING_PRIORITY, value);
        }
    }
}

/// Makes `flags` the last word on the span, and on its local trace where that shares one.
fn decide(cell: &SpanCell, flags: Flags) {
    match cell.local_trace() {
        Some(trace) => {
            let waited = trace.decide(flags);
            if flags.is_sampled() && waited.count > 0 {
                trace.store.push_held(&waited, flags);
            }
        }
        None => cell.set_flags(flags),
    }
}

fn store_sampler_tags(cell: &SpanCell, sampler_tags: &SamplerTags) {
    store_tag(
        cell,
        tags::SAMPLER_TYPE,
        TagRef::String(sampler_tags.kind()),
    );
    store_tag(cell, tags::SAMPLER_PARAM, sampler_tags.param().as_ref());
}

fn store_tag(cell: &SpanCell, key: &str, value: TagRef<'_>) {
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
fn store_plain_tag(cell: &SpanCell, key: &str, value: TagRef<'_>) {
    let Some(mut buffer) = cell.open() else {
        return;
    };
    let added = buffer.push_tag(key, value, &cell.recorder.limits);
    drop(buffer);
    count_added(cell, added);
}

/// Sets a tag of a span that nobody else can know of yet.
#[inline]
pub(crate) fn begin_with_tag(cell: &mut SpanCell, key: &str, value: TagRef<'_>) {
    let is_plain = !matches!(value, TagRef::Display(_) | TagRef::None);
    if !is_plain || key == tags::SAMPLING_PRIORITY || cell.is_undecided() || !cell.is_recording() {
        set_tag(cell, key, value);
        return;
    }
    let added = cell.begin_with_tag(key, value);
    count_added(cell, added);
}

/// Sets tags, all of them text, numbers, truth values or bytes, of a sampled span that nobody else can know of yet.
#[inline]
pub(crate) fn begin_with_tags(cell: &mut SpanCell, tags: &[(&str, TagRef<'_>)]) {
    let added = cell.begin_with_tags(tags);
    count_added(cell, added);
}

/// Sets the tags of the sampler that has decided to keep a span that nobody else can know of yet.
#[inline]
pub(crate) fn begin_with_sampler_tags(cell: &mut SpanCell, sampler_tags: SamplerTags) {
    let truncated = cell.push_sampler_tags(sampler_tags);
    count_truncated(cell, truncated);
}

#[inline]
fn count_truncated(cell: &SpanCell, truncated: u64) {
    count_added(
        cell,
        Added {
            truncated,
            dropped: 0,
        },
    );
}

#[inline]
fn count_added(cell: &SpanCell, added: Added) {
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

fn hold(cell: &SpanCell, trace: &LocalTrace, buffer: &mut SpanBuffer, end: i64) {
    cell.recorder.seal(buffer);
    let header = header_at(cell, buffer, trace.flags(), end);
    let bytes = buffer.bytes();
    match trace.hold(&cell.recorder.store, &header, &bytes) {
        Hold::Held => {}
        Hold::Decided(flags) if flags.is_sampled() => {
            let header = FrameHeader { flags, ..header };
            cell.recorder.store.push_again(&header, &bytes);
        }
        Hold::Decided(_) => {}
        Hold::NoRoom => cell.recorder.store.drop_spans(DropCause::Delayed, 1),
    }
}
