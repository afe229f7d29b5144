//! The handles to a box: one word each.

use std::fmt;
use std::mem;
use std::ptr::NonNull;

use crate::model::Flags;
use crate::record::buffer::SpanBuffer;
use crate::record::cell::SpanCell;
use crate::record::local;
use crate::record::lock::ByteGuard;
use crate::record::marks::{EXPLICIT_START, FINISHED, SHARED, flags_in};
use crate::sync::{AtomicU32, Ordering};

/// How many handles and how many owners a box has.
///
/// Owners are counted apart: the last one to go has the span finished, the last handle makes the box vacant. Where a
/// handle is the only one, nobody can make another meanwhile, so a load shows it and nothing needs to be taken away.
#[derive(Debug, Default)]
pub(crate) struct Count {
    handles: AtomicU32,
    owners: AtomicU32,
}

impl Count {
    /// For the first handle, an owner. The box is not shared yet.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.handles.store(1, Ordering::Relaxed);
        self.owners.store(1, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn add(&self, is_owner: bool) {
        // Relaxed: whoever adds has a handle of the same kind, so neither count is zero.
        if is_owner {
            self.owners.fetch_add(1, Ordering::Relaxed);
        }
        let before = self.handles.fetch_add(1, Ordering::Relaxed);
        if before > MAX_HANDLES {
            // As `Arc` does: a program that has leaked so many cannot be helped, and a count that runs over is unsound.
            std::process::abort();
        }
    }

    /// Takes an owner away; true for the last one.
    #[inline(always)]
    pub(crate) fn remove_owner(&self) -> bool {
        // Acquire and AcqRel: what other owners did happens before the last one finishes the span.
        if self.owners.load(Ordering::Acquire) == 1 {
            self.owners.store(0, Ordering::Relaxed);
            return true;
        }
        self.owners.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Takes a handle away; true for the last one, who then has the box to itself.
    #[inline(always)]
    pub(crate) fn remove_handle(&self) -> bool {
        // Acquire and AcqRel: what was done through other handles happens before the box is vacant.
        self.handles.load(Ordering::Acquire) == 1
            || self.handles.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Whether the calling handle, which it has to itself, is the only one.
    #[inline(always)]
    pub(crate) fn is_only(&self) -> bool {
        // Acquire: as in `remove_handle`.
        self.handles.load(Ordering::Acquire) == 1
    }
}

const MAX_HANDLES: u32 = u32::MAX / 2;

/// A handle to a box: its address, and in the lowest bit whether it is an owner.
pub(crate) struct SpanRef {
    tagged: NonNull<SpanCell>,
}

// SAFETY: a handle gives out `&SpanCell`, which is `Sync` (asserted below), and the last one, on whichever thread, the
// box itself, which is `Send`.
unsafe impl Send for SpanRef {}
// SAFETY: as above.
unsafe impl Sync for SpanRef {}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<SpanCell>();
    assert!(align_of::<SpanCell>() >= 2, "the owner bit is free");
};

impl SpanRef {
    /// The first owner.
    #[inline(always)]
    pub(crate) fn new(cell: Box<SpanCell>) -> Self {
        cell.count.begin();
        // SAFETY: a box is not null.
        let address = unsafe { NonNull::new_unchecked(Box::into_raw(cell)) };
        Self::tagged(address, true)
    }

    /// One that does not own.
    #[inline(always)]
    pub(crate) fn handle(&self) -> Self {
        self.cell().count.add(false);
        Self::tagged(self.address(), false)
    }

    #[inline(always)]
    pub(crate) fn cell(&self) -> &SpanCell {
        // SAFETY: the address comes from `new`. The box is given back only by the last handle, and this one still
        // counts as long as it lives; nobody has a `&mut` to a box that is behind handles.
        unsafe { self.address().as_ref() }
    }

    /// Gives up ownership; true for the last owner.
    #[inline(always)]
    pub(crate) fn release(&mut self) -> bool {
        if !self.is_owner() {
            return false;
        }
        self.tagged = self.address();
        self.cell().count.remove_owner()
    }

    /// The box itself with its flags, if this is the only handle to an open span that has never been part of a local
    /// trace, and whose start was not given by the user. That the span is of this process the caller knows by its key.
    #[inline(always)]
    pub(super) fn into_alone(self) -> Result<(Box<SpanCell>, Flags), Self> {
        let cell = self.cell();
        if !cell.count.is_only() {
            return Err(self);
        }
        // Only now: whoever had another handle may have finished the span before that went.
        let marks = cell.marks.get();
        if marks & (FINISHED | SHARED | EXPLICIT_START) != 0 {
            return Err(self);
        }
        let address = self.address();
        mem::forget(self);
        // SAFETY: this was the only handle, and it is gone without a trace: nobody else can reach the box, and what was
        // done through other handles happens before (see `is_only`). The address is that of the `Box` given to `new`.
        Ok((unsafe { Box::from_raw(address.as_ptr()) }, flags_in(marks)))
    }

    /// The box and its buffer for the one who finishes the span; `None` for all others.
    pub(crate) fn finish(&mut self) -> Option<(&SpanCell, ByteGuard<'_, SpanBuffer>)> {
        let cell = self.cell();
        Some((cell, cell.finish()?))
    }

    #[inline(always)]
    fn is_owner(&self) -> bool {
        self.tagged.as_ptr().addr() & OWNER != 0
    }

    #[inline(always)]
    fn address(&self) -> NonNull<SpanCell> {
        self.tagged.map_addr(|address| {
            // SAFETY: a box is aligned to more than two bytes, so its address is more than the owner bit.
            unsafe { std::num::NonZeroUsize::new_unchecked(address.get() & !OWNER) }
        })
    }

    #[inline(always)]
    fn tagged(address: NonNull<SpanCell>, is_owner: bool) -> Self {
        Self {
            tagged: address.map_addr(|address| address | usize::from(is_owner)),
        }
    }
}

impl Clone for SpanRef {
    /// A clone of an owner owns, a clone of another handle does not.
    #[inline(always)]
    fn clone(&self) -> Self {
        self.cell().count.add(self.is_owner());
        Self {
            tagged: self.tagged,
        }
    }
}

impl Drop for SpanRef {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_owner() {
            self.cell().count.remove_owner();
        }
        if self.cell().count.remove_handle() {
            // SAFETY: this was the last handle, so no reference to the box is left, and what was done through the
            // others happens before (see `remove_handle`). The address is that of the `Box` given to `new`.
            let cell = unsafe { Box::from_raw(self.address().as_ptr()) };
            local::give_cell(cell);
        }
    }
}

impl fmt::Debug for SpanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cell().fmt(f)
    }
}

