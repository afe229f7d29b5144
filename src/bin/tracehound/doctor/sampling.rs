//! The decision that the sampler would make about a trace, and the headers that a call would carry.

use std::env;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::config::{ExplainedSetting, Explanation, Source};
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
        let service = explanation.get("service_name");
        let service = service.map_or("", ExplainedSetting::value);
        let (verdict, text) = match wait_for_answer(&lines, options.timeout) {
            Some(line) if line.starts_with(FOLLOWS) => (
                Verdict::Good,
                format!("{} answers for {service}\n{line}", endpoint.value()),
            ),
            Some(line) => (Verdict::Warning, line),
            None => {
                let text = "has not answered; the initial probability counts";
                (Verdict::Warning, format!("{} {text}", endpoint.value()))
            }
        };
        report.line(verdict, "strategies", &text);
    }
    explain(report, &tracer, &explanation, &options.operation);
    tracer.close(options.timeout);
    Ok(())
}

/// Waits for the line about the first answer of the sampler's server. Returns `None` if there is none in time.
fn wait_for_answer(lines: &Lines, timeout: Duration) -> Option<String> {
    let deadline = Instant::now() + timeout;
    loop {
        let is_answer = |line: &String| line.starts_with(FOLLOWS) || line.starts_with(FAILED);
        if let Some(line) = lines.take().into_iter().find(is_answer) {
            return Some(line);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}

fn explain(report: &mut Report, tracer: &JaegerTracer, explanation: &Explanation, operation: &str) {
    let decision = tracer.explain_sampling(operation);
    let mut text = format!("{operation:?}: {decision}");
    let verdict = match share(&decision) {
        enough if enough >= ENOUGH => Verdict::Good,
        few => {
            let how_many = if few > 0.0 { "nearly every" } else { "every" };
            text += &format!(
                "\n{how_many} trace is dropped; send the header jaeger-debug-id: ANY to keep one, or set {} to \
                 keep all",
                setting_to_keep_all(explanation)
            );
            Verdict::Warning
        }
    };
    let span = tracer.build_span(operation.to_owned()).start();
    let mut headers = Vec::new();
    tracer.inject(&span.context(), &mut HttpHeaders(&mut headers));
    for (name, value) in &headers {
        text += &format!("\na call carries {name}: {value}");
    }
    report.line(verdict, "sampling", &text);
    if headers.is_empty() {
        let name = explanation.get("propagation");
        let name = name.map_or(Source::Default, ExplainedSetting::source);
        let text = format!(
            "a call carries none: the trace ends here and the next service begins another ({name})"
        );
        report.line(Verdict::Warning, "headers", &text);
    }
}

/// Returns the share of traces that a sampler keeps by its own words. One that keeps some a second keeps enough to see.
fn share(decision: &str) -> f64 {
    let by_share = decision.split_once("keeps a share of ");
    let number = by_share.and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
    match number {
        Some(share) => share,
        None if decision.contains("drops every trace") => 0.0,
        None => 1.0,
    }
}

/// Returns the setting by which every trace is kept.
fn setting_to_keep_all(explanation: &Explanation) -> &'static str {
    let sampler = explanation.get("sampler");
    let is_const = sampler.is_some_and(|sampler| {
        sampler.source() == Source::Variable("JAEGER_SAMPLER_TYPE")
            && sampler.value().starts_with("const")
    });
    let has_param = env::var_os("JAEGER_SAMPLER_PARAM").is_some_and(|param| !param.is_empty());
    match (is_const, has_param) {
        (true, _) => "JAEGER_SAMPLER_PARAM=1",
        (false, true) => "JAEGER_SAMPLER_TYPE=const and JAEGER_SAMPLER_PARAM=1",
        (false, false) => "JAEGER_SAMPLER_TYPE=const",
    }
}

/// The smallest share of traces that is no surprise to anybody who looks for one.
const ENOUGH: f64 = 0.01;
/// The begin of the sampler's line about an answer.
const FOLLOWS: &str = "sampling follows ";
/// The begin of the sampler's line about a failure.
const FAILED: &str = "no sampling strategy from ";
const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use tracehound::sampler::{
        ConstSampler, GuaranteedThroughputSampler, ProbabilisticSampler, RateLimitingSampler,
        Sampler, SamplingRate, TracesPerSecond,
    };

    use super::*;

    #[test]
    fn the_share_is_read_from_the_words_of_every_sampler() {
        let probability = |rate| SamplingRate::new(rate).expect("a probability");
        let a_second = |rate| TracesPerSecond::new(rate).expect("a rate");
        let samplers: [(Box<dyn Sampler>, f64); 8] = [
            (Box::new(ConstSampler::new(true)), 1.0),
            (Box::new(ConstSampler::new(false)), 0.0),
            (Box::new(ProbabilisticSampler::new(probability(1.0))), 1.0),
            (Box::new(ProbabilisticSampler::new(probability(0.25))), 0.25),
            (Box::new(ProbabilisticSampler::new(probability(0.0))), 0.0),
            (Box::new(RateLimitingSampler::new(a_second(2.0))), 1.0),
            (Box::new(RateLimitingSampler::new(a_second(0.0))), 0.0),
            (
                Box::new(GuaranteedThroughputSampler::new(
                    probability(0.001),
                    a_second(0.1),
                )),
                0.001,
            ),
        ];
        for (sampler, expected) in samplers {
            assert_eq!(
                share(&sampler.explain("x")),
                expected,
                "{}",
                sampler.explain("x")
            );
        }
    }
}
