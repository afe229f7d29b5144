//! A program that starts traces at even rates and prints which of them its sampler has kept.
//!
//! All its settings are variables, `JAEGER_SERVICE_NAME` among them. It prints one line of JSON: for each operation the
//! number of traces, and of those that were sampled in each second of the clock.
//!
//! Run: `cargo run -p tracehound-interop --example roots -- -roots=checkout:1000,search:40 -seconds=10`

use std::{
    collections::BTreeMap,
    env,
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use tracehound::{Config, JaegerTracer, prelude::*};
use tracehound_interop::pace;

fn main() -> Result<(), Box<dyn Error>> {
    let (mut operations, seconds) = parse(env::args().skip(1))?;
    let tracer = Config::from_env()?.build()?;
    make(&tracer, &mut operations, Duration::from_secs(seconds));
    let ledger = tracer.close(Duration::from_secs(10));
    let report = Report {
        operations: operations
            .into_iter()
            .map(|operation| (operation.name, operation.report))
            .collect(),
        finished: ledger.finished,
        sent: ledger.sent,
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// An operation, and what it has done.
struct Operation {
    name: String,
    /// Traces a second.
    rate: u64,
    report: OperationReport,
}

#[derive(Default, Serialize)]
struct OperationReport {
    made: u64,
    /// By second since 1970.
    sampled: BTreeMap<u64, u64>,
}

#[derive(Serialize)]
struct Report {
    operations: BTreeMap<String, OperationReport>,
    /// Sampled spans, by the ledger.
    finished: u64,
    sent: u64,
}

/// Starts all traces that are due, about every millisecond.
fn make(tracer: &JaegerTracer, operations: &mut [Operation], lasting: Duration) {
    pace(lasting, |elapsed| {
        for operation in &mut *operations {
            let due = (elapsed.as_secs_f64() * operation.rate as f64) as u64;
            while operation.report.made < due {
                let now = SystemTime::now().duration_since(UNIX_EPOCH);
                let second = now.expect("the clock is right").as_secs();
                let span = tracer.start_span(operation.name.clone());
                if span.context().is_sampled() {
                    *operation.report.sampled.entry(second).or_default() += 1;
                }
                span.finish();
                operation.report.made += 1;
            }
        }
    });
}

/// Reads `-roots=NAME:RATE,NAME:RATE` and `-seconds=N`.
fn parse(arguments: impl Iterator<Item = String>) -> Result<(Vec<Operation>, u64), Box<dyn Error>> {
    let (mut operations, mut seconds) = (Vec::new(), None);
    for argument in arguments {
        match argument.split_once('=') {
            Some(("-roots", list)) => {
                for entry in list.split(',') {
                    let (name, rate) = entry.rsplit_once(':').ok_or("-roots: NAME:RATE")?;
                    operations.push(Operation {
                        name: name.to_owned(),
                        rate: rate.parse()?,
                        report: OperationReport::default(),
                    });
                }
            }
            Some(("-seconds", text)) => seconds = Some(text.parse()?),
            _ => return Err(format!("expected -roots= or -seconds=, found {argument:?}").into()),
        }
    }
    Ok((operations, seconds.ok_or("-seconds is missing")?))
}
