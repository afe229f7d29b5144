//! A span that is sent as the settings say.

use std::error::Error;

use tracehound::config::Explanation;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use crate::doctor::{Lines, OWN_SERVICE, config};
use crate::options::DoctorOptions;
use crate::report::{Report, Verdict};

/// Sends spans. Returns the id of their trace, if they were sent.
pub(super) fn check(
    report: &mut Report,
    options: &DoctorOptions,
    explanation: &Explanation,
) -> Option<String> {
    match send(report, options, explanation) {
        Ok(trace_id) => trace_id,
        Err(error) => {
            report.line(Verdict::Failure, "sending", &error.to_string());
            None
        }
    }
}

/// Returns why spans go to no backend, if that is so.
pub(super) fn reason_to_stay(explanation: &Explanation) -> Option<String> {
    let value = |name| explanation.get(name);
    let is_dev = value("dev").filter(|dev| dev.value() == "true");
    if let Some(dev) = is_dev {
        let text = "spans go to the agent inside of the program, and to no backend";
        return Some(format!("{} is true: {text}", dev.source()));
    }
    let sender = value("sender")?;
    let text = match sender.value() {
        "none" => "spans go nowhere",
        "console" => "spans are written to the log, and go to no backend",
        _ => return None,
    };
    Some(format!("{} is {}: {text}", sender.source(), sender.value()))
}

/// Sends two spans, because the answer to a datagram comes with the next one.
fn send(
    report: &mut Report,
    options: &DoctorOptions,
    explanation: &Explanation,
) -> Result<Option<String>, Box<dyn Error>> {
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
    // The check of the settings has told what is passed over.
    let begin = begin
        .iter()
        .filter(|line| !line.starts_with("passed over: "));
    for line in begin.chain(&lines.take()) {
        text.push('\n');
        text += line;
    }
    if account.queued > 0 {
        let is_agent = explanation.get("agent_host").is_some();
        text += &match is_agent {
            true => format!("\nthe agent had not read them after {:?}", options.timeout),
            false => format!("\nno answer within {:?}", options.timeout),
        };
    }
    let verdict = match account.is_complete() {
        true => Verdict::Good,
        false => Verdict::Failure,
    };
    report.line(verdict, "sending", &text);
    Ok((account.sent > 0).then_some(trace_id))
}

/// How many spans are sent.
pub(super) const SPANS: usize = 2;
