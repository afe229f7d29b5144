//! Spans of the crate `tracing` in our traces, and the ids of traces in log lines of `tracing` and of the crate `log`.
//!
//! # How do spans of `tracing` come into our traces?
//!
//! A [`TracingLayer`] makes every span of the crate `tracing` a span of a tracer, and every event a log record on the
//! span in which it happens. Both APIs may be mixed: each makes children of the span that is active, whichever made it.
//! [`TracingSpanExt`] joins a span of `tracing` to the trace of a request, and gives its context. All spans of a layer
//! have the service name of its tracer, also if two services of one process run under it.
//!
//! ```
//! use std::collections::HashMap;
//! use tracehound::bridge::{TracingLayer, TracingSpanExt};
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracing::{Span, info, instrument};
//! use tracing_subscriber::prelude::*;
//!
//! #[instrument(skip_all, fields(otel.kind = "server"))]
//! fn handle(tracer: &impl Tracer, headers: &HashMap<String, String>) {
//!     // Joins the trace of the caller, after the span was entered.
//!     let caller = tracer.extract(headers).unwrap_or_default();
//!     let _ = Span::current().set_parent(&caller);
//!     info!(items = 3, "cart read"); // a log record
//!     let query = tracer.start_span("query"); // a child of `handle`
//!     query.set_tag("db.type", "sql");
//! }
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! let subscriber = tracing_subscriber::registry().with(TracingLayer::new(tracer.clone()));
//! // A program calls `subscriber.init()` instead.
//! tracing::subscriber::with_default(subscriber, || {
//!     let headers = HashMap::from([("uber-trace-id".to_owned(), "1f:2e:0:1".to_owned())]);
//!     handle(&tracer, &headers);
//! });
//!
//! assert_eq!(spans.tree(), "handle\n  query");
//! let handle = spans.find("handle").expect("it has ended");
//! assert_eq!(handle.trace_id.to_string(), "000000000000001f");
//! assert_eq!(handle.tag_text("span.kind"), "server");
//! assert_eq!(handle.logs.len(), 1);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # What becomes of a field?
//!
//! A field of a span is a tag with its type: `bool`, integers, floats, text, bytes. What is recorded with `?` or `%` is
//! text, and an error is its message with those of its causes. Some fields have a meaning of their own, the one that
//! they have for OpenTelemetry:
//!
//! | field of a span | becomes |
//! |---|---|
//! | `otel.name` | the operation name |
//! | `otel.kind` | the tag `span.kind`: `server`, `client`, `producer` or `consumer`, in any case; `internal` is left out |
//! | `otel.status_code` | `error`: the tag `error=true`; `ok`: events at level `ERROR` do not mark the span |
//! | `otel.status_message` | the tag `otel.status_description` |
//! | `error` | `true`: the tag; an error or text: the tag `error=true`, and a log record as [`Span::log_error`] writes it |
//! | `sampling.priority` | decides on the trace, as the tag does |
//!
//! An event is a log record with `event`, `level`, `target`, `message` and the fields of the event. `event` is the
//! event's name or its field of this name, else `error` at level `ERROR` and `log` at others. A field `error` is
//! `error.object`. An event at level `ERROR` marks its span with `error=true`, unless
//! [`error_events`](TracingLayer::error_events) says otherwise. Other settings of the layer add levels, targets, places
//! in the source and names of threads to spans.
//!
//! A record of the crate `log` that comes through `tracing-log` has its own target.
//!
//! # When does a span start?
//!
//! A span has the start time of its creation, but the tracer starts it later: when its first child starts, when its
//! context is asked for, when it has recorded much, or when it closes. Until then it can get a parent, and no sampler
//! is asked. So `set_parent` works in a function with `#[instrument]`, which has entered the span before its first line
//! runs. A log line with the ids of the trace asks for the context: set the parent before the first one.
//!
//! If two threads ask for the span at once, one asks the sampler and the other waits for it, for a second at most.
//!
//! A panic that leaves an entered span marks it with `error=true` and a log record `event=panic`, like other spans.
//!
//! # Do filters work?
//!
//! The layer works under per-layer filters (`with_filter(EnvFilter::…)`), and in a `reload::Layer`. The parent of a
//! span is the nearest span above it that the filter lets through.
//!
//! # What is left out?
//!
//! * Events outside of a span, or with `parent: None`; events whose explicit parent is filtered out.
//! * Spans and events of this crate (targets `tracehound` and `tracehound::…`), and those of its threads, so that
//!   sending spans makes no spans.
//! * Spans and events that begin while the layer formats a field, asks a sampler or ends a span.
//! * Spans that begin while the tracer is off, or before there is a global tracer.
//!
//! # What differs from `tracing`?
//!
//! * A span has one interval. How often and how long it was entered is not recorded.
//! * A log record belongs to one span, so an event without a span is nowhere.
//! * A level is a field of a log record. It decides nothing: filters do.
//! * A span that is entered again inside of another one is active again. In the registry the one in between stays the
//!   current span.
//! * The causes of [`follows_from`][tracing_span] start when they are named, because a reference holds their ids. A
//!   root takes none to its own trace once it has started, and a span takes at most 128.
//!
//! # How do ids come into log lines?
//!
//! A log line that holds the ids of its trace leads to the trace, and the trace to all its lines. [`WithTraceIds`] adds
//! them to the lines of `tracing_subscriber::fmt`, text or JSON; [`LogWithTraceIds`], with the feature `log`, to the
//! records of the crate `log`. Any other logger prints [`scope::trace_ids`](crate::scope::trace_ids). [`LogKeys`] sets
//! other names than `trace_id`, `span_id` and `sampled`. `docs/guide/logs.md` in the repository tells how stores of
//! logs link both ways.
//!
//! ```
//! use tracehound::bridge::WithTraceIds;
//!
//! tracing_subscriber::fmt().map_event_format(WithTraceIds::text).init();
//! tracing::info!("ready"); // in a trace: `trace_id=… span_id=… sampled=… … INFO shop: ready`
//! ```
//!
//! [tracing_span]: https://docs.rs/tracing/latest/tracing/struct.Span.html
//! [`Span::log_error`]: crate::Span::log_error

#[cfg(feature = "tracing")]
mod json_members;
mod log_ids;
mod log_keys;
#[cfg(feature = "log")]
mod log_with_trace_ids;
#[cfg(feature = "tracing")]
mod tracing;
#[cfg(feature = "tracing")]
mod with_trace_ids;

pub use log_keys::LogKeys;
#[cfg(feature = "log")]
pub use log_with_trace_ids::LogWithTraceIds;
#[cfg(feature = "tracing")]
pub use tracing::{SetParentError, TracingLayer, TracingSpanExt};
#[cfg(feature = "tracing")]
pub use with_trace_ids::WithTraceIds;
