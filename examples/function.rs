//! Calls within one process: a span for each function, though no function is handed a span.
//!
//! Learnt: the active span is the parent of those that start meanwhile. In synchronous code it is active as long as a
//! scope lives, in a future by `in_span`; into other threads and tasks it has to be taken along.
//!
//! Run: `cargo run --example function`.
//!
//! Change: spawn the printer by `std::thread::spawn`. Where does `print_greeting` go?

use std::error::Error;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::model::SpanId;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
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

    let mut spans = spans.spans();
    spans.sort_by_key(|span| span.start);
    print_tree(&spans, None, 0);
    Ok(())
}

/// Synchronous code: a span is active until its scope is dropped, and spans that start meanwhile are its children.
fn say_hello(tracer: &JaegerTracer, name: &str) {
    let span = tracer.start_span("say_hello");
    span.set_tag("name", name);
    let _scope = span.activate();
    let greeting = format_greeting(tracer, name);
    // Another thread knows nothing of this one's active span: `scope::spawn` takes it along.
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
        // A spawned task is on its own, too: `in_active_span` takes the span along.
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

fn print_tree(spans: &[OwnedSpan], parent: Option<SpanId>, depth: usize) {
    for span in spans.iter().filter(|span| span.parent_id == parent) {
        println!("{:indent$}{}", "", span.operation_name, indent = 2 * depth);
        print_tree(spans, Some(span.span_id), depth + 1);
    }
}
