//! The two cores that spans travel between, and how far apart they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use core_affinity::CoreId;

use crate::median::median;

/// A core for the traced program, and a core for the threads that take its spans away. A contender's background threads
/// run on the second, and so does the thread that waits for a flush: the core on which memory is freed decides what
/// the next span costs.
#[derive(Clone, Copy)]
pub struct Cores {
    pub program: CoreId,
    pub reporter: CoreId,
}

impl Cores {
    pub fn find() -> Self {
        match core_affinity::get_core_ids().as_deref() {
            Some([program, reporter, ..]) => Self {
                program: *program,
                reporter: *reporter,
            },
            _ => panic!("two cores are needed"),
        }
    }

    /// Runs `work` on the reporter's core and comes back to the program's.
    pub fn visit_reporter<T>(&self, work: impl FnOnce() -> T) -> T {
        go_to(self.reporter);
        let result = work();
        go_to(self.program);
        result
    }

    /// Measures how long a cache line takes to the other core and back, in ns.
    pub fn round_trip(&self) -> f64 {
        const TRIPS: u64 = 2_000;
        const TIMES: u64 = 5;
        #[repr(align(128))]
        struct Line(AtomicU64);
        let line = Line(AtomicU64::new(0));
        // Release hands the line over, Acquire takes it, on both sides.
        let wait_for = |turn| {
            while line.0.load(Ordering::Acquire) != turn {
                std::hint::spin_loop();
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                go_to(self.reporter);
                for trip in 0..TRIPS * TIMES {
                    wait_for(2 * trip + 1);
                    line.0.store(2 * trip + 2, Ordering::Release);
                }
            });
            let program = scope.spawn(|| {
                go_to(self.program);
                let one_time = |time| {
                    let begin = Instant::now();
                    for trip in time * TRIPS..(time + 1) * TRIPS {
                        line.0.store(2 * trip + 1, Ordering::Release);
                        wait_for(2 * trip + 2);
                    }
                    begin.elapsed().as_nanos() as f64 / TRIPS as f64
                };
                median((0..TIMES).map(one_time))
            });
            program.join().expect("it only counts")
        })
    }
}

/// Moves this thread to a core. Threads that it starts later begin on that core.
pub fn go_to(core: CoreId) {
    assert!(
        core_affinity::set_for_current(core),
        "this thread cannot be pinned"
    );
}
