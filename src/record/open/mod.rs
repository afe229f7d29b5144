//! A span while it is open.
//!
//! ```text
//!  SpanHandle ─► SpanSlot ─┬─ header     what the frame begins with, filled but for the end
//!                          ├─ status     flags and state bits in one atomic word
//!                          ├─ count      handles and owners
//!                          ├─ buffer     name, what the trace carries
//!                          │    └─► records   tags, logs, references: wire bytes
//!                          ├─ recorder   clock, limits, metrics and queue of the tracer
//!                          └─ shared_decision ─► SharedDecision of an undecided trace
//! ```
//!
//! # The memory of a slot
//!
//! A slot takes 192 bytes. It is not aligned to cache lines: glibc would spend 112 bytes more on each. Measured with
//! two threads, spans take no more processor time without, whether each thread starts and finishes its own or one
//! starts what the other tags and finishes. Only two threads that keep using every second slot of a row in memory pay,
//! 10 to 13 %. The compiler orders the fields:
//!
//! ```text
//!  field                         bytes   written by
//!  header                        64      the start
//!  recorder, tracer              24      set when the slot is made
//!  count                          8      every clone and drop of a handle
//!  key                            8      set when the slot is made
//!  anchor, shared_decision       16      the start
//!  buffer: name, carried         40      the start; then a new name, baggage, under the lock in it
//!  buffer: pointer to records     8      set when the slot is made
//!  status                         4      the start; then decisions and the finish
//!  randomness, is_local_root      9      the start
//!  facts                          6      the start of an observed span; then its tags
//! ```
//!
//! The finish copies the header into the frame. The records take 104 bytes more, and the wire bytes that they hold: 72
//! at first, which is enough for two short tags, and then twice as much each time. With the allocator's own bytes such
//! a span takes 400, and a capped one 208. Logs, references after the first and marks of what is missing stand behind
//! pointers of the records.
//!
//! # Vacant, open, finished
//!
//! A vacant slot is a `Box` in a pool or with the code that starts a span, which writes its plain fields without a
//! lock. [`SpanHandle::new`](crate::record::SpanHandle::new) makes it shared: from then on the plain fields stand
//! still, and threads change the span through `count`, `status` and the lock of `buffer` alone. The general
//! finish sets the `FINISHED` bit under that lock, so every tag is in the frame or came too late. The fast path needs
//! neither, because its handle is the only one. The last handle makes the slot vacant again.
//!
//! A slot keeps its tracer and the memory of its buffer from one span to the next, so a start allocates nothing and
//! touches no count that threads share. Memory beyond 16 KiB is freed in between.
//!
//! # Too many open spans
//!
//! A tracer has at most as many slots as its [`SlotLimit`](slot_limit::SlotLimit) says. A span that starts beyond it is
//! *capped*: it gets a slot without records, which is freed with it. So it has ids, flags, a name and baggage, and keeps
//! no tags, logs or references.
//! Only the allocation of a slot looks at the limit, so a span that finds a vacant one pays nothing.
//!
//! # No user code inside
//!
//! A value that must be formatted, or a field that comes from an iterator, is user code. It runs before the buffer is
//! locked: into a `String` (`tags`), a list on the stack (`field_list`) or a draft (`log_draft`).
//!
//! # A decision that comes late
//!
//! A span whose sampler has answered has its flags in its own status word. If the sampler puts its answer off, all
//! spans of the trace in this process share a [`SharedDecision`](shared_decision::SharedDecision), and those that
//! finish before the answer wait inside it. Until then each keeps all that a sampled one does.
//!
//! The sampler is asked only about what it [wants](crate::sampler::Interests) to know, so a tag of an undecided span
//! costs little more than one of a sampled span. Decisions are used again, as slots are: the span that is the last
//! holder clears its decision and puts it into a pool. A decision whose last holder is a context is freed.

pub(crate) mod buffer;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod field_list;
pub(crate) mod handle_count;
pub(crate) mod log_draft;
pub(crate) mod logs;
pub(crate) mod shared_decision;
pub(crate) mod slot;
pub(crate) mod slot_limit;
pub(crate) mod status;
pub(crate) mod tag_facts;
pub(crate) mod tags;
pub(crate) mod tracer;
