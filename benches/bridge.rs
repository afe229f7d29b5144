//! A program that makes spans of the crate `tracing` many times. `.ci/instructions` counts its instructions by
//! callgrind, as those of `instructions.rs`, whose page tells the arguments.
//!
//! A request is a root with four fields, three children with two fields each, and two events. Under the registry of
//! `tracing-subscriber` without a layer it costs `layer-registry`, which is in the other figures, too.

use std::hint::black_box;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::bridge::TracingLayer;
use tracehound::clock::ManualClock;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::prelude::*;

use crate::pieces::{Piece, WARM_UP};

mod pieces;

const PIECES: [Piece; 4] = [
    ("layer-registry", |n| {
        measured(tracing_subscriber::registry().into(), request, n);
    }),
    ("layer-request", |n| with_layer(true, request, n)),
    ("layer-unsampled", |n| with_layer(false, request, n)),
    ("layer-span", |n| with_layer(true, span, n)),
];

fn main() {
    pieces::main(&PIECES);
}

fn with_layer(keep: bool, work: fn(u64), times: u64) {
    let tracer = JaegerTracer::builder("bench")
        .sampler(ConstSampler::new(keep))
        .reporter(NullReporter::new())
        .clock(ManualClock::at_micros(1_700_000_000_000_000))
        .flush_interval(Duration::from_secs(3_600))
        .build()
        .expect("named");
    let layer = TracingLayer::new(tracer.clone());
    measured(
        tracing_subscriber::registry().with(layer).into(),
        work,
        times,
    );
    let report = tracer.flush(Duration::from_secs(60));
    assert!(report.is_complete(), "spans were lost: {report}");
}

fn measured(dispatch: Dispatch, work: fn(u64), times: u64) {
    tracing::dispatcher::with_default(&dispatch, || {
        (0..WARM_UP).for_each(work);
        counted_pieces(work, times);
    });
}

#[inline(never)]
fn counted_pieces(work: fn(u64), times: u64) {
    (0..times).for_each(work);
}

fn request(n: u64) {
    let request = info_span!(
        "GET /orders",
        http.method = "GET",
        http.url = black_box("/api/v2/orders/104711/items?limit=50"),
        http.status_code = 200,
        user.id = black_box("user-004711"),
    );
    let _request = request.enter();
    info!(items = n, "cart read");
    for (name, statement) in black_box([
        ("orders", "SELECT * FROM orders WHERE id = ?"),
        ("items", "SELECT * FROM items WHERE order_id = ?"),
        ("stock", "UPDATE stock SET held = held + 1 WHERE id = ?"),
    ]) {
        info_span!("query", db.instance = name, db.statement = statement).in_scope(|| ());
    }
    info!(bytes = 1_432, "answered");
}

/// A root without fields.
fn span(_: u64) {
    info_span!("get_account").in_scope(|| ());
}
