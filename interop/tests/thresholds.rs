//! The member `ot` that our tracer writes into `tracestate`, as OpenTelemetry's own sampling package reads it.

use std::{
    collections::BTreeMap,
    error::Error,
    io::Write,
    process::{Command, Stdio},
    thread,
};

use serde::Deserialize;
use tracehound::{
    JaegerTracer, SpanContext,
    prelude::*,
    propagation::{Injector, W3cCodec},
    reporter::NullReporter,
    sampler::{ProbabilisticSampler, SamplingRate},
};
use tracehound_interop::crossdock::OTEL_SAMPLING;

#[test]
fn opentelemetry_decides_as_our_sampler_did() -> Result<(), Box<dyn Error>> {
    if !OTEL_SAMPLING.is_there_or_skipped()? {
        return Ok(());
    }
    for probability in PROBABILITIES {
        let traces = traces(probability)?;
        let headers: Vec<&str> = traces.iter().map(|trace| trace.header.as_str()).collect();
        let verdicts = verdicts(OTEL_SAMPLING.command()?, &headers)?;
        assert_eq!(verdicts.len(), traces.len());
        for (trace, verdict) in traces.iter().zip(verdicts) {
            let at = format!("{probability}, {trace:?}: {verdict:?}");
            let distance = (verdict.probability - probability).abs();
            assert!(distance <= 1.0 / (1_u64 << 40) as f64, "{at}");
            assert_eq!(verdict.random_value, random_value(trace.id), "{at}");
            if !is_at_the_edge(trace.id, probability) {
                assert_eq!(verdict.should_sample, trace.is_sampled, "{at}");
            }
        }
    }
    Ok(())
}

/// A trace that our sampler decided.
#[derive(Debug)]
struct Trace {
    /// The lower half of its id.
    id: u64,
    is_sampled: bool,
    /// Its header; one that was not sampled has the threshold of the others with its own random value.
    header: String,
}

/// What the package of OpenTelemetry says of a header.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verdict {
    probability: f64,
    random_value: String,
    should_sample: bool,
}

/// Starts traces until there are enough of those that the sampler keeps, and of those that it does not.
fn traces(probability: f64) -> Result<Vec<Trace>, Box<dyn Error>> {
    let tracer = JaegerTracer::builder("thresholds")
        .sampler(ProbabilisticSampler::new(SamplingRate::new(probability)?))
        .reporter(NullReporter::new())
        .build()?;
    let (mut kept, mut others) = (Vec::new(), Vec::new());
    let wants_others = probability < 1.0;
    while kept.len() < OF_EACH || (wants_others && others.len() < OF_EACH) {
        let context = tracer.start_span("root").context();
        let id = context.trace_id().ok_or("a trace")?.low();
        let traces = if context.is_sampled() {
            &mut kept
        } else {
            assert_eq!(header(&context), None, "{id:x} is not sampled");
            &mut others
        };
        if traces.len() < OF_EACH {
            traces.push((id, context));
        }
    }
    let mut all = Vec::new();
    for (id, context) in &kept {
        let header = header(context).ok_or("a sampled trace without a threshold")?;
        all.push(Trace {
            id: *id,
            is_sampled: true,
            header,
        });
    }
    let threshold = all[0].header.split(';').next();
    let threshold = threshold.ok_or("a threshold")?.to_owned();
    all.extend(others.iter().map(|(id, _)| Trace {
        id: *id,
        is_sampled: false,
        header: format!("{threshold};rv:{}", random_value(*id)),
    }));
    Ok(all)
}

/// Returns the header `tracestate` of a context.
fn header(context: &SpanContext) -> Option<String> {
    let mut headers = BTreeMap::new();
    W3cCodec::new().inject(context, &mut headers);
    headers.remove("tracestate")
}

/// Returns the random value that belongs to an id: the complement of the upper 56 of its 63 bits, because Jaeger's
/// sampler keeps low ids and OpenTelemetry's high values.
fn random_value(id: u64) -> String {
    let value = !(id >> 7) & ((1 << 56) - 1);
    format!("{value:014x}")
}

/// Returns whether the id is so near to the sampler's boundary that the two may differ: a threshold is cut to 48 bits,
/// one step of which has 2^15 ids.
fn is_at_the_edge(id: u64, probability: f64) -> bool {
    let ids = u64::MAX >> 1;
    let boundary = (probability * ids as f64) as u64;
    (id & ids).abs_diff(boundary) <= 1 << 16
}

/// Lets the program read the headers, and returns what it says.
fn verdicts(mut program: Command, headers: &[&str]) -> Result<Vec<Verdict>, Box<dyn Error>> {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("a pipe")?;
    let text = headers.join("\n");
    // A full pipe would stop both sides, so one thread writes while the other reads.
    let writing = thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    writing.join().expect("no panic in `write_all`")?;
    assert!(output.status.success(), "{}", output.status);
    let lines = output.stdout.split(|byte| *byte == b'\n');
    let verdicts = lines.filter(|line| !line.is_empty());
    Ok(verdicts
        .map(serde_json::from_slice)
        .collect::<Result<_, _>>()?)
}

const PROBABILITIES: [f64; 8] = [1.0, 0.999, 0.75, 0.5, 1.0 / 3.0, 0.1, 0.01, 0.001];
const OF_EACH: usize = 100;
