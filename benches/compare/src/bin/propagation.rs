//! Reading a context from headers and writing it into them: tracehound beside opentelemetry and fastrace, in one process
//! and in interleaved rounds.
//!
//! ```console
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin propagation
//! cargo run --release --manifest-path benches/compare/Cargo.toml --bin propagation -- 100
//! ```
//!
//! It prints a table of medians; the argument is the number of rounds, 40 by default. Thirty ordinary headers are in
//! every map. *Fresh* maps hold no context yet, and making them is not in the figures; *reused* ones hold the context
//! that was written before. Allocations are counted on the calling thread.
//!
//! # What is not equal
//!
//! - opentelemetry's propagator of Jaeger's headers has no release for opentelemetry 0.33. It is measured with 0.32. For
//!   both formats together the two propagators are called one after the other, as opentelemetry's composite does.
//! - opentelemetry does not remove what an earlier request has left in the headers, if the new context does not set it.
//! - fastrace reads and writes the value of `traceparent` alone. The benchmark finds and inserts the header for it.
#![expect(
    deprecated,
    reason = "the propagators of older formats have no others in their place"
)]

use std::env;
use std::hint::black_box;
use std::time::Instant;

use fastrace::collector::SpanContext as FastraceContext;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::TraceContextExt;
use opentelemetry_032::propagation as propagation_032;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_zipkin::{B3Encoding, Propagator as B3Propagator};
use tracehound::prelude::*;

use crate::carriers::{CELLS, Cell, caller, ordinary_headers, tracer};

#[path = "../../../carriers/mod.rs"]
mod carriers;

fn main() {
    let rounds = env::args()
        .nth(1)
        .map_or(40, |rounds| rounds.parse().expect("a number of rounds"));
    let mut rows: Vec<_> = CELLS.iter().map(Row::new).collect();
    for _ in 0..rounds {
        for row in &mut rows {
            row.measure();
        }
    }
    println!(
        "ns of tracehound, and the others' as a multiple; in brackets allocations. {rounds} rounds.\n"
    );
    for (kind, title) in ["extract", "inject, fresh", "inject, reused"]
        .into_iter()
        .enumerate()
    {
        println!("| {title} | tracehound | opentelemetry | fastrace |\n|---|--:|--:|--:|");
        for row in &rows {
            row.print(kind);
        }
        println!();
    }
}

/// The contenders on one cell.
struct Row {
    name: &'static str,
    incoming: HeaderMap,
    contenders: Vec<Measured>,
}

/// A contender, the times of its rounds and its allocations, for each of the three kinds of work.
struct Measured {
    contender: Option<Box<dyn Contender>>,
    times: [Vec<f64>; 3],
    allocations: [f64; 3],
}

impl Row {
    fn new(cell: &Cell) -> Self {
        let incoming = caller(cell.headers);
        let contenders = [
            Some(Tracehound::new(cell, &incoming)),
            Some(OpenTelemetry::new(cell, &incoming)),
            Fastrace::new(cell, &incoming),
        ];
        Self {
            name: cell.name,
            contenders: contenders.into_iter().map(Measured::new).collect(),
            incoming,
        }
    }

    fn measure(&mut self) {
        for measured in &mut self.contenders {
            measured.measure(&self.incoming);
        }
    }

    fn print(&self, kind: usize) {
        let base = median(&self.contenders[0].times[kind]);
        print!("| {} ", self.name);
        for (n, measured) in self.contenders.iter().enumerate() {
            let time = median(&measured.times[kind]);
            let allocations = measured.allocations[kind];
            match n {
                _ if measured.contender.is_none() => print!("| – "),
                0 => print!("| {time:.0} ({allocations:.0}) "),
                _ => print!("| {:.1} × ({allocations:.0}) ", time / base),
            }
        }
        println!("|");
    }
}

impl Measured {
    fn new(contender: Option<Box<dyn Contender>>) -> Self {
        Self {
            contender,
            times: [const { Vec::new() }; 3],
            allocations: [0.0; 3],
        }
    }

    fn measure(&mut self, incoming: &HeaderMap) {
        let Some(contender) = &self.contender else {
            return;
        };
        let is_first = self.times[0].is_empty();
        let works: [&mut dyn FnMut(usize, &mut HeaderMap); 3] = [
            &mut |_, _| contender.extract(black_box(incoming)),
            &mut |_, headers| contender.inject(headers),
            &mut |_, headers| contender.inject(headers),
        ];
        for (kind, work) in works.into_iter().enumerate() {
            let is_fresh = kind == 1;
            let count = if is_fresh { BATCH } else { 1 };
            let mut maps: Vec<_> = (0..count).map(|_| ordinary_headers()).collect();
            if kind == 2 {
                contender.inject(&mut maps[0]);
            }
            let mut all = || {
                for n in 0..BATCH {
                    let at = if is_fresh { n } else { 0 };
                    work(n, black_box(&mut maps[at]));
                }
            };
            if is_first {
                let counted = allocation_counter::measure(all).count_total;
                self.allocations[kind] = counted as f64 / BATCH as f64;
                self.times[kind].reserve(1_000);
                continue;
            }
            let start = Instant::now();
            all();
            self.times[kind].push(start.elapsed().as_nanos() as f64 / BATCH as f64);
        }
        if is_first {
            // The first round warms up. From now on the list is not empty.
            self.times.iter_mut().for_each(|times| times.push(f64::NAN));
        }
    }
}

/// How many times the work is done between two looks at the clock.
const BATCH: usize = 200;

