//! The handles to a slot: one word each.

use std::fmt;
use std::mem;
use std::ptr::NonNull;

use crate::model::Flags;
use crate::record::open::buffer::SpanBuffer;
use crate::record::open::slot::SpanSlot;
use crate::record::open::status::{CAPPED, EXPLICIT_START, FINISHED, OBSERVED, SHARED, flags_in};
use crate::record::thread::slots::return_slot;
use crate::sync::byte_lock::ByteGuard;

/// A handle to the slot of an open or finished span: the slot's address, with the lowest bit set in an owner.
///
/// Owners keep the span open, other handles only keep its slot.
pub(crate) struct SpanHandle {
    tagged: NonNull<SpanSlot>,
}

// SAFETY: a handle gives out `&SpanSlot`, which is `Sync` (asserted below). The last handle, on any thread, gives out
// the slot itself, which is `Send`.
unsafe impl Send for SpanHandle {}
// SAFETY: as above.
unsafe impl Sync for SpanHandle {}

const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<SpanSlot>();
    assert!(align_of::<SpanSlot>() >= 2, "the owner bit is free");
};

impl SpanHandle {
    /// Makes the first handle to a slot, an owner.
    #[inline(always)]
    pub(crate) fn new(slot: Box<SpanSlot>) -> Self {
        slot.count.begin();
        // SAFETY: a slot is not null.
        let address = unsafe { NonNull::new_unchecked(Box::into_raw(slot)) };
        Self::tagged(address, true)
    }

    /// Makes a handle that does not own the span.
    #[inline(always)]
    pub(crate) fn handle(&self) -> Self {
        self.slot().count.add(false);
        Self::tagged(self.address(), false)
    }

    /// Returns the slot.
    #[inline(always)]
    pub(crate) fn slot(&self) -> &SpanSlot {
        // SAFETY: the address comes from `new`. Only the last handle gives the slot back, and this one counts as long
        // as it lives. No `&mut` to a slot exists while it is behind handles.
        unsafe { self.address().as_ref() }
    }

    /// Gives up ownership. Returns true if this was the last owner.
    #[inline(always)]
    pub(crate) fn release(&mut self) -> bool {
        if !self.is_owner() {
            return false;
        }
        self.tagged = self.address();
        self.slot().count.remove_owner()
    }

    /// Turns the only handle into the slot and the flags of its span. Returns the handle if there are others, or if the
    /// span has finished, shares a decision, is observed, is capped, or has a start that the user gave.
    ///
    /// The caller has checked, by the slot's key, that the span is of this process.
    #[inline(always)]
    pub(crate) fn try_into_slot(self) -> Result<(Box<SpanSlot>, Flags), Self> {
        self.try_into_slot_without(FINISHED | SHARED | EXPLICIT_START | OBSERVED | CAPPED)
    }

    /// Like [`try_into_slot`](Self::try_into_slot), but the span may be observed.
    #[inline(always)]
    pub(crate) fn try_into_observed_slot(self) -> Result<(Box<SpanSlot>, Flags), Self> {
        self.try_into_slot_without(FINISHED | SHARED | EXPLICIT_START | CAPPED)
    }

    /// Like [`try_into_slot`](Self::try_into_slot), for any span that has not finished and is not capped.
    pub(crate) fn try_into_any_slot(self) -> Result<Box<SpanSlot>, Self> {
        let (slot, _) = self.try_into_slot_without(FINISHED | CAPPED)?;
        Ok(slot)
    }

    /// Turns the only handle into the slot unless one of `refused` is set in its status.
    #[inline(always)]
    fn try_into_slot_without(self, refused: u32) -> Result<(Box<SpanSlot>, Flags), Self> {
        let slot = self.slot();
        if !slot.count.is_only() {
            return Err(self);
        }
        // Read after the count: the holder of another handle may have finished the span before dropping it.
        let status = slot.status.get();
        if status & refused != 0 {
            return Err(self);
        }
        let address = self.address();
        mem::forget(self);
        // SAFETY: this was the only handle, and it was forgotten, so nothing else reaches the slot. All actions through
        // other handles happen before (see `is_only`). The address is that of the `Box` given to `new`.
        Ok((unsafe { Box::from_raw(address.as_ptr()) }, flags_in(status)))
    }

    /// Finishes the span and returns its slot and locked buffer; `None` if it has finished before.
    pub(crate) fn mark_finished(&mut self) -> Option<(&SpanSlot, ByteGuard<'_, SpanBuffer>)> {
        let slot = self.slot();
        Some((slot, slot.mark_finished()?))
    }

    #[inline(always)]
    fn is_owner(&self) -> bool {
        self.tagged.as_ptr().addr() & OWNER != 0
    }

