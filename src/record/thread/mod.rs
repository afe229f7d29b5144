//! What a thread keeps of the tracers that it uses.
//!
//! ```text
//!  this thread
//!  CURRENT ─► ThreadState of the tracer that it used last    one plain load, no destructor
//!  STATES  ─► every ThreadState of this thread               destroyed when the thread ends
//!                │
//!                ├─ writer     ─► thread queue ┊► worker
//!                ├─ counters   ─► metrics
//!                ├─ pool       up to 64 vacant slots ◄─ 32 at a time ─► shared pool of the tracer, up to 512
//!                └─ sampler_tags, encoded
//!  ids::STATE      generator of random ids, seeded by the first use
//!  ScratchSlot     memory of the last span builder (a static of the tracer's room)
//! ```
//!
//! # Finding the state
//!
//! The fast path compares the tracer of `CURRENT` with its own and uses the state if they agree. Otherwise `STATES` is
//! searched, the thread registers with the tracer if it is new to it, and `CURRENT` is set. A thread that works for
//! several tracers in turn pays the search at every change.
//!
//! # Slots and pools
//!
//! A start pops a slot from the thread's pool, then from the shared pool, and allocates one if both are empty. The last
//! handle of a span pushes the slot into the pool of its own thread, whichever thread started the span, or into the
//! shared pool if its thread is not registered. A full pool moves a batch to the shared pool. So a thread that only
//! starts spans and a thread that only finishes them do not allocate either.
//!
//! Slots in a pool keep their tracer in memory. Once the tracer is closed, its pools are emptied: by the thread that
//! closes it, and on every other thread when it gives a slot back, begins to use another tracer, or ends. The last slot
//! drops the tracer, which may run user code, so slots are dropped only while no state is borrowed.
//!
//! # Thread end
//!
//! `STATES` is destroyed: the thread queue is marked as ended and stays until the worker has read it, the counters are
//! added to those of the metrics, and the pool moves to the shared pool. From then on the thread has no state. A span
//! that finishes still later, in another destructor, goes to a queue that all threads of the tracer share, and is
//! counted in the metrics directly.
//!
//! # Restored snapshots
//!
//! Copies of a process that was frozen go on with the same generators. [`reseed`] asks all threads to seed theirs anew.
//! The fast path cannot afford to look for that at every id. So `reseed` gives each tracer a new id for its states: on
//! every thread the next start does not find its state, goes the slow way and draws its id there.
//!
//! # Work of the tracer itself
//!
//! While a worker runs its turn, its thread has no `CURRENT`, so that every start there leaves the fast path, sees that
//! a tracer works here, and makes a no-op span (`own_work`).
//!
//! # Without a worker
//!
//! If no worker thread can be started, every start should try again until one can. So the queue takes a new id for its
//! states then, as for `reseed`, and no state takes it before there is a worker: counting or finishing a span would put
//! the thread back on the fast path. A start that did not find its state asks for a worker
//! ([`vacant`](crate::record::SpanSlot::vacant)).
//!
//! # Forked child
//!
//! A forked child has one thread, and may inherit locks whose holders do not exist there. A handler sets `CURRENT` to
//! null and the generator to its unseeded state (`fork`). The next start searches `STATES`, finds that its states
//! belong to the parent, and leaks them: to free them would take locks of the parent.

#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod builder_scratch;
#[cfg_attr(
    all(unix, not(miri)),
    expect(unsafe_code, reason = "to be told of forks")
)]
pub(crate) mod fork;
mod hand_over;
pub(crate) mod ids;
pub(crate) mod own_work;
pub(crate) mod reseed;
pub(crate) mod slots;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod state;
