//! The queue of one tracer: the thread queues of all its threads, and the account of dropped spans.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, TryLockError};

use crate::metrics::{DropCause, DropCounts, Ledger, Metrics};
use crate::record::queue::backlog::{Backlog, BacklogMark};
use crate::record::queue::budget::Budget;
use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::frame::{FrameBytes, FrameHeader, FrameKind};
use crate::record::queue::thread_queue::chunk::Chunk;
use crate::record::queue::thread_queue::{Pushed, QueueWriter, ThreadQueue};
use crate::record::wire::repeated_keys::without_repeated_keys;
use crate::record::wire::sampler_tags::EncodedTags;
use crate::sync::{Mutex, MutexGuard, PerProcess, generation};

/// Takes finished spans from any thread, gives them to the worker, and counts the spans that are dropped in between.
pub(crate) struct SpanQueue {
    /// The id by which a start recognizes the state of its thread. A new one sends every thread off the fast path once.
    state_id: AtomicU64,
    id: u64,
    budget: Arc<Budget>,
    metrics: Metrics,
    process: PerProcess<ProcessState>,
    wake: OnceLock<Wake>,
    is_awake: AtomicBool,
    is_closed: AtomicBool,
    /// The tags of a constant sampler, for frames that do not hold them.
    sampler_tags: OnceLock<Arc<EncodedTags>>,
}

/// Identifies a span queue in one process of a line of forks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueKey(u64);

impl QueueKey {
    pub(crate) fn is_of_this_process(self) -> bool {
        self.0 as u32 == generation()
    }
}

/// Which spans [`SpanQueue::take`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// Filled chunks only. Threads without a filled chunk do not notice.
    Filled,
    /// All spans that wait.
    All,
}

/// Asks the worker to drain, and returns whether there is a worker. The argument says whether the callback may start
/// one, which runs user code.
type Wake = Box<dyn Fn(bool) -> bool + Send + Sync>;

/// The part of a span queue that each process of a line of forks has for itself.
struct ProcessState {
    ledger: Ledger,
    thread_queues: Mutex<ThreadQueues>,
    /// For spans that finish while their thread is torn down and its own queue is gone.
    shared_queue: Arc<ThreadQueue>,
    /// No worker is running; the first span must start one.
    needs_worker: AtomicBool,
}

#[derive(Debug, Default)]
struct ThreadQueues {
    all: Vec<Arc<ThreadQueue>>,
    /// The counts of queues that were forgotten after their threads ended.
    pushed: u64,
    full: u64,
}