    #[inline(always)]
    fn address(&self) -> NonNull<SpanSlot> {
        self.tagged.map_addr(|address| {
            // SAFETY: a slot is aligned to at least two bytes, so its address without the owner bit is not zero.
            unsafe { std::num::NonZeroUsize::new_unchecked(address.get() & !OWNER) }
        })
    }

    #[inline(always)]
    fn tagged(address: NonNull<SpanSlot>, is_owner: bool) -> Self {
        Self {
            tagged: address.map_addr(|address| address | usize::from(is_owner)),
        }
    }
}

impl Clone for SpanHandle {
    /// Clones the handle. A clone of an owner is an owner.
    #[inline(always)]
    fn clone(&self) -> Self {
        self.slot().count.add(self.is_owner());
        Self {
            tagged: self.tagged,
        }
    }
}

impl Drop for SpanHandle {
    #[inline(always)]
    fn drop(&mut self) {
        if self.is_owner() {
            self.slot().count.remove_owner();
        }
        if self.slot().count.remove_handle() {
            // SAFETY: this was the last handle, so no reference to the slot is left, and all actions through the others
            // happen before (see `remove_handle`). The address is that of the `Box` given to `new`.
            let slot = unsafe { Box::from_raw(self.address().as_ptr()) };
            return_slot(slot);
        }
    }
}

impl fmt::Debug for SpanHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.slot().fmt(f)
    }
}

/// The bit of an owner.
const OWNER: usize = 1;

