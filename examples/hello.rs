//! The first span, from its start to its arrival.
//!
//! Learnt: a tracer from `JAEGER_*` variables, a span with a tag and a log record, and `close`, which reports how
//! many spans were sent, and why the others were lost. Without an agent the program still does its work.
//!
//! Run: `cargo run --example hello`. With a Jaeger on this machine, look at
//! `http://localhost:16686/trace/` and the id that was printed.
//!
//! Change: set `JAEGER_REPORTER_LOG_SPANS=true` and see the span itself. Then remove the line with the sampler, and
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
