//! Times the question to a sampler: from one thread, from two at once, and while its strategies change.
//!
//! The figures are processor time for each decision, so that other programs on the machine count little. Two threads
//! decide `2 * alone / together` times as fast as one. A sampler that keeps a trace by a limiter writes a word that all
//! threads share; a decision of any other kind writes nothing shared.
//!
//! `cargo bench --bench sampler` prints a table. Without `--bench` every row is tried once.
#![allow(clippy::disallowed_methods, reason = "measures time")]

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use tracehound::model::TraceId;
use tracehound::sampler::{
    ConstSampler, GuaranteedThroughputSampler, OperationStrategies, PerOperationSampler,
    ProbabilisticSampler, RateLimitingSampler, Sampler, SamplingDecision, SamplingRate, SpanView,
    TracesPerSecond,
};

/// The share of roots that a row's sampler keeps, in percent.
type Percent = u64;

fn main() {
    let (rounds, decisions) = if env::args().any(|argument| argument == "--bench") {
        (7, 3_000_000)
    } else {
        (1, 2_000)
    };
    let names: Vec<String> = (0..100).map(|n| format!("GET /orders/{n}")).collect();
    println!("sampler                               alone, ns  two threads, ns  speed-up");
    for (name, sampler, kept) in samplers(&names) {
        assert_eq!(percent_kept(&*sampler, &names), kept, "{name}");
        let (mut alone, mut together) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            alone.push(time(&*sampler, &names, 1, decisions));
            together.push(time(&*sampler, &names, 2, decisions));
        }
        let (alone, together) = (median(alone), median(together));
        let speed_up = 2.0 * alone / together;
        println!("{name:<38}{alone:>9.1}{together:>17.1}{speed_up:>10.2}");
    }
    time_updates(&names, rounds, decisions);
}

fn samplers(names: &[String]) -> Vec<(&'static str, Box<dyn Sampler>, Percent)> {
    let half = SamplingRate::new(0.5).expect("a probability");
    let never = SamplingRate::ZERO;
    let rate = |traces| TracesPerSecond::new(traces).expect("a rate");
    // The first call takes the one credit that there is.
    let seldom = rate(1e-9);
    let by_operation = |rate, bound| PerOperationSampler::new(strategies(names, rate, bound));
    vec![
        ("const, keeps", Box::new(ConstSampler::new(true)), 100),
        ("const, drops", Box::new(ConstSampler::new(false)), 0),
        (
            "probabilistic",
            Box::new(ProbabilisticSampler::new(half)),
            50,
        ),
        (
            "rate limiting, keeps (one shared word)",
            Box::new(RateLimitingSampler::new(rate(1e12))),
            100,
        ),
        (
            "rate limiting, drops",
            Box::new(RateLimitingSampler::new(seldom)),
            0,
        ),
        (
            "guaranteed throughput, drops",
            Box::new(GuaranteedThroughputSampler::new(never, seldom)),
            0,
        ),
        (
            "guaranteed throughput, half",
            Box::new(GuaranteedThroughputSampler::new(half, seldom)),
            50,
        ),
        (
            "per operation, drops",
            Box::new(by_operation(never, seldom)),
            0,
        ),
        (
            "per operation, half",
            Box::new(by_operation(half, seldom)),
            50,
        ),
        (
            "per operation, no place, half",
            Box::new(by_operation(half, seldom).max_operations(0)),
            50,
        ),
    ]
}

fn strategies(names: &[String], rate: SamplingRate, bound: TracesPerSecond) -> OperationStrategies {
    let all = OperationStrategies::new(rate, bound);
    names
        .iter()
        .fold(all, |all, name| all.operation(name.as_str(), rate))
}

/// Returns the share of roots that is kept, after every bucket has been asked twice.
fn percent_kept(sampler: &dyn Sampler, names: &[String]) -> Percent {
    decide(sampler, names, 200, 1);
    u64::from(decide(sampler, names, 2_000, 1)) / 20
}

/// Asks about roots with names and ids in turn. Returns how many are kept.
fn decide(sampler: &dyn Sampler, names: &[String], decisions: u32, first_id: u64) -> u32 {
    let mut kept = 0;
    let mut low = first_id;
    for name in names.iter().cycle().take(decisions as usize) {
        // Every second id is in the upper half, all of them are in the lower 63 bits.
        low = (low ^ (1 << 62)) | 1;
        let trace_id = TraceId::new(0, black_box(low)).expect("not zero");
        let root = SpanView::new(trace_id, black_box(name), true);
        kept += u32::from(matches!(
            black_box(sampler).on_create_span(&root),
            SamplingDecision::Sample(_)
        ));
    }
    kept
}

/// Returns the processor time of one decision, in nanoseconds, while `threads` threads decide.
fn time(sampler: &dyn Sampler, names: &[String], threads: u64, decisions: u32) -> f64 {
    let start = Barrier::new(threads as usize);
    let measure = |thread| {
        decide(sampler, names, decisions / 10, thread);
        start.wait();
        let before = processor_time();
        black_box(decide(sampler, names, decisions, thread));
        (processor_time() - before).as_nanos() as f64 / f64::from(decisions)
    };
    let times: Vec<f64> = thread::scope(|scope| {
        let measure = &measure;
        let threads: Vec<_> = (1..=threads)
            .map(|thread| scope.spawn(move || measure(thread)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, f64>| thread.join().expect("no panic");
        threads.into_iter().map(join).collect()
    });
    times.iter().sum::<f64>() / times.len() as f64
}

/// Times decisions by operation while another thread replaces the strategies every millisecond.
fn time_updates(names: &[String], rounds: usize, decisions: u32) {
    let rates = [0.25, 0.75].map(|rate| SamplingRate::new(rate).expect("a probability"));
    let bounds = [1, 2].map(TracesPerSecond::from);
    let sampler = PerOperationSampler::new(strategies(names, rates[0], bounds[0]));
    let is_over = AtomicBool::new(false);
    let updates = AtomicU32::new(0);
    let mut all = Vec::new();
    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let turn = updates.fetch_add(1, Ordering::Relaxed) as usize % 2;
                let next = strategies(names, rates[turn], bounds[turn]);
                let before = processor_time();
                sampler.update(next);
                slowest = slowest.max(processor_time() - before);
                thread::park_timeout(Duration::from_millis(1));
            }
        });
        for _ in 0..rounds {
            all.push(time(&sampler, names, 1, decisions));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    println!(
        "per operation, updated {} times{:>20.1}    slowest update {slowest:?}",
        updates.into_inner(),
        median(all)
    );
}

/// Returns the processor time that the calling thread has used, or the time of day if the system does not tell.
fn processor_time() -> Duration {
    // Linux counts the time up to now only when it looks at its threads.
    thread::yield_now();
    let used = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let used = used.and_then(|text| text.split(' ').next()?.parse().ok());
    used.map_or_else(wall_time, Duration::from_nanos)
}

fn wall_time() -> Duration {
    thread_local!(static ORIGIN: Instant = Instant::now());
    ORIGIN.with(Instant::elapsed)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
