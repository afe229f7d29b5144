//! The time of single calls while a program is at work.

use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Contender, Destination, Mode, Prepare};
use crate::cores::{Cores, go_to};
use crate::figure::{Figure, Quantity};
use crate::request::Request;

/// Two threads, one on each core, start and finish spans at fixed times, so that a long call does not make the next ones
/// fewer. While they wait they let other threads have the core, like a thread that waits for a request. The system
/// chooses the core of a contender's background threads.
pub fn measure(prepare: Prepare, cores: Cores) -> Option<Vec<Figure>> {
    let contender = prepare(Mode::Sampled, Destination::Memory)?;
    let contender = &*contender;
    let begin = Instant::now() + Duration::from_millis(20);
    let calls = |core| {
        move || {
            go_to(core);
            calls(contender, begin)
        }
    };
    let mut times = thread::scope(|scope| {
        let first = scope.spawn(calls(cores.program));
        let second = scope.spawn(calls(cores.reporter));
        let mut times = first.join().expect("it only counts");
        times.extend(second.join().expect("it only counts"));
        times
    });
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize] as f64;
    Some(vec![
        (Quantity::P50, at(0.5)),
        (Quantity::P99, at(0.99)),
        (Quantity::P999, at(0.999)),
        (Quantity::P9999, at(0.9999)),
    ])
}

/// Returns the times of the calls in ns. The first half second is left out: it touches memory for the first time.
fn calls(contender: &dyn Contender, begin: Instant) -> Vec<u64> {
    let clock = quanta::Clock::new();
    let request = Request::new(true);
    let mut times = vec![0; CALLS];
    for (at, time) in (0..).zip(&mut times) {
        let due = begin + PERIOD * at;
        while Instant::now() < due {
            thread::yield_now();
        }
        let (from, _, to) = (clock.raw(), contender.tagged_root(&request), clock.raw());
        *time = clock.delta_as_nanos(from, to);
    }
    times.split_off(WARM_UP)
}

/// 50 000 spans a second.
const PERIOD: Duration = Duration::from_micros(20);
const WARM_UP: usize = 25_000;
const CALLS: usize = WARM_UP + 50_000;
