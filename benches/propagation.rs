//! Times writing a context into a carrier and reading it back.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderName, HeaderValue};

use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, InjectCarrier};
use tracehound::reporter::NullReporter;
use tracehound::{JaegerTracer, SpanContext};

fn inject(c: &mut Criterion) {
    let mut group = c.benchmark_group("inject");
    for (name, context) in contexts() {
        let tracer = tracer();
        let mut headers = ordinary_headers();
        group.bench_function(format!("HeaderMap, {name}"), |b| {
            b.iter(|| write(&tracer, black_box(&context), &mut headers));
        });
        assert_holds(&tracer, &headers, &context);

        let mut map = HashMap::new();
        group.bench_function(format!("HashMap, {name}"), |b| {
            b.iter(|| write(&tracer, black_box(&context), &mut map));
        });
        assert_holds(&tracer, &map, &context);
    }
    group.finish();
}

fn extract(c: &mut Criterion) {
    let mut group = c.benchmark_group("extract");
    let tracer = tracer();
    for (name, context) in contexts() {
        let mut headers = ordinary_headers();
        tracer.inject(&context, &mut headers);
        assert_holds(&tracer, &headers, &context);
        group.bench_function(format!("HeaderMap, {name}"), |b| {
            b.iter(|| read(&tracer, black_box(&headers)));
        });

        let mut map = HashMap::new();
        tracer.inject(&context, &mut map);
        assert_holds(&tracer, &map, &context);
        group.bench_function(format!("HashMap, {name}"), |b| {
            b.iter(|| read(&tracer, black_box(&map)));
        });
    }

    let headers = ordinary_headers();
    assert_eq!(tracer.extract(&headers), Ok(None));
    group.bench_function("HeaderMap, nothing there", |b| {
        b.iter(|| read(&tracer, black_box(&headers)));
    });

    let mut headers = ordinary_headers();
    headers.insert(
        "uber-trace-id",
        HeaderValue::from_static("not:a:context:at:all"),
    );
    assert!(tracer.extract(&headers).is_err());
    group.bench_function("HeaderMap, corrupt", |b| {
        b.iter(|| read(&tracer, black_box(&headers)));
    });
    group.finish();
}

fn write(tracer: &JaegerTracer, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
    tracer.inject(context, carrier);
}

fn read(tracer: &JaegerTracer, carrier: &dyn ExtractCarrier) -> bool {
    matches!(tracer.extract(carrier), Ok(Some(_)))
}

/// Checks that the carrier holds the context. A map gives baggage back in any order.
fn assert_holds(tracer: &JaegerTracer, carrier: &dyn ExtractCarrier, written: &SpanContext) {
    let found = tracer.extract(carrier).expect("well formed");
    let found = found.expect("written before");
    assert_eq!(found.to_string(), written.to_string());
    assert_eq!(found.baggage().len(), written.baggage().len());
    for (key, value) in written.baggage().iter() {
        assert_eq!(found.baggage().get(key), Some(value));
    }
}

fn contexts() -> [(&'static str, SpanContext); 2] {
    let bare = SpanContext::new(
        TraceId::new(0x6309_ab92_c954_68ed, 0xea0d_c1a9_772a_e2dc).expect("not zero"),
        SpanId::new(0x4094_23a2_04bc_17a8).expect("not zero"),
        None,
        Flags::SAMPLED,
    );
    let with_baggage = bare
        .with_baggage_item("user", "Zoë Müller")
        .with_baggage_item("tenant", "eu-1")
        .with_baggage_item("label", "canary 3");
    [("bare", bare), ("three baggage items", with_baggage)]
}

/// Returns thirty headers, about as many as a browser behind two proxies sends.
fn ordinary_headers() -> HeaderMap {
    (0..30)
        .map(|n| {
            let name = HeaderName::try_from(format!("x-ordinary-{n}")).expect("a token");
            (
                name,
                HeaderValue::from_static("an ordinary value, not long"),
            )
        })
        .collect()
}

fn tracer() -> JaegerTracer {
    JaegerTracer::builder("bench")
        .reporter(NullReporter::new())
        .build()
        .expect("named")
}

criterion_group!(benches, inject, extract);
criterion_main!(benches);