const OWNER: usize = 1;

#[cfg(all(test, not(tracehound_loom)))]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::metrics::{Counter, Metrics};
    use crate::model::{TagRef, Timestamp, field};
    use crate::record::encode::write_log;
    use crate::record::{Budget, Lifecycle, Limits, Question, Recorder, SpanClock, Store};
    use crate::sampler::{SamplingDecision, SpanView};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;

    /// Counts those that are alive.
    #[derive(Debug)]
    struct Nobody(Arc<AtomicUsize>);

    impl Lifecycle for Nobody {
        fn decide(&self, _: Question<'_>, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }

        fn allows_debug(&self, _: &str) -> bool {
            false
        }
    }

    impl Drop for Nobody {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    struct Fixture {
        alive: Arc<AtomicUsize>,
        tracer: Arc<Nobody>,
        recorder: Arc<Recorder>,
    }

    fn fixture() -> Fixture {
        let alive = Arc::new(AtomicUsize::new(1));
        let metrics = Metrics::default();
        Fixture {
            tracer: Arc::new(Nobody(alive.clone())),
            alive,
            recorder: Arc::new(Recorder {
                clock: SpanClock::new(ManualClock::at_micros(1).into()),
                limits: Limits::default(),
                store: Arc::new(Store::new(Budget::new(1 << 20), metrics.clone())),
                metrics,
            }),
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            self.recorder.store.close();
        }
    }

    impl Fixture {
        fn start(&self) -> SpanRef {
            let mut cell = SpanCell::vacant(&self.tracer, &self.recorder);
            cell.begin(Flags::SAMPLED, false, "name".into());
            SpanRef::new(cell)
        }
    }

    fn address(span: &SpanRef) -> usize {
        span.address().as_ptr().addr()
    }

    #[test]
    fn a_handle_is_one_word_and_so_is_none() {
        assert_eq!(size_of::<Option<SpanRef>>(), size_of::<usize>());
    }

    #[test]
    fn a_box_is_used_again_and_comes_back_empty() {
        let fixture = fixture();
        let mut span = fixture.start();
        let first = address(&span);
        let limits = &fixture.recorder.limits;
        span.cell().lock().push_tag("k", TagRef::Long(1), limits);
        span.cell()
            .lock()
            .set_operation_name(String::from("owned").into());
        assert!(span.finish().is_some());
        let handle = span.handle();
        assert!(span.release());
        drop(span);
        assert!(handle.cell().is_finished(), "the last handle keeps the box");
        drop(handle);
        let span = fixture.start();
        assert_eq!(address(&span), first);
        assert!(!span.cell().is_finished());
        span.cell().lock().seal(limits);
        assert_eq!(span.cell().lock().tag_count(), 0);
    }

    #[test]
    fn a_span_that_is_alone_finishes_with_what_is_at_hand() {
        let fixture = fixture();
        let (store, limits) = (&fixture.recorder.store, &fixture.recorder.limits);
        let finish = |span: SpanRef| span.finish_alone(SpanClock::now_at_hand);
        let bare = fixture.start();
        let first = address(&bare);
        assert!(finish(bare).is_ok());

        let tagged = fixture.start();
        assert_eq!(address(&tagged), first);
        tagged.cell().lock().push_tag("k", TagRef::Long(1), limits);
        assert!(finish(tagged).is_ok());

        let logged = fixture.start();
        let mut record = Vec::new();
        write_log(
            &mut record,
            Timestamp::from_micros(7),
            &[field("event", "e")],
        );
        logged.cell().lock().push_log(&record, limits);
        assert!(finish(logged).is_ok());

        let shared = fixture.start();
        let handle = shared.handle();
        assert!(finish(shared).is_err(), "there is another handle");
        drop(handle);

        let mut counts = Vec::new();
        store.drain(|span| counts.push((span.tags().count(), span.logs().count())));
        assert_eq!(counts, [(0, 0), (1, 0), (0, 1)]);
    }

    #[test]
    fn the_last_owner_is_told_so_whoever_else_has_a_handle() {
        let fixture = fixture();
        let mut owner = fixture.start();
        let mut second = owner.clone();
        let mut handle = owner.handle();
        let mut copy_of_handle = handle.clone();
        assert!(!handle.release() && !copy_of_handle.release());
        assert!(!owner.release());
        assert!(!owner.release(), "it is no owner any more");
        assert!(second.release());
        assert_eq!(address(&owner), address(&copy_of_handle));
    }

    #[test]
    fn threads_share_a_span_and_the_last_one_gives_its_box_back() {
        let fixture = fixture();
        let rounds = if cfg!(miri) { 5 } else { 500 };
        for _ in 0..rounds {
            let span = fixture.start();
            let last_owners = AtomicUsize::new(0);
            thread::scope(|scope| {
                for n in 0..3 {
                    let mut span = span.clone();
                    let (last_owners, limits) = (&last_owners, &fixture.recorder.limits);
                    scope.spawn(move || {
                        let copy = span.handle();
                        if let Some(mut buffer) = copy.cell().open() {
                            buffer.push_tag("n", TagRef::Long(n), limits);
                        }
                        last_owners.fetch_add(usize::from(span.release()), Relaxed);
                    });
                }
                let mut span = span;
                last_owners.fetch_add(usize::from(span.release()), Relaxed);
            });
            assert_eq!(last_owners.load(Relaxed), 1);
        }
    }

    #[test]
    fn boxes_that_another_thread_gives_back_are_found_again() {
        let fixture = fixture();
        let count = 3 * 64;
        let spans: Vec<_> = (0..count).map(|_| fixture.start()).collect();
        let known: std::collections::HashSet<_> = spans.iter().map(address).collect();
        thread::scope(|scope| {
            let there = scope.spawn(|| drop(spans));
            // Joined by hand: a scope does not wait for what a thread does at its end.
            there.join().expect("no panic");
        });
        let again: Vec<_> = (0..count).map(|_| fixture.start()).collect();
        let found = again.iter().filter(|span| known.contains(&address(span)));
        assert_eq!(found.count(), count);
    }

    #[test]
    fn a_closed_store_and_its_pools_keep_no_tracer() {
        let fixture = fixture();
        let alive = fixture.alive.clone();
        let open = fixture.start();
        drop([fixture.start(), fixture.start()]);
        fixture.recorder.store.count(Counter::StartedSpansSampled);
        fixture.recorder.store.close();
        drop(fixture);
        assert_eq!(alive.load(Relaxed), 1, "a span is open");
        drop(open);
        assert_eq!(alive.load(Relaxed), 0);
    }

    #[test]
    fn threads_that_end_keep_no_tracer() {
        let fixture = fixture();
        let alive = fixture.alive.clone();
        thread::scope(|scope| {
            let there = scope.spawn(|| drop([fixture.start(), fixture.start()]));
            there.join().expect("no panic");
        });
        fixture.recorder.store.close();
        drop(fixture);
        assert_eq!(alive.load(Relaxed), 0);
    }

    #[test]
    fn a_span_that_held_much_does_not_keep_its_memory() {
        let fixture = fixture();
        let span = fixture.start();
        let limits = Limits::default().tag_value_bytes(usize::MAX);
        let much = "x".repeat(100_000);
        span.cell()
            .lock()
            .push_tag("k", TagRef::String(&much), &limits);
        drop(span);
        let span = fixture.start();
        assert!(span.cell().lock().memory() < 1_000);
    }
}
