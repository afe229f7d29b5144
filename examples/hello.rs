//! The first span, and what becomes of it.
//!
//! Learnt: a tracer from `JAEGER_*` variables, a span with a tag and a log record, and `close`, which tells how
//! many spans were sent and why any were lost. Without an agent the program does its work all the same.
//!
//! Run: `cargo run --example hello`. With a Jaeger on this machine, look at
//! `http://localhost:16686/trace/` and the id that was printed.
//!
//! Change: set `JAEGER_REPORTER_LOG_SPANS=true` and see the span itself. Then take the line with the sampler out, and
//! find out from the first line of the output what is missing now.

use std::error::Error;
use std::time::Duration;

use tracehound::Config;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

fn main() -> Result<(), Box<dyn Error>> {
    let tracer = Config::from_env()?
        .service_name("hello")
        .sampler(ConstSampler::new(true))
        .build()?;

    let span = tracer.start_span("say_hello");
    let name = "Ada";
    span.set_tag("name", name);
    let greeting = format!("Hello, {name}!");
    println!("{greeting}");
    span.log([field("event", "greeted"), field("bytes", greeting.len())]);
    println!("trace {}", span.context().to_trace_id());
    span.finish();

    println!("{}", tracer.close(Duration::from_secs(1)));
    Ok(())
}
