//! The decision that the sampler would make about a trace, and the headers that a call would carry.

use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::HttpHeaders;
use tracehound::reporter::NullReporter;

use crate::doctor::{Lines, config};
use crate::options::DoctorOptions;
use crate::report::{Report, Verdict};

pub(super) fn check(report: &mut Report, options: &DoctorOptions) {
    if let Err(error) = look(report, options) {
        report.line(Verdict::Failure, "sampling", &error.to_string());
    }
}

fn look(report: &mut Report, options: &DoctorOptions) -> Result<(), Box<dyn Error>> {
    let lines = Lines::default();
    let config = config()?;
    let explanation = config.explain();
    let tracer = config
        .reporter(NullReporter::new())
        .diagnostics(lines.diagnostics())
        .build()?;
    let endpoint = explanation.get("sampling_endpoint");
    if let Some(endpoint) = endpoint.filter(|_| !options.offline) {
        let has_answer = wait_for_answer(&tracer, options.timeout);
        let mut text = format!("{} ", endpoint.value());
        text += match has_answer {
            Some(true) => "has strategies for this service",
            Some(false) => "has none; the initial probability counts",
            None => "has not answered; the initial probability counts",
        };
        for line in lines.take() {
            text.push('\n');
            text += &line;
        }
        let verdict = match has_answer {
            Some(true) => Verdict::Good,
            Some(false) | None => Verdict::Warning,
        };
        report.line(verdict, "strategies", &text);
    }
    explain(report, &tracer, &options.operation);
    tracer.close(options.timeout);
    Ok(())
}

/// Waits for the first answer of the sampler's server. Returns `None` if there is none in time.
fn wait_for_answer(tracer: &JaegerTracer, timeout: Duration) -> Option<bool> {
    let metrics = tracer.metrics();
    let deadline = Instant::now() + timeout;
    loop {
        let counted = metrics.snapshot();
        if counted.get(Counter::SamplerQueriesOk) > 0 {
            return Some(counted.get(Counter::SamplerUpdatesOk) > 0);
        }
        if counted.get(Counter::SamplerQueriesErr) > 0 {
            return Some(false);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}

fn explain(report: &mut Report, tracer: &JaegerTracer, operation: &str) {
    let mut text = format!("{operation:?}: {}", tracer.explain_sampling(operation));
    let span = tracer.build_span(operation.to_owned()).start();
    let context = span.context();
    let is_kept = context.is_sampled();
    text += match is_kept {
        true => "\nthis trace would be kept",
        false => {
            "\nthis trace would be dropped; send the header jaeger-debug-id: ANY to keep one, or set \
             JAEGER_SAMPLER_TYPE=const to keep all"
        }
    };
    let mut headers = Vec::new();
    tracer.inject(&context, &mut HttpHeaders(&mut headers));
    for (name, value) in headers {
        text += &format!("\na call carries {name}: {value}");
    }
    let verdict = match is_kept {
        true => Verdict::Good,
        false => Verdict::Warning,
    };
    report.line(verdict, "sampling", &text);
}

const LOOK_AGAIN: Duration = Duration::from_millis(10);
