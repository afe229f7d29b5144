//! OpenTelemetry's tracing API on top of [`tracehound`]: libraries that are instrumented with it land in the same
//! traces as the program's own spans.
//!
//! A program traces with tracehound. Some library in it, a web framework or a client of a database, knows only
//! OpenTelemetry's API (the crate `opentelemetry`, not its SDK). With a [`TracehoundProvider`] the spans of that
//! library are spans of the program's tracer: one sampler, one reporter, one account of what was sent and what was
//! lost. A [`TracehoundPropagator`] gives the library the tracer's headers.
//!
//! ```
//! use std::collections::HashMap;
//! use std::time::Duration;
//!
//! use opentelemetry::trace::{Span, SpanKind, Status, Tracer as _};
//! use opentelemetry::{KeyValue, global};
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracehound_opentelemetry::{TracehoundPropagator, TracehoundProvider};
//!
//! /// A library that knows OpenTelemetry's API alone.
//! fn fetch(url: &'static str) -> HashMap<String, String> {
//!     let tracer = global::tracer("http-client");
//!     let builder = tracer.span_builder("GET").with_kind(SpanKind::Client);
//!     let mut span = builder.start(&tracer);
//!     span.set_attribute(KeyValue::new("url.full", url));
//!     span.set_status(Status::error("timeout"));
//!     let mut headers = HashMap::new();
//!     global::get_text_map_propagator(|it| it.inject(&mut headers));
//!     headers
//! }
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! // Once, at the start of the program.
//! global::set_tracer_provider(TracehoundProvider::new(tracer.clone()));
//! global::set_text_map_propagator(TracehoundPropagator::new(tracer.clone()));
//!
//! let checkout = tracer.start_active_span("checkout");
//! let headers = fetch("http://prices/7");
//! assert_eq!(headers["uber-trace-id"], checkout.context().to_string());
//! checkout.finish();
//!
//! assert_eq!(spans.tree(), "checkout\n  GET !");
//! let get = spans.find("GET").expect("was reported");
//! assert_eq!(get.tag_text("span.kind"), "client");
//! assert_eq!(get.tag_text("otel.scope.name"), "http-client");
//! assert!(tracer.close(Duration::from_secs(1)).is_complete());
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which span is the parent
//!
//! Context flows both ways, within a thread, and wherever either library carries it: `FutureExt::with_context` there,
//! [`InSpan`](tracehound::InSpan) and [`in_active_span`](tracehound::scope::in_active_span) here.
//!
//! | what starts or is sent | its parent |
//! |---|---|
//! | a span of tracehound | what was activated last on this thread, by [`activate`](tracehound::Span::activate) or by `Context::attach` |
//! | a span or headers in the current `Context`, or in a copy of it | the same |
//! | in a `Context` with another span or remote parent | that one |
//! | in a `Context` without a span, while the current one has one | a root |
//! | in a `Context` with an invalid span (`with_remote_span_context(SpanContext::NONE)`) | a root |
//! | in a `Context` that suppresses telemetry | no span starts |
//!
//! A span of tracehound is *the inner one* exactly as long as the OpenTelemetry span that was current when it became
//! active is current still. This differs from what was activated last in two cases: if a `Context` is attached a second
//! time inside, and if guards are dropped out of order, so that OpenTelemetry falls back to an older one.
//!
//! [`active_span`](tracehound::scope::active_span) returns a library's span if it is the inner one, to set tags and
//! logs. The other way round `Context::current` does not know our spans: [`current_context`] does.
//!
//! # What becomes of a span
//!
//! | of the API | becomes |
//! |---|---|
//! | name, `update_name` | operation name |
//! | start and end times | start and end; without a given time, of the wall clock |
//! | attribute | tag of the same type; a list becomes JSON (`["a","b"]`), as in a Jaeger backend |
//! | event | log record: the name in the field `event`, then the attributes |
//! | link | reference `FollowsFrom`, never a parent; its attributes as a log record `event=link` |
//! | status `Error` | tags `error=true` and `otel.status_description` |
//! | status `Ok` | tag `otel.status_code=OK`, and `error=false` in place of an earlier error |
//! | kind | tag `span.kind`; none for `Internal` |
//! | name and version of the instrumentation scope | tags `otel.scope.name` and `otel.scope.version` |
//! | drop without an end | the end; while the thread panics also `error=true` and a log record `event=panic` |
//! | call after the end | nothing, counted in [`late_calls`](TracehoundProvider::late_calls) |
//!
//! The sampler of the tracer decides. The attribute `sampling.priority` forces a decision, as the tag does.
//!
//! | of a context | becomes |
//! |---|---|
//! | trace id of 64 bits | 128 bits with zeros in front |
//! | sampled flag, random flag | the same; the flags debug and firehose stay on our side |
//! | `tracestate` | the same, without members that OpenTelemetry refuses |
//! | baggage | OpenTelemetry's `Baggage`, properties as metadata; joined at the start of a span and in headers |
//! | debug id, deferred decision, parent id | kept beside the `Context` for spans that start in it |
//!
//! Baggage is joined so that the side which has changed an item since it was extracted decides. An empty `Baggage` in a
//! `Context` (`with_cleared_baggage`) removes all of it.
//!
//! # What cannot be had
//!
//! * `Context::current().span()` is not our active span, because only OpenTelemetry can attach contexts.
//!   `get_active_span` does not find it either.
//! * A program that keeps a `Context` without a span and starts a span in it later, as the crate
//!   `tracing-opentelemetry` does for spans that are entered later, gets the parent that is active at the start.
//! * Baggage that a library puts into a `Context` reaches our own spans only by a span of OpenTelemetry that starts
//!   after that, or by a context that was extracted.
//! * `tracestate` of links, attributes and schema of the instrumentation scope, and counts of dropped attributes are
//!   not kept. A link of a root to its own trace is only a log record, because a Jaeger backend would take it for the
//!   parent.
//! * The limits are those of tracehound ([`Limits`](tracehound::span::Limits)): bytes instead of numbers of attributes.
//! * Span processors, exporters, id generators and samplers of the SDK have no place here: a
//!   [`Reporter`](tracehound::reporter::Reporter) and a [`Sampler`](tracehound::sampler::Sampler) have.
//! * Extracted headers are believed as a whole: only the middleware of tracehound knows
//!   [`Trust`](tracehound::propagation::Trust).
//! * Carriers of OpenTelemetry cannot remove headers, so stale ones stay unless the caller clears the
//!   [fields](TracehoundPropagator) first.
//! * OpenTelemetry's current context cannot be asked whether it is there. If a thread has used it, and asks for the
//!   active span for the first time while it ends, OpenTelemetry panics. The panic is caught, unless panics abort.
//!
//! Each version of this crate fits one version of `opentelemetry`. The crate `tracehound` depends on neither.

mod active;
mod attributes;
mod baggage;
mod extracted;
mod identity;
mod open_spans;
mod propagator;
mod provider;
mod shared;
mod span;
mod tracer;

pub use active::{context_with_span, current_context};
pub use propagator::TracehoundPropagator;
pub use provider::TracehoundProvider;
pub use span::TracehoundSpan;
pub use tracer::TracehoundTracer;

/// The code of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
