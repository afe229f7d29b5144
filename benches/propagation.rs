//! Times reading a context from headers and writing it into them, in each format. Thirty ordinary headers are there, too.
//!
//! ```text
//! extract/FORMAT            reads the headers of a caller that speaks FORMAT
//! inject/FORMAT, fresh      writes into headers that hold none of ours, as those of a new request
//! inject/FORMAT, reused     writes into headers that hold what the call before wrote, as those of a request that is
//!                           sent again
//! ```
//!
//! `default` is the default composite: Jaeger's headers and W3C's. `.ci/instructions` counts some of the same work, and
//! `benches/compare/src/bin/propagation.rs` measures it beside other crates.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::HeaderValue;

use tracehound::JaegerTracer;
use tracehound::SpanContext;
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, Propagation};

use crate::carriers::{CELLS, Cell, caller, ordinary_headers, tracer};

mod carriers;

fn extract(c: &mut Criterion) {
    let mut group = c.benchmark_group("extract");
    for Cell {
        name,
        formats,
        headers,
    } in CELLS
    {
        let tracer = tracer(formats);
        let headers = caller(headers);
        assert!(read(&tracer, &headers));
        group.bench_function(name, |b| b.iter(|| read(&tracer, black_box(&headers))));
    }

    let tracer = tracer(&Propagation::DEFAULT);
    let headers = ordinary_headers();
    assert_eq!(tracer.extract(&headers), Ok(None));
    group.bench_function("default, nothing there", |b| {
        b.iter(|| read(&tracer, black_box(&headers)));
    });
    let mut headers = ordinary_headers();
    headers.insert(
        "uber-trace-id",
        HeaderValue::from_static("not:a:context:at:all"),
    );
    assert!(tracer.extract(&headers).is_err());
    group.bench_function("default, corrupt", |b| {
        b.iter(|| read(&tracer, black_box(&headers)));
    });
    group.finish();
}

fn inject(c: &mut Criterion) {
    let mut group = c.benchmark_group("inject");
    for Cell {
        name,
        formats,
        headers,
    } in CELLS
    {
        let tracer = tracer(formats);
        let context = tracer.extract(&caller(headers));
        let context = context.ok().flatten().expect("well-formed");
        group.bench_function(format!("{name}, fresh"), |b| {
            b.iter_batched_ref(
                ordinary_headers,
                |headers| tracer.inject(black_box(&context), headers),
                BatchSize::SmallInput,
            );
        });
        let mut headers = ordinary_headers();
        group.bench_function(format!("{name}, reused"), |b| {
            b.iter(|| tracer.inject(black_box(&context), &mut headers));
        });
        assert_holds(&tracer, &headers, &context);
    }
    group.finish();
}

/// A map of text, as of a message, with baggage.
fn hash_map(c: &mut Criterion) {
    let mut group = c.benchmark_group("HashMap, default");
    let tracer = tracer(&Propagation::DEFAULT);
    let context = tracer.extract(&caller(&carriers::W3C));
    let context = context.ok().flatten().expect("well-formed");
    let mut map = HashMap::new();
    group.bench_function("inject", |b| {
        b.iter(|| tracer.inject(black_box(&context), &mut map));
    });
    assert_holds(&tracer, &map, &context);
    group.bench_function("extract", |b| b.iter(|| read(&tracer, black_box(&map))));
    group.finish();
}

fn read(tracer: &JaegerTracer, carrier: &dyn ExtractCarrier) -> bool {
    matches!(tracer.extract(carrier), Ok(Some(_)))
}

/// Checks that the carrier holds the context. Formats differ in whether they hold the parent's id.
fn assert_holds(tracer: &JaegerTracer, carrier: &dyn ExtractCarrier, written: &SpanContext) {
    let found = tracer.extract(carrier).expect("well formed");
    let found = found.expect("written before");
    assert_eq!(found.trace_id(), written.trace_id());
    assert_eq!(found.span_id(), written.span_id());
    assert_eq!(found.is_sampled(), written.is_sampled());
    assert_eq!(found.baggage(), written.baggage());
}

criterion_group!(benches, extract, inject, hash_map);
criterion_main!(benches);
