//! Random calls of the API with a sender that does anything to its batches: the account of the spans is exact after
//! every flush, and is what the sender has seen.
//!
//! A schedule is made of its number. `TRACEHOUND_SCHEDULES` sets how many are played, and `TRACEHOUND_SCHEDULE` plays
//! only that one.

mod choices;
mod faulty;
mod play;

use std::env;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tracehound::metrics::DropCause;
use tracehound::tracer::TracerBuilder;

use self::play::play;

/// Returns `count` bytes that follow from a number (SplitMix64).
fn bytes_of(number: u64, count: usize) -> Vec<u8> {
    let mut state = number;
    let words = (0..count.div_ceil(8)).flat_map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    words.take(count).collect()
}

/// Says which schedule it was if the thread panics.
struct Note(u64);

impl Drop for Note {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("again: TRACEHOUND_SCHEDULE={}", self.0);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the number of schedules")]
fn setting(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// Plays schedules on as many threads as the machine has, and returns how many spans were lost for each cause.
fn play_all(
    schedules: u64,
    change: impl Fn(TracerBuilder) -> TracerBuilder + Sync,
) -> [u64; DropCause::ALL.len()] {
    let next = AtomicU64::new(0);
    let losses = [const { AtomicU64::new(0) }; DropCause::ALL.len()];
    let last = setting("TRACEHOUND_SCHEDULES").unwrap_or(schedules);
    let one = setting("TRACEHOUND_SCHEDULE");
    let play_on = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= one.map_or(last, |_| 1) {
                return;
            }
            let number = one.unwrap_or(number);
            let _note = Note(number);
            let bytes = bytes_of(number, 200);
            let (calls, faults) = bytes.split_at(70);
            let report = play(calls, faults, &change);
            for (losses, &cause) in losses.iter().zip(DropCause::ALL) {
                losses.fetch_add(report.dropped.get(cause), Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(play_on);
        }
    });
    losses.map(AtomicU64::into_inner)
}

#[test]
fn the_account_of_spans_is_exact_whatever_their_sender_does() {
    let losses = play_all(10_000, |builder| builder);
    if ["TRACEHOUND_SCHEDULE", "TRACEHOUND_SCHEDULES"]
        .iter()
        .any(|name| setting(name).is_some())
    {
        return;
    }
    // The schedules go every way that a sender can.
    for (lost, cause) in losses.into_iter().zip(DropCause::ALL) {
        let never = [
            DropCause::NoWorker,
            DropCause::Forked,
            DropCause::Delayed,
            DropCause::OpenCap,
            DropCause::AgentKernelDrops,
        ];
        assert_eq!(lost > 0, !never.contains(cause), "{cause}: {lost}");
    }
}

#[cfg(feature = "tokio")]
#[test]
fn the_account_of_spans_is_exact_if_the_worker_is_a_task() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    play_all(500, |builder| builder.worker_on(runtime.handle().clone()));
}
