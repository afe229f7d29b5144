//! A span that is sent as the settings say.

use std::error::Error;

use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use crate::doctor::{Lines, OWN_SERVICE, config};
use crate::options::DoctorOptions;
use crate::report::{Report, Verdict};

pub(super) fn check(report: &mut Report, options: &DoctorOptions) {
    if let Err(error) = send(report, options) {
        report.line(Verdict::Failure, "sending", &error.to_string());
    }
}

/// Sends two spans, because the answer to a datagram comes with the next one.
fn send(report: &mut Report, options: &DoctorOptions) -> Result<(), Box<dyn Error>> {
    let lines = Lines::default();
    let tracer = config()?
        .service_name(OWN_SERVICE)
        .sampler(ConstSampler::new(true))
        .diagnostics(lines.diagnostics())
        .build()?;
    let begin = lines.take();
    let root = tracer.start_span("doctor");
    let trace_id = root.context().to_trace_id();
    tracer.build_span("first").child_of(&root).start().finish();
    tracer.flush(options.timeout);
    root.finish();
    let account = tracer.close(options.timeout);
    let mut text = format!("{account}; service {OWN_SERVICE}, trace {trace_id}");
    for line in begin.iter().chain(&lines.take()) {
        text.push('\n');
        text += line;
    }
    let verdict = match account.is_complete() {
        true => Verdict::Good,
        false => Verdict::Failure,
    };
    report.line(verdict, "sending", &text);
    Ok(())
}