#[cfg(all(test, not(tracehound_loom)))]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::metrics::{Counter, Metrics};
    use crate::model::{Recording, TagNames, TagRef, Timestamp, field};
    use crate::record::counted_tracer::CountedTracer;
    use crate::record::wire::encode::write_log;
    use crate::record::{Budget, Limits, Recorder, SlotLimit, SpanClock, SpanQueue, release_slots};
    use crate::sampler::Interests;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
    use std::thread;

    struct Fixture {
        dropped: Arc<AtomicUsize>,
        tracer: Arc<CountedTracer>,
        recorder: Arc<Recorder>,
    }

    fn fixture() -> Fixture {
        let dropped = Arc::new(AtomicUsize::new(0));
        let metrics = Metrics::default();
        Fixture {
            tracer: Arc::new(CountedTracer(dropped.clone())),
            dropped,
            recorder: Arc::new(Recorder::new(
                SpanClock::new(ManualClock::at_micros(1).into()),
                Limits::default(),
                Arc::new(SpanQueue::new(Budget::new(1 << 20), metrics)),
                Interests::everything(),
                Recording::metadata(),
                TagNames::default(),
                SlotLimit::new(SlotLimit::DEFAULT),
            )),
        }
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            self.close();
        }
    }

    impl Fixture {
        fn close(&self) {
            self.recorder.queue.close();
            release_slots(&self.recorder);
        }

        fn start(&self) -> SpanHandle {
            let mut slot = SpanSlot::vacant(&self.tracer, &self.recorder);
            slot.begin(Flags::SAMPLED, false, "name".into());
            SpanHandle::new(slot)
        }
    }

    fn address(span: &SpanHandle) -> usize {
        span.address().as_ptr().addr()
    }

    #[test]
    fn an_optional_handle_takes_one_word() {
        assert_eq!(size_of::<Option<SpanHandle>>(), size_of::<usize>());
    }

    #[test]
    fn a_slot_is_used_again_and_is_empty() {
        let fixture = fixture();
        let mut span = fixture.start();
        let first = address(&span);
        let limits = &fixture.recorder.limits;
        span.slot().lock().push_tag("k", TagRef::Long(1), limits);
        span.slot()
            .lock()
            .set_operation_name(String::from("owned").into());
        assert!(span.mark_finished().is_some());
        let handle = span.handle();
        assert!(span.release());
        drop(span);
        assert!(
            handle.slot().is_finished(),
            "the last handle keeps the slot"
        );
        drop(handle);
        let span = fixture.start();
        assert_eq!(address(&span), first);
        assert!(!span.slot().is_finished());
        span.slot().lock().seal(limits);
        assert_eq!(span.slot().lock().tag_count(), 0);
    }

    #[test]
    fn a_span_with_one_handle_finishes_by_the_fast_path() {
        let fixture = fixture();
        let (queue, limits) = (&fixture.recorder.queue, &fixture.recorder.limits);
        let finish = |span: SpanHandle| span.finish_fast(SpanClock::try_now);
        let named = fixture.start();
        let first = address(&named);
        assert!(finish(named).is_ok());

        let tagged = fixture.start();
        assert_eq!(address(&tagged), first);
        tagged.slot().lock().push_tag("k", TagRef::Long(1), limits);
        assert!(finish(tagged).is_ok());

        let logged = fixture.start();
        let mut record = Vec::new();
        write_log(
            &mut record,
            Timestamp::from_micros(7),
            &[field("event", "e")],
        );
        logged.slot().lock().push_log(&record, limits);
        assert!(finish(logged).is_ok());

        let shared = fixture.start();
        let handle = shared.handle();
        assert!(finish(shared).is_err(), "there is another handle");
        drop(handle);

        let mut counts = Vec::new();
        queue.drain(|span| counts.push((span.tags().count(), span.logs().count())));
        assert_eq!(counts, [(0, 0), (1, 0), (0, 1)]);
    }

    #[test]
    fn every_start_without_a_worker_asks_for_one() {
        let fixture = fixture();
        let queue = &fixture.recorder.queue;
        let (asked, is_refused) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(true)),
        );
        let (asks, refuses) = (asked.clone(), is_refused.clone());
        queue.on_need(move |_| {
            asks.fetch_add(1, Relaxed);
            !refuses.load(Relaxed)
        });
        let counters = (Counter::StartedSpansSampled, None);
        // As a tracer does: the fast path first, and a count at the end.
        let start_and_finish = || {
            let fast = SpanSlot::try_vacant(&fixture.recorder, counters);
            let is_fast = fast.is_some();
            let slow = || SpanSlot::vacant(&fixture.tracer, &fixture.recorder);
            let mut slot = fast.unwrap_or_else(slow);
            slot.begin(Flags::SAMPLED, false, "name".into());
            if !is_fast {
                queue.count_both(counters);
            }
            drop(SpanHandle::new(slot));
            is_fast
        };
        assert!(!start_and_finish() && start_and_finish(), "one slot");
        queue.need_worker();
        for n in 1..=3 {
            assert!(!start_and_finish());
            assert_eq!(asked.load(Relaxed), n);
        }
        is_refused.store(false, Relaxed);
        assert!(!start_and_finish() && start_and_finish());
        assert_eq!(asked.load(Relaxed), 4);
    }

    #[test]
    fn the_last_owner_is_told_although_handles_remain() {
        let fixture = fixture();
        let mut owner = fixture.start();
        let mut second = owner.clone();
        let mut handle = owner.handle();
        let mut copy_of_handle = handle.clone();
        assert!(!handle.release() && !copy_of_handle.release());
        assert!(!owner.release());
        assert!(!owner.release(), "it has given up ownership");
        assert!(second.release());
        assert_eq!(address(&owner), address(&copy_of_handle));
    }

    #[test]
    fn one_of_several_threads_is_the_last_owner() {
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
                        if let Some(mut buffer) = copy.slot().open() {
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
    fn slots_that_another_thread_returns_are_used_again() {
        let fixture = fixture();
        let count = 3 * 64;
        let spans: Vec<_> = (0..count).map(|_| fixture.start()).collect();
        let known: std::collections::HashSet<_> = spans.iter().map(address).collect();
        thread::scope(|scope| {
            let there = scope.spawn(|| drop(spans));
            // Joined by hand: a scope does not wait for the destructors of a thread's statics.
            there.join().expect("no panic");
        });
        let again: Vec<_> = (0..count).map(|_| fixture.start()).collect();
        let found = again.iter().filter(|span| known.contains(&address(span)));
        assert_eq!(found.count(), count);
    }

    #[test]
    fn a_closed_queue_and_its_pools_keep_no_tracer() {
        let fixture = fixture();
        let dropped = fixture.dropped.clone();
        let open = fixture.start();
        drop([fixture.start(), fixture.start()]);
        fixture.recorder.queue.count(Counter::StartedSpansSampled);
        fixture.close();
        drop(fixture);
        assert_eq!(dropped.load(Relaxed), 0, "a span is open");
        drop(open);
        assert_eq!(dropped.load(Relaxed), 1);
    }

    #[test]
    fn threads_that_have_ended_keep_no_tracer() {
        let fixture = fixture();
        let dropped = fixture.dropped.clone();
        thread::scope(|scope| {
            let there = scope.spawn(|| drop([fixture.start(), fixture.start()]));
            there.join().expect("no panic");
        });
        fixture.close();
        drop(fixture);
        assert_eq!(dropped.load(Relaxed), 1);
    }

    #[test]
    fn a_slot_does_not_keep_the_memory_of_a_large_span() {
        let fixture = fixture();
        let span = fixture.start();
        let limits = Limits::default().tag_value_bytes(usize::MAX);
        let much = "x".repeat(100_000);
        span.slot()
            .lock()
            .push_tag("k", TagRef::String(&much), &limits);
        drop(span);
        let span = fixture.start();
        assert!(span.slot().lock().memory() < 1_000);
    }
}