/// Returns the value in the middle, without the round that warmed up.
fn median(times: &[f64]) -> f64 {
    let mut times: Vec<f64> = times
        .iter()
        .copied()
        .filter(|time| !time.is_nan())
        .collect();
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

trait Contender {
    fn extract(&self, headers: &HeaderMap);
    fn inject(&self, headers: &mut HeaderMap);
}

struct Tracehound {
    tracer: tracehound::JaegerTracer,
    context: tracehound::SpanContext,
}

impl Tracehound {
    fn new(cell: &Cell, incoming: &HeaderMap) -> Box<dyn Contender> {
        let tracer = tracer(cell.formats);
        let context = tracer.extract(incoming).expect("well-formed");
        Box::new(Self {
            tracer,
            context: context.expect("there is one"),
        })
    }
}

impl Contender for Tracehound {
    fn extract(&self, headers: &HeaderMap) {
        black_box(self.tracer.extract(headers).is_ok());
    }

    fn inject(&self, headers: &mut HeaderMap) {
        self.tracer.inject(black_box(&self.context), headers);
    }
}

/// The propagators of one cell and what they have read.
struct OpenTelemetry {
    /// A propagator of version 0.32.
    jaeger: Option<(
        opentelemetry_jaeger_propagator::Propagator,
        opentelemetry_032::Context,
    )>,
    others: Option<(Box<dyn TextMapPropagator>, Context)>,
}

impl OpenTelemetry {
    fn new(cell: &Cell, incoming: &HeaderMap) -> Box<dyn Contender> {
        let w3c = || -> Box<dyn TextMapPropagator> {
            Box::new(TextMapCompositePropagator::new(vec![
                Box::new(TraceContextPropagator::new()),
                Box::new(BaggagePropagator::new()),
            ]))
        };
        let b3 = |encoding| -> Box<dyn TextMapPropagator> {
            Box::new(B3Propagator::with_encoding(encoding))
        };
        let (has_jaeger, others) = match cell.name {
            "jaeger" => (true, None),
            "b3, several headers" => (false, Some(b3(B3Encoding::MultipleHeader))),
            "b3, one header" => (false, Some(b3(B3Encoding::SingleHeader))),
            "w3c" | "w3c, tracestate and baggage" => (false, Some(w3c())),
            _ => (true, Some(w3c())),
        };
        let jaeger = has_jaeger.then(|| {
            use propagation_032::TextMapPropagator as _;
            let propagator = opentelemetry_jaeger_propagator::Propagator::new();
            let incoming = caller(&carriers::JAEGER);
            let context = propagator.extract(&Headers032(&incoming));
            (propagator, context)
        });
        let others = others.map(|propagator| {
            let has_w3c = incoming.contains_key("traceparent") || !has_jaeger;
            let w3c_alone = caller(&carriers::TRACEPARENT);
            let headers = if has_w3c { incoming } else { &w3c_alone };
            let context =
                propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
            assert!(context.span().span_context().is_valid(), "{}", cell.name);
            (propagator, context)
        });
        let this = Self { jaeger, others };
        let mut outgoing = HeaderMap::new();
        this.inject(&mut outgoing);
        assert_eq!(outgoing.contains_key("uber-trace-id"), has_jaeger);
        assert!(!outgoing.is_empty());
        Box::new(this)
    }
}

impl Contender for OpenTelemetry {
    fn extract(&self, headers: &HeaderMap) {
        if let Some((propagator, _)) = &self.jaeger {
            use propagation_032::TextMapPropagator as _;
            let context = opentelemetry_032::Context::new();
            black_box(propagator.extract_with_context(&context, &Headers032(headers)));
        }
        if let Some((propagator, _)) = &self.others {
            let headers = HeaderExtractor(headers);
            black_box(propagator.extract_with_context(&Context::new(), &headers));
        }
    }

    fn inject(&self, headers: &mut HeaderMap) {
        if let Some((propagator, context)) = &self.jaeger {
            use propagation_032::TextMapPropagator as _;
            propagator.inject_context(black_box(context), &mut HeadersMut032(headers));
        }
        if let Some((propagator, context)) = &self.others {
            propagator.inject_context(black_box(context), &mut HeaderInjector(headers));
        }
    }
}

/// An adapter like those of opentelemetry-http, for version 0.32.
struct Headers032<'h>(&'h HeaderMap);

impl propagation_032::Extractor for Headers032<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct HeadersMut032<'h>(&'h mut HeaderMap);

impl propagation_032::Injector for HeadersMut032<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let Ok(name) = HeaderName::from_bytes(key.as_bytes())
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            self.0.insert(name, value);
        }
    }
}

struct Fastrace(FastraceContext);

impl Fastrace {
    fn new(cell: &Cell, incoming: &HeaderMap) -> Option<Box<dyn Contender>> {
        if cell.name != "w3c" {
            return None;
        }
        let context = fastrace_context(incoming).expect("well-formed");
        Some(Box::new(Self(context)))
    }
}

fn fastrace_context(headers: &HeaderMap) -> Option<FastraceContext> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    FastraceContext::decode_w3c_traceparent(value)
}

impl Contender for Fastrace {
    fn extract(&self, headers: &HeaderMap) {
        black_box(fastrace_context(headers));
    }

    fn inject(&self, headers: &mut HeaderMap) {
        let value = black_box(&self.0).encode_w3c_traceparent();
        let value = HeaderValue::try_from(value).expect("ASCII");
        headers.insert("traceparent", value);
    }
}
