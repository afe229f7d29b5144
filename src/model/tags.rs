//! Standard names of tags and log fields: those of the OpenTracing semantic conventions, and Jaeger's own.
//!
//! Backends know these names: Jaeger marks a span as failed by [`ERROR`] and tells client from server by [`SPAN_KIND`].
//! A constant is checked by the compiler, a text is not.
//!
//! ```
//! use tracehound::model::{field, tags};
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! let call = tracer
//!     .build_span("GET stock")
//!     .tag(tags::SPAN_KIND, tags::SPAN_KIND_CLIENT)
//!     .tag(tags::PEER_SERVICE, "stock")
//!     .start();
//! call.set_tag(tags::HTTP_STATUS_CODE, 503_u16).set_tag(tags::ERROR, true);
//! call.log([field(tags::EVENT, "retry"), field(tags::MESSAGE, "no answer yet")]);
//! call.finish();
//!
//! let span = &spans.spans()[0];
//! assert_eq!(span.tag_text("span.kind"), "client");
//! assert_eq!(span.tag_text("error"), "true");
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```

/// Name of the library that made the span.
pub const COMPONENT: &str = "component";
/// Name of the database.
pub const DB_INSTANCE: &str = "db.instance";
/// Text of the database statement.
pub const DB_STATEMENT: &str = "db.statement";
/// Kind of database: `sql`, or a category such as `redis`.
pub const DB_TYPE: &str = "db.type";
/// User of the database.
pub const DB_USER: &str = "db.user";
/// `true` if the operation failed, and only then.
pub const ERROR: &str = "error";
/// HTTP method.
pub const HTTP_METHOD: &str = "http.method";
/// HTTP status, a number.
pub const HTTP_STATUS_CODE: &str = "http.status_code";
/// URL of the request.
pub const HTTP_URL: &str = "http.url";
/// Topic or queue.
pub const MESSAGE_BUS_DESTINATION: &str = "message_bus.destination";
/// Address of the peer: `ip:port`, a host name or another form.
pub const PEER_ADDRESS: &str = "peer.address";
/// Host name of the peer.
pub const PEER_HOSTNAME: &str = "peer.hostname";
/// IPv4 address of the peer, dotted.
pub const PEER_IPV4: &str = "peer.ipv4";
/// IPv6 address of the peer.
pub const PEER_IPV6: &str = "peer.ipv6";
/// Port of the peer, a number.
pub const PEER_PORT: &str = "peer.port";
/// Name of the remote service.
pub const PEER_SERVICE: &str = "peer.service";
/// A number of any type: above 0 keeps the trace, 0 drops it.
pub const SAMPLING_PRIORITY: &str = "sampling.priority";
/// `client`, `server`, `producer` or `consumer`; set it when the span starts.
pub const SPAN_KIND: &str = "span.kind";

/// Value of [`SPAN_KIND`] for the caller of a remote procedure.
pub const SPAN_KIND_CLIENT: &str = "client";
/// Value of [`SPAN_KIND`] for the callee of a remote procedure.
pub const SPAN_KIND_SERVER: &str = "server";
/// Value of [`SPAN_KIND`] for the sender of a message.
pub const SPAN_KIND_PRODUCER: &str = "producer";
/// Value of [`SPAN_KIND`] for the receiver of a message.
pub const SPAN_KIND_CONSUMER: &str = "consumer";

/// Time that a message waited between its sender and its receiver, in microseconds.
pub const QUEUE_WAIT_US: &str = "queue.wait_us";
/// Number of items that were sent into a sink.
pub const SINK_ITEMS: &str = "sink.items";
/// Number of items that came out of a stream.
pub const STREAM_ITEMS: &str = "stream.items";
/// Time from the first poll of a stream to its first item, in microseconds.
pub const STREAM_FIRST_ITEM_US: &str = "stream.first_item_us";

/// Type of the sampler that kept the trace.
pub const SAMPLER_TYPE: &str = "sampler.type";
/// Parameter of the sampler that kept the trace.
pub const SAMPLER_PARAM: &str = "sampler.param";
/// Value of the header `jaeger-debug-id` that made the service keep the trace.
pub const JAEGER_DEBUG_ID: &str = "jaeger-debug-id";
/// The traces, spans or decisions that other formats of a request named, if they differ from the one that counts.
pub const PROPAGATION_CONFLICT: &str = "propagation.conflict";
/// `true` on the local root of a trace that was kept late: services that were called before, or the caller, were told
/// that the trace is not sampled, and have none of its spans.
pub const PARTIAL: &str = "tracehound.partial";
/// Process tag: language and version of the client.
pub const JAEGER_VERSION: &str = "jaeger.version";
/// Process tag: name of the host.
pub const HOSTNAME: &str = "hostname";
/// Process tag: address of the host.
pub const IP: &str = "ip";
/// Process tag: the id of this tracer for an agent that keeps accounts of loss.
pub const CLIENT_UUID: &str = "client-uuid";
/// Marks a span that was made smaller to fit into a packet.
pub const DEGRADED: &str = "tracehound.degraded";
/// Keys of the tags whose binary value was cut, such as `body, signature`; as a log field, keys of the record's fields.
pub const TRUNCATED_BINARY: &str = "tracehound.truncated_binary";
/// Number of tags, log fields and records that were left out, because the span was full or too large for a packet.
pub const DROPPED_ITEMS: &str = "tracehound.dropped_items";

/// Log field: stable name of an event.
pub const EVENT: &str = "event";
/// Value of the log field `event` of a record that stands for others that were left out.
pub(crate) const DROPPED_LOGS: &str = "dropped Span logs";
/// Log field of that record: number of the records that were left out.
pub(crate) const DROPPED_LOG_COUNT: &str = "dropped_log_count";

/// Log field: one line of text.
pub const MESSAGE: &str = "message";
/// Log field: type of the error.
pub const ERROR_KIND: &str = "error.kind";
/// Log field: the error itself.
pub const ERROR_OBJECT: &str = "error.object";
/// Log field: stack trace.
pub const STACK: &str = "stack";
