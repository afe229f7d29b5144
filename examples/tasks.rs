//! An order that is handed over to a thread, tasks, a stream, a channel and a callback, and its one trace.
//!
//! Learnt: neither threads nor tasks inherit the active span. It goes along with the work: `capture` for closures and
//! tasks, with a span of their own by `child`; `Traced` around messages; `stream_in_span` and `finish_with` for spans
//! that end with a stream or with a callback.
//!
//! Run: `cargo run --example tasks --features tokio,stream`.
//!
//! Change: send `order` without its envelope. Where does `pack` go?

use std::error::Error;
use std::thread;

use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::scope::{StreamInSpan, Traced, capture, in_active_span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(spans.clone())
        .build()?;

    let (parcels, inbox) = mpsc::channel(8);
    let packer = tokio::spawn(pack_all(tracer.clone(), inbox));
    let order = tracer.start_span("order");
    take_order(&tracer, parcels).in_span(order).await?;
    packer.await?;

    println!("{}", spans.tree());
    let pack = spans.find("pack").ok_or("no parcel")?;
    println!("waited {} µs", pack.tag_text("queue.wait_us"));
    Ok(())
}

async fn take_order(
    tracer: &JaegerTracer,
    parcels: mpsc::Sender<Traced<u64>>,
) -> Result<(), Box<dyn Error>> {
    // A stream: its span has the number of items.
    let cart = stream::iter(["tea", "pot"]).stream_in_span(tracer.start_span("read_cart"));
    let items: Vec<_> = cart.collect().await;

    // Tasks: each has a span of its own, which starts when the task begins.
    let reserve = capture().child(tracer.clone(), "reserve");
    let mut set = JoinSet::new();
    for item in items {
        reserve.on(&mut set).spawn(async move { item.len() as u64 });
    }
    let weight = set.join_all().await.iter().sum();

    // A callback: the span ends when it is called, or when it is dropped.
    let charge = tracer.start_span("charge");
    let paid = charge.finish_with(|cents: u64| active_span().set_tag("cents", cents).context());
    tokio::task::spawn_blocking(in_active_span(move || paid(4_200))).await?;

    // A channel: the envelope takes the context along.
    parcels.send(Traced::new(weight)).await?;
    Ok(())
}

async fn pack_all(tracer: JaegerTracer, mut inbox: mpsc::Receiver<Traced<u64>>) {
    while let Some(parcel) = inbox.recv().await {
        let (weight, span) = parcel.receive(&tracer, "pack");
        span.set_tag("weight", weight);
        // A thread: it has the span, and a span of its own in it.
        let _scope = span.activate();
        let label = capture().child(tracer.clone(), "print_label");
        let printed = thread::spawn(label.wrap(move || println!("{weight} g")));
        span.set_tag("error", printed.join().is_err().then_some(true));
    }
}