impl SpanQueue {
    pub(crate) fn new(budget: Arc<Budget>, metrics: Metrics) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            state_id: AtomicU64::new(new_state_id()),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            process: PerProcess::new(ProcessState::new(&budget)),
            budget,
            metrics,
            wake: OnceLock::new(),
            is_awake: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            sampler_tags: OnceLock::new(),
        }
    }

    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    #[inline(always)]
    pub(crate) fn state_id(&self) -> u64 {
        self.state_id.load(Ordering::Relaxed)
    }

    /// Returns the state id that a thread's state may take, with what happened before it was renewed. Without a worker
    /// it is one that no start recognizes, so that every start asks for one.
    pub(crate) fn state_id_in_order(&self) -> u64 {
        // Acquire: pairs with `renew_state_id`. Read first: who sees the id of `need_worker` sees its flag too.
        let id = self.state_id.load(Ordering::Acquire);
        match self.process().needs_worker.load(Ordering::Relaxed) {
            true => NO_STATE,
            false => id,
        }
    }

    /// Sends every thread of the tracer off the fast path once.
    pub(crate) fn renew_state_id(&self) {
        // Release: who sees the new id sees what happened before.
        self.state_id.store(new_state_id(), Ordering::Release);
    }

    /// Identifies this queue in this process.
    pub(crate) fn key(&self) -> QueueKey {
        QueueKey(self.id << 32 | u64::from(generation()))
    }

    /// Returns whether the queue refuses finished spans.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Sets the callback for memory pressure and for a missing worker.
    pub(crate) fn on_need(&self, wake: impl Fn(bool) -> bool + Send + Sync + 'static) {
        // A queue has one worker. A second callback would never be called.
        let _ = self.wake.set(Box::new(wake));
    }

    /// Starts a worker if none is running. A thread calls this at a span that found no vacant slot or no current state,
    /// which in a forked child is the first span. May run user code.
    pub(crate) fn enter(&self) {
        let needs_worker = &self.process().needs_worker;
        // Looked at first: a thread that uses several tracers in turn calls this at most of its spans.
        if needs_worker.load(Ordering::Relaxed)
            && needs_worker.swap(false, Ordering::Relaxed)
            && !self.is_closed()
        {
            self.wake(true);
        }
    }

    /// Notes that no worker could be started. Until one is, every start leaves the fast path and tries again, by
    /// [`enter`](Self::enter).
    pub(crate) fn need_worker(&self) {
        self.process().needs_worker.store(true, Ordering::Relaxed);
        self.renew_state_id();
    }

    /// Wakes the worker, or counts a dropped span that its queue has not counted.
    pub(crate) fn after_push(&self, pushed: Pushed) {
        match pushed {
            Pushed::Taken => {}
            // The caller holds the lock of the span, so the callback must not run user code.
            Pushed::TakenMany | Pushed::Full => self.wake(false),
            Pushed::Refused => self.drop_spans(DropCause::QueueFull, 1),
            Pushed::Closed => self.drop_late(),
        }
    }

    /// Counts a span that finished after the tracer was closed, and notes why it was lost.
    #[cold]
    fn drop_late(&self) {
        let cause = DropCause::AfterShutdown;
        self.drop_spans(cause, 1);
        self.metrics.note_loss(cause, || {
            "the span finished after the tracer had been closed; finish spans first, and close last".to_owned()
        });
    }

    /// Counts spans that were dropped before they reached a queue.
    pub(crate) fn drop_spans(&self, cause: DropCause, n: u64) {
        self.process().ledger.drop_spans(cause, n);
    }

    /// Moves waiting spans from their threads to `backlog`. Returns their size in bytes.
    pub(crate) fn take(&self, which: Take, backlog: &mut Backlog) -> usize {
        self.is_awake.store(false, Ordering::Relaxed);
        let waits = |thread_queue: &ThreadQueue| match which {
            Take::Filled => thread_queue.has_filled(),
            Take::All => thread_queue.waiting() > 0,
        };
        let mut thread_queues: Vec<_> = {
            let all = self.thread_queues();
            let all = all.all.iter().filter(|thread_queue| waits(thread_queue));
            all.cloned().collect()
        };
        if waits(&self.process().shared_queue) {
            thread_queues.push(self.process().shared_queue.clone());
        }
        let mut bytes = 0;
        for thread_queue in thread_queues {
            let chunks = match which {
                Take::Filled => thread_queue.take_filled(),
                Take::All => thread_queue.take(),
            };
            bytes += chunks.iter().map(Chunk::len).sum::<usize>();
            backlog.add(thread_queue, chunks);
        }
        if which == Take::All {
            if bytes == 0 {
                self.budget.trim();
            }
            self.forget_ended();
        }
        bytes
    }

    /// Hands the spans of `backlog` before `mark` to `report`, until it returns false. Each thread's oldest span comes
    /// first. Returns how many it handed over.
    pub(crate) fn report(
        &self,
        backlog: &mut Backlog,
        mark: BacklogMark,
        mut report: impl FnMut(&FinishedSpan<'_>) -> bool,
    ) -> u64 {
        let mut tags = Vec::new();
        backlog.read_on(mark, |span| {
            let mut span = span;
            if span.header().kind == FrameKind::WithSamplerTags {
                self.prepend_sampler_tags(&mut span, &mut tags);
            }
            report_each_key_once(&span, &mut report)
        })
    }

    /// Hands every waiting span to `report`. Returns how many it handed over.
    pub(crate) fn drain(&self, mut report: impl FnMut(&FinishedSpan<'_>)) -> u64 {
        let mut backlog = Backlog::default();
        self.take(Take::All, &mut backlog);
        let end = backlog.end();
        let count = self.report(&mut backlog, end, |span| {
            report(span);
            true
        });
        self.forget_ended();
        count
    }

    /// Prepends the sampler's tags to the span's own. If the span has its own, `tags` becomes the memory for all of
    /// them.
    #[inline]
    fn prepend_sampler_tags<'a>(&'a self, span: &mut FinishedSpan<'a>, tags: &'a mut Vec<u8>) {
        let Some(sampler_tags) = self.sampler_tags.get() else {
            return;
        };
        let mut all = &*sampler_tags.bytes;
        if !span.tag_bytes().is_empty() {
            tags.clear();
            tags.extend_from_slice(all);
            tags.extend_from_slice(span.tag_bytes());
            all = tags;
        }
        span.prepend_tags(all, EncodedTags::COUNT);
    }

    /// Sets the tags of a constant sampler. Call it before the first span starts.
    pub(crate) fn set_sampler_tags(&self, tags: Arc<EncodedTags>) {
        let _ = self.sampler_tags.set(tags);
    }

    /// Refuses and counts spans that finish from now on.
    pub(crate) fn close(&self) {
        let thread_queues = self.thread_queues();
        self.is_closed.store(true, Ordering::Relaxed);
        self.process().shared_queue.close();
        for thread_queue in &thread_queues.all {
            thread_queue.close();
        }
    }

    /// Returns the spans dropped outside of the reporter, and the number of all finished spans. They are read in this
    /// order, so a span that finishes between the two reads shows as waiting, and never as dropped twice.
    pub(crate) fn totals(&self) -> (DropCounts, u64) {
        let process = self.process();
        let mut dropped = process.ledger.dropped();
        let in_ledger = dropped.total();
        let thread_queues = self.thread_queues();
        let all = thread_queues.all.iter().chain([&process.shared_queue]);
        let (mut pushed, mut full) = (thread_queues.pushed, thread_queues.full);
        for thread_queue in all {
            // In this order: an ending thread may move frames from `pushed` to `full`.
            pushed += thread_queue.pushed();
            full += thread_queue.full();
        }
        dropped.add(DropCause::QueueFull, full);
        (dropped, pushed + full + in_ledger)
    }

    /// Returns whether at most half of the budget is in use.
    pub(crate) fn has_room(&self) -> bool {
        !self.budget.is_half_full()
    }

    /// Removes the empty thread queues of threads that have ended, and keeps their counts.
    pub(crate) fn forget_ended(&self) {
        let mut thread_queues = self.thread_queues();
        let ThreadQueues {
            all, pushed, full, ..
        } = &mut *thread_queues;
        all.retain(|thread_queue| {
            let stays = !thread_queue.is_ended_and_empty();
            if !stays {
                *pushed += thread_queue.pushed();
                *full += thread_queue.full();
            }
            stays
        });
    }

    fn wake(&self, may_start: bool) {
        if !self.is_awake.swap(true, Ordering::Relaxed)
            && let Some(wake) = self.wake.get()
            && !wake(may_start)
        {
            self.is_awake.store(false, Ordering::Relaxed);
            self.need_worker();
        }
    }

    #[cfg(all(test, tracehound_loom))]
    pub(crate) fn thread_queue_count(&self) -> usize {
        self.thread_queues().all.len()
    }

    fn thread_queues(&self) -> MutexGuard<'_, ThreadQueues> {
        let thread_queues = self.process().thread_queues.lock();
        thread_queues.unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> &ProcessState {
        self.process.get(|inherited| {
            // The worker of the parent may have been awake.
            self.is_awake.store(false, Ordering::Relaxed);
            let process = ProcessState {
                needs_worker: AtomicBool::new(true),
                ..ProcessState::new(&self.budget)
            };
            process
                .ledger
                .drop_spans(DropCause::Forked, inherited.waiting());
            if self.is_closed() {
                process.shared_queue.close();
            }
            process
        })
    }

    /// Makes a thread queue for the calling thread, or returns `None` if this queue is closed.
    pub(crate) fn new_writer(&self) -> Option<QueueWriter> {
        let mut thread_queues = self.thread_queues();
        // Under the lock, so that `close` misses no thread queue.
        if self.is_closed() {
            return None;
        }
        let writer = QueueWriter::new(self.budget.clone());
        thread_queues.all.push(writer.thread_queue().clone());
        Some(writer)
    }

    /// Pushes a finished span from a thread that has no thread queue.
    pub(crate) fn push_shared(&self, header: &FrameHeader, bytes: &FrameBytes<'_>) -> Pushed {
        self.process().shared_queue.push_shared(header, bytes)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// A state id that no queue has.
const NO_STATE: u64 = u64::MAX;

/// Returns an id that no queue has had.
fn new_state_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl ProcessState {
    fn new(budget: &Arc<Budget>) -> Self {
        Self {
            ledger: Ledger::default(),
            thread_queues: Mutex::default(),
            shared_queue: Arc::new(ThreadQueue::new(budget.clone())),
            needs_worker: AtomicBool::new(false),
        }
    }

    /// Counts the spans that wait, or returns 0 if a thread of the parent held the lock at the fork.
    fn waiting(&self) -> u64 {
        let thread_queues = match self.thread_queues.try_lock() {
            Ok(thread_queues) => thread_queues,
            Err(TryLockError::Poisoned(thread_queues)) => thread_queues.into_inner(),
            Err(TryLockError::WouldBlock) => return 0,
        };
        let all = thread_queues.all.iter().chain([&self.shared_queue]);
        all.map(|thread_queue| thread_queue.waiting()).sum()
    }
}

/// Reports a span with each tag key once.
#[inline]
fn report_each_key_once(
    span: &FinishedSpan<'_>,
    report: &mut impl FnMut(&FinishedSpan<'_>) -> bool,
) -> bool {
    if span.header().frame_flags.has_repeated_keys() {
        let (tags, tag_count) = without_repeated_keys(span.tags());
        let logs = (span.log_bytes(), span.log_count());
        report(&span.with_tags_and_logs((&tags, tag_count), logs))
    } else {
        report(span)
    }
}

impl fmt::Debug for SpanQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanQueue({})", self.id)
    }
}

#[cfg(all(test, not(tracehound_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_a_queue_refuses_or_that_comes_after_the_end_is_counted() {
        let queue = SpanQueue::new(Budget::new(1 << 20), Metrics::default());
        for (pushed, cause) in [
            (Pushed::Refused, DropCause::QueueFull),
            (Pushed::Closed, DropCause::AfterShutdown),
        ] {
            let before = queue.totals().0.get(cause);
            queue.after_push(pushed);
            assert_eq!(queue.totals().0.get(cause), before + 1, "{pushed:?}");
        }
    }
}
