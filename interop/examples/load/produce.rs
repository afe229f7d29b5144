//! Makes spans on several threads, at an even rate or all at once.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use tracehound::{
    Config, JaegerTracer, config::ConfigError, metrics::FlushReport, sampler::ConstSampler,
};
use tracehound_interop::{Load, LoadReport};

use super::spans;

/// Returns a tracer with default settings, except that it keeps every span and sends to the agent of the load.
pub(crate) fn tracer(load: &Load) -> Result<JaegerTracer, ConfigError> {
    Config::new(&load.service)
        .sampler(ConstSampler::new(true))
        .agent_host(load.agent.ip().to_string())
        .agent_port(load.agent.port())
        .build()
}

/// Makes the spans of `load`, closes the tracer and returns the report.
pub(crate) fn run(load: &Load) -> Result<LoadReport, ConfigError> {
    let tracer = tracer(load)?;
    let took = produce(&tracer, load, &AtomicU64::new(0));
    Ok(report(&tracer.close(CLOSE_WITHIN), took))
}

/// Makes the spans of `load` and returns the time that it took. Counts finished spans in `made`.
pub(crate) fn produce(tracer: &JaegerTracer, load: &Load, made: &AtomicU64) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for n in 0..load.threads {
            // The first threads make the remainder of the division.
            let share = load.spans / load.threads + u64::from(n < load.spans % load.threads);
            scope.spawn(move || produce_share(tracer, load, started, share, made));
        }
    });
    started.elapsed()
}

/// Returns the ledger as a report.
pub(crate) fn report(ledger: &FlushReport, took: Duration) -> LoadReport {
    let dropped = ledger.dropped.iter();
    LoadReport::new(
        (ledger.finished, ledger.sent, ledger.queued),
        dropped.map(|(cause, n)| (cause.name().to_owned(), n)),
        took.as_secs_f64(),
    )
}

/// Makes all spans that are due, looking at the clock every millisecond. So the rate is even and
/// reached, no matter how long a span takes.
fn produce_share(
    tracer: &JaegerTracer,
    load: &Load,
    started: Instant,
    share: u64,
    made: &AtomicU64,
) {
    let rate = load.rate as f64 / load.threads as f64;
    let mut done = 0;
    while done < share {
        let due = match load.rate {
            0 => share,
            _ => share.min((started.elapsed().as_secs_f64() * rate) as u64 + 1),
        };
        for _ in done..due {
            spans::make(tracer, load.size);
            made.fetch_add(1, Ordering::Relaxed);
        }
        done = due;
        if done < share {
            thread::sleep(TICK);
        }
    }
}

const TICK: Duration = Duration::from_millis(1);
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
