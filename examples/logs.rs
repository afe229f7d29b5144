//! From a log line to its trace, and from a trace to its log lines.
//!
//! Learnt: `WithTraceIds` puts `trace_id`, `span_id` and `sampled` into every line of `tracing_subscriber::fmt`: before
//! a line of text, into a line of JSON. Lines outside of a trace stay as they are.
//!
//! Run: `cargo run --example logs --features full`.
//!
//! Change: give the tracer `ConstSampler::new(false)`. The lines of an order still share an id; there is just no trace.

use std::error::Error;
use std::io::{self, BufRead as _, BufReader};
use std::sync::Arc;

use serde_json::Value;
use tracehound::bridge::WithTraceIds;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::sampler::ConstSampler;
use tracing::{error, info};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let spans = InMemoryReporter::new(); // stands for Jaeger
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .build()?;

    let (log_store, log) = io::pipe()?; // stands for Loki, Elasticsearch, …
    let text = fmt::layer().without_time().with_ansi(false);
    let json = fmt::layer().json().with_writer(Arc::new(log));
    let subscriber = tracing_subscriber::registry()
        .with(text.map_event_format(WithTraceIds::text))
        .with(json.map_event_format(WithTraceIds::json));
    tracing::subscriber::with_default(subscriber, || {
        info!("the shop opens");
        take_order(&tracer, "ada");
        take_order(&tracer, "bob");
    });
    let lines: Vec<_> = BufReader::new(log_store)
        .lines()
        .collect::<Result<_, _>>()?;

    let spans = spans.spans();
    let failed = spans.iter().find(|span| span.tag_text("error") == "true");
    let id = failed.ok_or("no order failed")?.trace_id.to_string();
    println!("\nlines of the trace {id}, which has an error:");
    for line in lines.iter().filter(|line| line.contains(&id)) {
        println!("{line}");
    }
    let line = lines.iter().find(|line| line.contains("ERROR"));
    let line: Value = serde_json::from_str(line.ok_or("no line is an error")?)?;
    println!("\nspans of the trace of {}:", line["fields"]["message"]);
    let is_of_it = |span: &&OwnedSpan| line["trace_id"] == span.trace_id.to_string();
    for span in spans.iter().filter(is_of_it) {
        println!("{}", span.operation_name);
    }
    Ok(())
}

fn take_order(tracer: &impl Tracer, customer: &str) {
    let order = tracer.start_active_span("order");
    info!(customer, "order taken");
    match charge(tracer, customer) {
        Ok(cents) => info!(cents, "order paid"),
        Err(reason) => {
            order.set_tag("error", true);
            error!(customer, reason, "order failed");
        }
    }
}

fn charge(tracer: &impl Tracer, customer: &str) -> Result<u32, &'static str> {
    let _charge = tracer.start_active_span("charge");
    info!("ask the bank");
    let is_open = customer != "bob";
    is_open.then_some(4_200).ok_or("bank on strike")
}
