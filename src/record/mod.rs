//! How a span is stored, from its start until the worker reads it.
//!
//! A tag or log is encoded once, in Thrift's compact protocol, by the thread that sets it, into the memory of the open
//! span: its *slot*. The thread that finishes the span copies these bytes with a fixed header into its own queue, as
//! one *frame*, and keeps the slot for its next span. The worker takes frames away in chunks and shows each to the
//! reporter.
//!
//! # The wings
//!
//! Each stands on those below it and imports from them only: `tests/it/floors/wings.rs` holds this.
//!
//! ```text
//!  finish           how a span ends, fast
//!  ending           how any other span ends
//!  decide           how a sampling decision comes late
//!  handle           SpanHandle: one word that points at a slot
//!  thread/          what a thread keeps: its queue, counters, vacant slots, ids
//!  open/            a span while it is open: slot, buffer, status, shared decision
//!  queue/           finished spans: frames, thread queues, budget, the span queue of a tracer
//!  wire/   pool   span_clock
//! ```
//!
//! # The way of the data
//!
//! ```text
//!  Span ─► SpanHandle ─► SpanSlot ─► SpanBuffer          name, tags, logs, references: wire bytes
//!                           │ finish
//!            ┌──────────────┴────────────┐
//!            ▼ the bytes                 ▼ the slot, with the last handle
//!  frame in the thread queue      pool of this thread ◄─► shared pool of the tracer
//!            ┊
//!            ▼ worker
//!  FinishedSpan ─► reporter
//! ```
//!
//! Finished spans of a trace whose sampler has not decided wait in a [`SharedDecision`]. A budget of bytes bounds the
//! thread queues; a span that finds no room is dropped and counted.
//!
//! # Invariants
//!
//! - No user code runs while a lock of this room is held or the state of a thread is borrowed.
//! - A span finishes once: with several handles one atomic operation on its status word decides which caller finishes
//!   it; a span with one handle needs none.
//! - Every finished span is in a thread queue, in a [`SharedDecision`], or counted.
//! - A slot is vacant and owned as a `Box`, or it is behind handles. Its plain fields change only while it is vacant.
//! - A slot in a pool keeps its tracer in memory, but does not keep it open.
//!
//! # Speed
//!
//! In the steady state a span costs no allocation and no system call, because slots and chunks of queues are used
//! again. Its only atomic read-modify-write operations are one for each tag or log that is set after the start, and one
//! or two if it has several handles. Three rules keep the fast path fast:
//!
//! - The common case is one straight function that skips absent parts. Rare cases are calls at its end, so it need not
//!   save registers.
//! - A value that was written field by field is not copied as a whole right away: the processor would wait for the
//!   stores.
//! - One plain load finds the thread's state for the tracer that it used last.
//!
//! # Where `unsafe` stands
//!
//! | file | for what |
//! |---|---|
//! | `handle` | the word of a handle, and the slot that the last handle gets back |
//! | `pool` | the list of a pool that one thread uses |
//! | `span_clock` | the instruction that reads the time-stamp counter |
//! | `open/field_list` | an array on the stack that is filled from the front |
//! | `thread/state` | the pointer to what a thread keeps of the tracer that it used last |
//! | `thread/builder_scratch` | borrowed tags in memory that outlives the borrow, and the pointer to that memory |
//! | `thread/fork` | registering a handler for forks |
//! | `queue/thread_queue` | frames written into a chunk, and a prefetch |
//! | `queue/{frame, frame_list, write_span}` | frames written into reserved room and read out of it |
//! | `wire/{appender, encode, short_tag}` | bytes written into reserved room |
//!
//! The locks that all of this uses stand in `sync`.

#[cfg(test)]
mod counted_tracer;
mod decide;
mod ending;
mod finish;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod handle;
#[cfg(all(test, tracehound_loom))]
mod interleavings;
mod open;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod pool;
mod queue;
#[cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "an instruction")
)]
mod span_clock;
mod thread;
pub(crate) mod wire;

pub(crate) use decide::{apply_decision, ask, set_sampling_priority};
pub(crate) use finish::{finish_at, finish_now};
pub(crate) use handle::SpanHandle;
pub(crate) use open::buffer::{Added, SpanBuffer};
pub(crate) use open::field_list::FieldList;
pub(crate) use open::log_draft::LogDraft;
pub(crate) use open::shared_decision::{ContextExtras, DecisionRef, RequestTexts, SharedDecision};
pub(crate) use open::slot::{Recorder, SpanSlot, wall};
pub(crate) use open::slot_limit::SlotLimit;
pub(crate) use open::tag_facts::{TagFacts, is_fact};
#[cfg(feature = "tower")]
pub(crate) use open::tags::store_simple_tags;
pub(crate) use open::tags::{
    begin_with_tags, catch, count_added, count_clamped_time, count_truncated, note_fact,
    store_simple_tag, store_tag,
};
pub(crate) use open::tracer::{Decider, Observation, Question, StartFacts};
pub(crate) use queue::backlog::{Backlog, BacklogMark};
pub(crate) use queue::budget::Budget;
pub use queue::finished_span::FinishedSpan;
pub(crate) use queue::frame::{FrameBytes, FrameHeader, FrameKind, ParentReference};
pub(crate) use queue::frame_list::{FrameList, Frames};
pub use queue::owned_span::OwnedSpan;
pub(crate) use queue::span_queue::{SpanQueue, Take};
pub(crate) use queue::write_span::{LastTrace, write_span};
pub(crate) use span_clock::SpanClock;
pub(crate) use thread::builder_scratch::{BuilderScratch, EmptyScratch, ScratchSlot};
pub(crate) use thread::fork;
#[cfg(test)]
pub(crate) use thread::ids::set_state;
pub(crate) use thread::ids::{random_id, renew_generator, try_random_id};
pub(crate) use thread::own_work::is_own_work;
pub(crate) use thread::reseed::{reseed, reseeds};
pub(crate) use thread::slots::release_slots;
pub(crate) use thread::state::without_spans;
pub use wire::decode::{LogView, Logs, References, Tags};
pub use wire::limits::Limits;
pub(crate) use wire::sampler_tags::EncodedTags;
pub(crate) use wire::truncate::cut;
pub(crate) use wire::truncated_keys::TruncatedKeys;
