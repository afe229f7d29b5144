//! Sampling that an operator steers: the strategy file changes, and a program that runs follows it. And a failure that
//! is kept although its trace was not sampled.
//!
//! Learnt: the program names no sampler. It asks an agent which traces to keep, here the embedded one, in production a
//! Jaeger agent, a collector or Jaeger 2, which all read the same file. The decision is made when a trace begins, and
//! the tags `sampler.type` and `sampler.param` of its root say who made it.
//!
//! Run: `cargo run --example sampling --features full`.
//!
//! Change: give the service `shop` the type `ratelimiting`, with 5 as `param`, and make the visits last a second each.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::sampler::{KeepSampler, ProbabilisticSampler, SamplingRate};
use tracehound::view::Trace;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("tracehound-sampling-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("strategies.json");
    write(
        &file,
        r#"{"default_strategy": {"type": "probabilistic", "param": 1}}"#,
    )?;

    let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
    let agent = DevServer::start(options.strategies_file(&file))?;
    let shop = agent.tracer("shop")?;
    follow(&shop, 1)?;
    println!("keep everything: {}", visits(&shop));

    write(
        &file,
        r#"{"service_strategies": [{"service": "shop", "type": "probabilistic", "param": 0.1}]}"#,
    )?;
    follow(&shop, 2)?;
    println!("keep one in ten: {}", visits(&shop));

    write(
        &file,
        r#"{"service_strategies": [{"service": "shop", "type": "probabilistic", "param": 0,
            "operation_strategies": [{"operation": "pay", "type": "probabilistic", "param": 1}]}]}"#,
    )?;
    follow(&shop, 3)?;
    println!("keep payments: {}", visits(&shop));

    shop.close(Duration::from_secs(5));

    // One trace in a thousand, and each one that fails.
    let head = ProbabilisticSampler::new(SamplingRate::DEFAULT);
    let bank = agent
        .tracer_builder("bank")
        .sampler(KeepSampler::new(head))
        .build()?;
    for n in 0..1_000 {
        let span = bank.start_span("charge");
        if n == 500 {
            span.set_tag("error", true);
        }
    }
    bank.close(Duration::from_secs(5));
    let failed = |trace: &Trace| trace.spans.iter().any(|span| span.is_error());
    let failures = agent.traces().iter().filter(|trace| failed(trace)).count();
    println!("keep failures at 0.1 %: charge {failures} of 1");

    fs::remove_dir_all(folder)?;
    Ok(())
}

/// Replaces the file in one step, so that the agent never reads half of it.
fn write(file: &Path, strategies: &str) -> Result<(), Box<dyn Error>> {
    let new = file.with_extension("new");
    fs::write(&new, strategies)?;
    Ok(fs::rename(new, file)?)
}

/// Waits until the tracer has followed its `nth` strategy. It asks for one twice a second.
fn follow(tracer: &JaegerTracer, nth: u64) -> Result<(), Box<dyn Error>> {
    for _ in 0..3_000 {
        if tracer.metrics().get(Counter::SamplerUpdatesOk) >= nth {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err("the tracer does not follow the file".into())
}

/// Makes a thousand traces of two operations each, and says how many of them were kept.
fn visits(tracer: &JaegerTracer) -> String {
    let kept = |operation: &'static str| {
        let traces = (0..1_000).map(|_| tracer.start_span(operation).context().is_sampled());
        traces.filter(|is_kept| *is_kept).count()
    };
    let (browse, pay) = (kept("browse"), kept("pay"));
    format!("browse {browse} of 1000, pay {pay} of 1000")
}
