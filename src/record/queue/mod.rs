//! Finished spans, on their way from the threads that finish them to the worker.
//!
//! A finished span is a *frame*: a fixed header and the wire bytes of the span's buffer. Each thread writes its frames
//! into a *thread queue* of its own, so threads do not wait for each other. The worker takes whole chunks of frames
//! away, reads them outside of any lock, and gives their memory back.
//!
//! ```text
//! thread ────────── push ─► thread queue ─┐
//! thread ────────── push ─► thread queue ─┼─ take ─► Backlog ─ report ─► FinishedSpan ─► reporter
//! exiting thread ── push ─► shared queue ─┘             │                     └─ write_span ─► packet
//!                               ▲                       │
//!                               │ chunks                │ chunks that have been read
//!                               └──────── Budget ◄──────┘
//! ```
//!
//! # A frame
//!
//! ```text
//! byte   0               8               16              24
//!        ┌───────────────┬───────────────┬───────────────┬───────────────┐
//!    0   │ trace id                      │ span id       │ parent id     │
//!        ├───────────────┼───────────────┼───────┬───────┼───────┬─┬─┬─┬─┤
//!   32   │ start         │ duration      │ name  │ tags  │ tag   │f│r│k│s│   f: the span's flags
//!        │ (nanoseconds) │ (nanoseconds) │ bytes │ bytes │ count │ │ │ │ │   r: reference to the parent
//!        ├───────┬───────┼───────┬───────┼───────┴───────┴───────┴─┴─┴─┴─┘   k: kind of frame
//!   64   │ refs  │ logs  │ ref   │ log   │   if s says that there are lists  s: frame flags
//!        │ bytes │ bytes │ count │ count │
//!        ├───────┴───────┴───────┴───────┴─ ─ ─ ─ ─ ─ ─ ─
//!        │ operation name, tags, references, log records
//!        └─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─
//! ```
//!
//! The header is the one that the open span has kept, so finishing is little more than a copy. Most spans have no
//! lists: their only reference, the one to the parent, is a byte of the header.
//!
//! # A thread queue
//!
//! ```text
//! behind an OwnerLock   ┌─────────────────┐ ┌─────────────────┐
//!               filled  │ frame │ frame │ │ │ frame │ frame │ │   64 KiB each, charged to the budget,
//!                       └─────────────────┘ └─────────────────┘   the oldest first
//!                       ┌───────┬─ ─ ─ ─ ─┐
//!               newest  │ frame │  room   │                       the thread writes here
//!                       └───────┴─ ─ ─ ─ ─┘
//! beside the lock       spare chunk, spare list │ pushed, full, taken │ is_closed, is_ended
//! ```
//!
//! The first chunk of a thread is small (4 KiB) and not charged, so every thread can report, and an idle one holds
//! nothing of the budget.
//!
//! # The span queue
//!
//! ```text
//! SpanQueue of a tracer ─┬─ thread queue ─┐
//!                        ├─ thread queue ─┼─ take and give back ─► Budget of the process (8 MiB):
//!                        ├─ shared queue ─┘                        bytes in use │ spare memory
//!                        └─ ledger: dropped spans by cause
//! ```
//!
//! Each process in a line of forks has its own thread queues, ledger and budget.
//!
//! # Invariants
//!
//! - A frame lies whole in one chunk, and a chunk holds nothing but whole frames.
//! - One thread at a time writes to a thread queue. The worker takes chunks under the lock and reads them outside of
//!   it.
//! - Every finished span was pushed, or found its queue full, or is in the ledger as dropped. The three counts add up.
//! - A charged chunk stays charged until its last frame has been reported.
//! - A closed queue takes no frame, not even one that was on its way.
//! - A forked child leaves the chunks and queues that it inherited alone, and counts their spans as dropped.

pub(crate) mod backlog;
pub(crate) mod budget;
pub(crate) mod finished_span;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod frame;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod frame_list;
pub(crate) mod owned_span;
pub(crate) mod span_queue;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod thread_queue;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod write_span;
