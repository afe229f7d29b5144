//! How a span is stored: written once, in Thrift's compact protocol, by the thread that sets it.
//!
//! ```text
//!  Span ─► SpanRef ─► SpanCell ─► SpanBuffer          tags, logs, references: wire bytes
//!             │          │ finish
//!             │          ▼
//!             │  Store ─► Ring of this thread ─► frames ┊ worker ─► FinishedSpan ─► reporter
//!             ▼ last handle
//!          pool of this thread ◄─► depot of the tracer
//! ```
//!
//! A [`cell`](SpanCell) is an open span, a [`frame`](FrameHeader) a finished one: a fixed header and the
//! buffer's bytes, copied into the finishing thread's [`ring`](ring::Ring); for a packet in the same protocol
//! [`write_span`] puts the two together. Rings are bounded by a budget of bytes; what finds no room is counted and dropped. Spans of a trace whose sampler has not decided wait in
//! a [`LocalTrace`]. Boxes and the memory of rings are used again and again, so that in the steady state a span costs no
//! allocation, no system call, and no atomic read-modify-write: of those there is one for each tag or log of a span that
//! has started, which anybody may set, and one or two where a span has several handles.
//!
//! Invariants: nothing of the user's runs while a lock of this room is held or a [`local`] is borrowed; a span is
//! finished once; every finished span is in a ring, in a `LocalTrace`, or counted; a box is behind handles or vacant,
//! and only who has it vacant writes its plain fields; what is pooled keeps a tracer in memory and never open.
//!
//! Only here may `unsafe` stand, and only for these: a lock's value (`lock`, `owner_lock`) and a barrier for all threads
//! (`barrier`), the word of a handle and the last one's box (`span_ref`), the pair that a thread used last and its pool
//! (`local`), bytes into reserved room (`append`, `encode`, `short_tags`, `frame`, `frames`, `ring`, `span_struct`) and out
//! of it (`frames`), a prefetch (`ring`), a list on the stack (`field_list`), borrowed tags in memory that outlives
//! them, an array that is written as far as it is used, and the pointer to what a thread keeps of that (`tag_sheet`), an instruction that reads the time (`span_clock`), a handler for forks (`fork`).
//!
//! Written for speed: no value is copied as soon as it is written word by word (the processor waits for the stores), and
//! the usual case goes straight down one function and knows what is not there.

#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod append;
mod backlog;
#[cfg_attr(
    all(target_os = "linux", not(miri), not(tracehound_loom)),
    expect(unsafe_code, reason = "a system call")
)]
mod barrier;
mod budget;
mod buffer;
mod cell;
mod depot;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod encode;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod field_list;
mod finish;
mod finished_span;
#[cfg_attr(
    all(unix, not(miri)),
    expect(unsafe_code, reason = "to be told of forks")
)]
mod fork;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod frame;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod frames;
#[cfg(all(test, tracehound_loom))]
mod interleavings;
mod keys;
mod lifecycle;
mod limited_tag;
mod limits;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod local;
mod local_trace;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod lock;
mod log_draft;
mod logs;
mod marks;
mod owned_span;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod owner_lock;
mod random;
mod recorder;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod ring;
mod sampler_tags;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod short_tags;
#[cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "an instruction")
)]
mod span_clock;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod span_ref;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod span_struct;
mod store;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
mod tag_sheet;
mod truncated_keys;

pub(crate) use backlog::{Backlog, BacklogMark};
pub(crate) use budget::Budget;
pub(crate) use buffer::{Added, SpanBuffer};
pub(crate) use cell::{SpanCell, wall};
pub use encode::{LogView, Logs, References, Tags};
pub(crate) use field_list::FieldList;
pub use finished_span::FinishedSpan;
pub(crate) use frame::{FrameBytes, FrameHeader, FrameKind, ParentReference};
pub(crate) use frames::Frames;
pub(crate) use lifecycle::{Lifecycle, Question};
pub use limits::Limits;
pub(crate) use limits::cut;
pub(crate) use local_trace::{Hold, LocalTrace};
pub(crate) use log_draft::LogDraft;
pub use owned_span::OwnedSpan;
pub(crate) use random::{random_id, random_id_at_hand};
pub(crate) use recorder::Recorder;
pub(crate) use sampler_tags::EncodedTags;
pub(crate) use span_clock::SpanClock;
pub(crate) use span_ref::SpanRef;
pub(crate) use span_struct::{LastTrace, write_span};
pub(crate) use store::{Store, Take};
pub(crate) use tag_sheet::{EmptySheet, SheetPlace, TagSheet};
pub(crate) use truncated_keys::TruncatedKeys;
