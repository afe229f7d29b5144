//! `tracehound bench`.

use std::error::Error;
use std::io::{self, IsTerminal};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use crate::options::BenchOptions;
use crate::output::{print, say};
use crate::query::Query;
use crate::{CommandResult, Outcome};

/// Sends the load, and prints what became of it.
pub(crate) fn run(options: &BenchOptions) -> CommandResult {
    let tracer = JaegerTracer::builder(SERVICE)
        .sampler(ConstSampler::new(true))
        .reporter(options.to.reporter()?)
        .build()?;
    say!(
        "{} spans a second for {:?} to {}, as service {SERVICE}",
        options.rate,
        options.duration,
        options.to
    );
    let begin = Instant::now();
    let traces = send(&tracer, options);
    let took = begin.elapsed();
    let account = tracer.close(LAST_ANSWERS);
    say!("made       {} in {took:.1?}", account.finished);
    say!("sent       {}", account.sent);
    say!(
        "dropped    {} ({})",
        account.dropped.total(),
        account.dropped
    );
    if account.queued > 0 {
        say!("waiting    {} when the time was up", account.queued);
    }
    let has_arrived = match &options.read_back {
        Some(url) => read_back(&Query::new(url), &traces)?,
        None => true,
    };
    Ok(match account.is_complete() && has_arrived {
        true => Outcome::Good,
        false => Outcome::Bad,
    })
}

/// A trace that was sent, and the number of its spans.
struct Sent {
    trace_id: String,
    spans: u64,
}

/// Makes spans at a steady rate: a trace each second.
fn send(tracer: &JaegerTracer, options: &BenchOptions) -> Vec<Sent> {
    let progress = Progress::new();
    let begin = Instant::now();
    let mut traces = Vec::new();
    let mut made = 0;
    loop {
        let root = tracer.build_span("second").start();
        let second = traces.len() as u64;
        let before = made;
        made += 1;
        let end = options.duration.min(Duration::from_secs(second + 1));
        loop {
            let now = begin.elapsed();
            let due = (f64::from(options.rate) * now.min(end).as_secs_f64()) as u64;
            while made < due {
                let step = tracer.build_span("step").child_of(&root);
                step.tag("n", made).start().finish();
                made += 1;
            }
            if now >= end {
                break;
            }
            thread::park_timeout(TICK);
        }
        traces.push(Sent {
            trace_id: root.context().to_trace_id(),
            spans: made - before,
        });
        root.finish();
        progress.show(&format!("{made} spans after {} s", end.as_secs()));
        if end >= options.duration {
            progress.end();
            return traces;
        }
    }
}

/// Counts the spans that arrived. Waits while more of them come.
fn read_back(query: &Query, traces: &[Sent]) -> Result<bool, Box<dyn Error>> {
    let made: u64 = traces.iter().map(|trace| trace.spans).sum();
    let mut best = 0;
    let mut deadline = Instant::now() + LAST_ANSWERS;
    loop {
        let mut found = 0;
        for trace in traces {
            if let Some(stored) = query.trace(&trace.trace_id)? {
                found += (stored.spans.len() as u64).min(trace.spans);
            }
        }
        if found > best {
            best = found;
            deadline = Instant::now() + LAST_ANSWERS;
        }
        if best == made || Instant::now() >= deadline {
            break;
        }
        thread::park_timeout(LOOK_AGAIN);
    }
    let lost = made - best;
    let share = 100.0 * lost as f64 / made.max(1) as f64;
    say!("arrived    {best}");
    say!("lost       {lost} ({share:.2} %)");
    Ok(lost == 0)
}

/// A line that is written again on a terminal, and lines in a pipe.
struct Progress {
    is_terminal: bool,
}

impl Progress {
    fn new() -> Self {
        Self {
            is_terminal: io::stdout().is_terminal(),
        }
    }

    fn show(&self, text: &str) {
        if self.is_terminal {
            print(&format!("\r\x1b[K{text}"));
        } else {
            say!("{text}");
        }
    }

    fn end(&self) {
        if self.is_terminal {
            say!("");
        }
    }
}

const SERVICE: &str = "tracehound-bench";
const TICK: Duration = Duration::from_millis(5);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
const LAST_ANSWERS: Duration = Duration::from_secs(5);
