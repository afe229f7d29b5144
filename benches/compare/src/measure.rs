//! The measurement of a contender on a workload, in a process of its own.

use std::hint::{black_box, spin_loop};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::company::Probe;
use crate::contender::{Contender, Destination, Mode, Prepare};
use crate::cores::{Cores, go_to};
use crate::figure::{Figure, Quantity};
use crate::median::median;
use crate::request::Request;
use crate::sweep::Sweep;
use crate::times::Times;
use crate::workload::Workload;

/// Times bursts one by one. Between them, untimed, the contender is flushed, so that its queue has room for every span,
/// and the core is probed. Every span must arrive.
pub fn measure(
    prepare: Prepare,
    workload: Workload,
    cores: Cores,
    probe: Probe,
    time: Duration,
) -> Option<Vec<Figure>> {
    go_to(cores.reporter);
    let contender = prepare(workload.mode(), Destination::Memory)?;
    let contender = &*contender;
    let figure = if workload == Workload::TwoThreads {
        two_threads(contender, cores, time)
    } else {
        // On a thread of its own: the allocator gives the main thread's memory back to the system after a burst,
        // and no worker of a server would see the page faults.
        let one = || one_thread(contender, workload, cores, probe, time);
        thread::scope(|scope| scope.spawn(one).join().expect("it only counts"))
    };
    Some(figure)
}

fn one_thread(
    contender: &dyn Contender,
    workload: Workload,
    cores: Cores,
    probe: Probe,
    time: Duration,
) -> Vec<Figure> {
    go_to(cores.program);
    let mut request = Request::new(workload.mode() == Mode::Sampled);
    let flush = || {
        if workload.spans() > 0 {
            cores.visit_reporter(|| contender.flush());
        }
    };
    for _ in 0..WARM_UP {
        workload.run(contender, &mut request);
        flush();
    }
    let delivered = contender.tally().delivered();
    let mut bursts = Times::default();
    let end = Instant::now() + time;
    while Instant::now() < end || bursts.len() < LEAST {
        let (burst, company) = probe.around(|| {
            let begin = Instant::now();
            workload.run(contender, &mut request);
            begin.elapsed()
        });
        bursts.add(burst.as_nanos() as f64 / workload.pieces() as f64, company);
        black_box(&request.next);
        flush();
    }
    let expected = workload.spans() * bursts.len() as u64;
    assert_eq!(
        contender.tally().delivered() - delivered,
        expected,
        "spans are missing"
    );
    bursts.medians().figures().collect()
}

/// Times requests one by one, each after a sweep of the caches that is not timed: what a request costs a program whose
/// own work has taken the caches since the last one. A look at the clock is part of each time.
pub fn measure_swept(
    prepare: Prepare,
    cores: Cores,
    probe: Probe,
    time: Duration,
) -> Option<Vec<Figure>> {
    go_to(cores.reporter);
    let contender = prepare(Mode::Sampled, Destination::Memory)?;
    let contender = &*contender;
    let swept = || swept_requests(contender, cores, probe, time);
    let figure = thread::scope(|scope| scope.spawn(swept).join().expect("it only counts"));
    Some(figure)
}

fn swept_requests(
    contender: &dyn Contender,
    cores: Cores,
    probe: Probe,
    time: Duration,
) -> Vec<Figure> {
    go_to(cores.program);
    let mut request = Request::new(true);
    let mut sweep = Sweep::new();
    for _ in 0..WARM_UP {
        Workload::Request.run(contender, &mut request);
        cores.visit_reporter(|| contender.flush());
    }
    let delivered = contender.tally().delivered();
    let mut requests = Times::default();
    let end = Instant::now() + time;
    while Instant::now() < end || requests.len() < LEAST_SWEPT {
        sweep.sweep();
        // The probe has looked at the clock right before, so reading it is not what waits for memory.
        let (took, company) = probe.around(|| {
            let begin = Instant::now();
            contender.requests(1, &mut request);
            begin.elapsed()
        });
        requests.add(took.as_nanos() as f64, company);
        black_box(&request.next);
    }
    cores.visit_reporter(|| contender.flush());
    // The harness alone makes no spans.
    let arrived = contender.tally().delivered() - delivered;
    let expected = 2 * requests.len() as u64;
    assert!(arrived == expected || arrived == 0, "spans are missing");
    requests.medians().figures().collect()
}

/// Times a burst of each thread alone and then a burst of both, each on its core, in turn. Cores need not be equally
/// fast, so the gain of the second thread is each one's time alone by its time beside the other. Contenders' own
/// threads are on the second core, in the way of that thread if they work during a burst.
fn two_threads(contender: &dyn Contender, cores: Cores, time: Duration) -> Vec<Figure> {
    let workload = Workload::TwoThreads;
    let meet = Barrier::new(2);
    // Threads that a barrier lets go are many microseconds apart; those that wait for a time are not.
    let epoch = Instant::now();
    let start_at = AtomicU64::new(0);
    let delivered = contender.tally().delivered();
    let rounds = WARM_UP + LEAST.max(time.as_millis() as usize / 4);
    let run = |core, is_first: bool| {
        go_to(core);
        let mut request = Request::new(true);
        let mut burst = || {
            while (epoch.elapsed().as_nanos() as u64) < start_at.load(Ordering::Relaxed) {
                spin_loop();
            }
            let begin = epoch.elapsed();
            workload.run(contender, &mut request);
            (begin.as_nanos() as f64, epoch.elapsed().as_nanos() as f64)
        };
        let mut turn = |is_mine: bool| {
            if is_first {
                cores.visit_reporter(|| contender.flush());
                let soon = epoch.elapsed() + Duration::from_micros(300);
                start_at.store(soon.as_nanos() as u64, Ordering::Relaxed);
            }
            meet.wait();
            let times = is_mine.then(&mut burst);
            meet.wait();
            times
        };
        let mut bursts = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let first = turn(is_first);
            let alone = turn(!is_first)
                .or(first)
                .expect("one of the turns was ours");
            bursts.push((alone, turn(true).expect("everybody's turn")));
        }
        bursts
    };
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(|| run(cores.program, true));
        let second = scope.spawn(|| run(cores.reporter, false));
        (
            first.join().expect("it only counts"),
            second.join().expect("it only counts"),
        )
    });
    contender.flush();
    let expected = 4 * rounds as u64 * workload.spans();
    assert_eq!(
        contender.tally().delivered() - delivered,
        expected,
        "spans are missing"
    );

    let (mut times, mut speedups) = (Vec::new(), Vec::new());
    for (first, second) in first.into_iter().zip(second).skip(WARM_UP) {
        let (a, b) = (first.1, second.1);
        let together = a.1.max(b.1) - a.0.min(b.0);
        times.push(together / (2 * workload.pieces()) as f64);
        let took = |(begin, end): (f64, f64)| end - begin;
        let kept = |(alone, beside)| took(alone) / took(beside);
        speedups.push(kept(first) + kept(second));
    }
    vec![
        (Quantity::Time, median(times)),
        (Quantity::Speedup, median(speedups)),
    ]
}

const WARM_UP: usize = 8;
const LEAST: usize = 8;
/// Fewer than these say little of one company, see [`Times`].
const LEAST_SWEPT: usize = 60;
