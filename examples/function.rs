//! Calls within one process: a span for each function, although no function takes a span.
//!
//! Learnt: the active span is the parent of spans that start meanwhile. In synchronous code `start_active_span` makes a
//! span active until it is dropped, in a future `in_span` does. Other threads and tasks do not know of it unless it is
//! passed on.
//!
//! Run: `cargo run --example function`.
//!
//! Change: spawn the printer by `std::thread::spawn`. Where does `print_greeting` go?

use std::error::Error;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::scope;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("greeter")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .build()?;

    say_hello(&tracer, "Ada");
    say_hello_later(&tracer, "Grace").await?;

    println!("{}", spans.tree());
    Ok(())
}

/// Synchronous code: the span is active until it is dropped, and spans that start meanwhile are its children.
fn say_hello(tracer: &JaegerTracer, name: &str) {
    let span = tracer.start_active_span("say_hello");
    span.set_tag("name", name);
    let greeting = format_greeting(tracer, name);
    // The active span belongs to a thread: `scope::spawn` passes it on to the new one.
    let tracer = tracer.clone();
    let printer = scope::spawn(move || print_greeting(&tracer, &greeting));
    if printer.join().is_err() {
        span.set_tag("error", true);
    }
}

fn format_greeting(tracer: &JaegerTracer, name: &str) -> String {
    let _span = tracer.start_span("format_greeting");
    format!("Hello, {name}!")
}

fn print_greeting(tracer: &JaegerTracer, greeting: &str) {
    let span = tracer.start_span("print_greeting");
    span.set_tag("length", greeting.len());
    println!("{greeting}");
}

/// Asynchronous code: a task moves between threads, so the span is active in each poll instead.
async fn say_hello_later(tracer: &JaegerTracer, name: &str) -> Result<(), Box<dyn Error>> {
    let span = tracer.start_span("say_hello_later");
    let work = async {
        let greeting = format_greeting(tracer, name);
        let query = look_up(tracer.clone());
        // A spawned task has no active span either: `in_active_span` passes it on.
        tokio::spawn(query.in_active_span()).await?;
        print_greeting(tracer, &greeting);
        Ok(())
    };
    work.in_span(span).await
}

async fn look_up(tracer: JaegerTracer) {
    let span = tracer.start_span("look_up");
    async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        active_span().log_event("found");
    }
    .in_span(span)
    .await;
}
