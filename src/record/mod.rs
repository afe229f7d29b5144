//! How a span is stored: written once, in Thrift's compact protocol, by the thread that sets it.
//!
//! ```text
//!  Span ─► SpanHandle ─► SpanSlot ─► SpanBuffer          tags, logs, references: wire bytes
//!             │          │ finish
//!             │          ▼
//!             │  Store ─► ThreadQueue of this thread ─► frames ┊ worker ─► FinishedSpan ─► reporter
//!             ▼ last handle
//!          pool of this thread ◄─► depot of the tracer
//! ```
//!
//! A [`slot`](SpanSlot) is an open span, a [`frame`](FrameHeader) a finished one: a fixed header and the
//! buffer's bytes, copied into the finishing thread's [`thread queue`](thread_queue::ThreadQueue); for a packet in the same protocol
//! [`write_span`] puts the two together. Thread queues are bounded by a budget of bytes; what finds no room is counted and dropped. Spans of a trace whose sampler has not decided wait in
//! a [`SharedDecision`]. Slots and the memory of thread queues are used again and again, so that in the steady state a span costs no
//! allocation, no system call, and no atomic read-modify-write: of those there is one for each tag or log of a span that
//! has started, which anybody may set, and one or two where a span has several handles.
//!
//! Invariants: nothing of the user's runs while a lock of this room is held or a [`local`] is borrowed; a span is
//! finished once; every finished span is in a thread queue, in a `SharedDecision`, or counted; a slot is behind handles or vacant,
//! and only who has it vacant writes its plain fields; what is pooled keeps a tracer in memory and never open.
//!
//! Only here may `unsafe` stand, and only for these: a lock's value (`lock`, `owner_lock`) and a barrier for all threads
//! (`barrier`), the word of a handle and the last one's slot (`span_ref`), the pair that a thread used last and its pool
//! (`local`), bytes into reserved room (`append`, `encode`, `short_tags`, `frame`, `frames`, `thread queue`, `span_struct`) and out
//! of it (`frames`), a prefetch (`thread queue`), a list on the stack (`field_list`), borrowed tags in memory that outlives
//! them, an array that is written as far as it is used, and the pointer to what a thread keeps of that (`tag_sheet`), an instruction that reads the time (`span_clock`), a handler for forks (`fork`).
//!
//! Written for speed: no value is copied as soon as it is written word by word (the processor waits for the stores), and
//! the usual case goes straight down one function and knows what is not there.

mod decide;
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

pub(crate) use decide::{apply_decision, set_sampling_priority};
pub(crate) use finish::{finish_at, finish_now};
pub(crate) use handle::SpanHandle;
pub(crate) use open::buffer::{Added, SpanBuffer};
pub(crate) use open::field_list::FieldList;
pub(crate) use open::log_draft::LogDraft;
pub(crate) use open::shared_decision::SharedDecision;
pub(crate) use open::slot::{SpanSlot, wall};
pub(crate) use open::tags::{
    begin_with_tags, catch, count_added, count_clamped_time, count_truncated, store_simple_tag,
    store_tag,
};
pub(crate) use open::tracer::{Decider, Question, Recorder};
pub(crate) use pool::SharedPool;
pub(crate) use queue::backlog::{Backlog, BacklogMark};
pub(crate) use queue::budget::Budget;
pub use queue::finished_span::FinishedSpan;
pub(crate) use queue::frame::{FrameBytes, FrameHeader, FrameKind, ParentReference};
pub(crate) use queue::frame_list::FrameList;
pub use queue::owned_span::OwnedSpan;
pub(crate) use queue::span_queue::{SpanQueue, Take};
pub(crate) use queue::write_span::{LastTrace, write_span};
pub(crate) use span_clock::SpanClock;
pub(crate) use thread::builder_scratch::{BuilderScratch, EmptyScratch, ScratchSlot};
pub(crate) use thread::fork;
pub(crate) use thread::ids::{random_id, try_random_id};
pub(crate) use thread::slots::release_slots;
pub use wire::decode::{LogView, Logs, References, Tags};
pub use wire::limits::Limits;
pub(crate) use wire::sampler_tags::EncodedTags;
pub(crate) use wire::truncate::cut;
pub(crate) use wire::truncated_keys::TruncatedKeys;
