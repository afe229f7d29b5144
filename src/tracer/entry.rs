//! The entry to the start of a span: a clock read and an id, in a tracer with observers or without.
//!
//! One test, [`Core::try_plain_id`], sends the spans of a tracer with observers another way. They start as all others
//! do, and then they are marked and the observers are told.

use std::panic::Location;
use std::sync::Arc;

use crate::bounded_text::formatted;
use crate::model::TagRef;
use crate::record::{TagFacts, is_fact};
use crate::scope::with_active_parent;
use crate::span::Span;
use crate::tracer::StartSpanOptions;
use crate::tracer::core::{Beginning, Core};
use crate::tracer::new_span::StartTags;
use crate::tracer::start::{start_any, start_named_with_id, start_richer, try_start};

/// Starts a span that has only a name.
pub(super) fn start_named(
    core: &Arc<Core>,
    name: &'static str,
    place: &'static Location<'static>,
) -> Span {
    let ticks = core.recorder.clock.now();
    match core.try_plain_id() {
        Some(id) => start_named_with_id(core, name, ticks, id),
        None => start_named_slowly(core, name, ticks, place),
    }
}

/// Starts a span with options.
pub(super) fn start(core: &Arc<Core>, mut options: StartSpanOptions<'_>) -> Span {
    // Read the clock first, so that the remaining work overlaps with its latency. Draw the id next: the access to the
    // thread's generator may compile to a call, and few values are live here.
    let ticks = match options.earlier_start() {
        None => core.recorder.clock.now(),
        Some(ticks) => ticks,
    };
    let Some(id) = core.try_plain_id() else {
        return start_slowly(core, options, ticks);
    };
    match try_start(core, &mut options, ticks, id) {
        Some(span) => {
            options.give_back_simple();
            span
        }
        None => start_richer(core, options, ticks),
    }
}

/// Starts a named span of a tracer that has observers, or whose id cannot be drawn at once.
#[cold]
#[inline(never)]
fn start_named_slowly(
    core: &Arc<Core>,
    name: &'static str,
    ticks: u64,
    place: &'static Location<'static>,
) -> Span {
    match core.try_new_id().filter(|_| core.is_observed()) {
        Some(id) => {
            let beginning = Beginning {
                place: Some(place.into()),
                is_implicit: core.watches_starts && is_nothing_active(),
            };
            let span = start_named_with_id(core, name, ticks, id);
            observed(core, span, None, beginning)
        }
        None => start_slowly(core, StartSpanOptions::new(name.into(), Some(place)), ticks),
    }
}

/// Starts a span of a tracer that has observers, or whose id cannot be drawn at once.
#[cold]
#[inline(never)]
fn start_slowly(core: &Arc<Core>, mut options: StartSpanOptions<'_>, ticks: u64) -> Span {
    if !core.is_observed() {
        return start_any(core, options, ticks);
    }
    // The options are used up by the start, so the facts come first.
    let facts = facts_of(core, options.tags());
    let beginning = Beginning {
        place: options.place(),
        is_implicit: core.watches_starts && options.leave_the_parent_open() && is_nothing_active(),
    };
    let span = match core.try_new_id() {
        Some(id) => match try_start(core, &mut options, ticks, id) {
            Some(span) => {
                options.give_back_simple();
                span
            }
            None => start_richer(core, options, ticks),
        },
        None => start_any(core, options, ticks),
    };
    observed(core, span, Some(&facts), beginning)
}

/// Makes a span that was just started an observed one, and tells the observers.
#[inline(always)]
fn observed(core: &Core, span: Span, facts: Option<&TagFacts>, beginning: Beginning) -> Span {
    if let Some(slot) = span.slot() {
        slot.begin_observed(facts);
        core.observe_start(slot, beginning);
    }
    span
}

/// Returns whether the thread has neither an active span nor an active context, not even an empty one.
fn is_nothing_active() -> bool {
    with_active_parent(|active| active.is_none())
}

/// Returns what the start tags tell observers.
#[inline]
fn facts_of(core: &Core, start_tags: StartTags<'_>) -> TagFacts {
    let facts = TagFacts::default();
    for (key, value) in start_tags {
        if is_fact(key) {
            match value {
                TagRef::Display(value) => {
                    let text = core.guard("the start of a span", "a tag", || formatted(value));
                    if let Some(text) = text {
                        facts.note(key, TagRef::String(&text));
                    }
                }
                value => facts.note(key, *value),
            }
        }
    }
    facts
}
