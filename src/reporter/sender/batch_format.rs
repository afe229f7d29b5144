/// The encoding of a batch.
///
/// ```
/// # #[cfg(feature = "otlp")] {
/// use tracehound::reporter::sender::{BatchFormat, OtlpSender, Sender};
///
/// let sender = OtlpSender::new("http://localhost:4318").expect("a URL");
/// assert_eq!(sender.format(), BatchFormat::Otlp);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchFormat {
    /// An `emitBatch` message in Thrift's compact protocol, for an agent's port 6831.
    Compact,
    /// An `emitBatch` message in Thrift's binary protocol, for an agent's port 6832.
    Binary,
    /// A `Batch` struct in Thrift's binary protocol, for a collector's `/api/traces`.
    BinaryBatch,
    /// An `ExportTraceServiceRequest` in protobuf, for OTLP over HTTP and gRPC.
    ///
    /// This is the mapping by which a Jaeger backend reads Thrift, so a span looks alike whichever way it came. One
    /// rule is left out: a tag `http.status_code` does not make a span an error, because the tag `error` tells that.
    ///
    /// | of the process | becomes |
    /// |---|---|
    /// | service name | resource attribute `service.name` |
    /// | tag `hostname` | attribute `host.name`, unless there is a tag of that name |
    /// | tag `jaeger.version` | attributes `telemetry.sdk.name`, `telemetry.sdk.language` and `telemetry.sdk.version` |
    /// | another tag | attribute |
    ///
    /// | of the span | becomes |
    /// |---|---|
    /// | trace id | 16 bytes, a short id with zeros in front |
    /// | parent, else the first reference of its trace | `parent_span_id` |
    /// | another reference, or a parent that it follows from | link with the attribute `opentracing.ref_type` |
    /// | tag `span.kind` | kind; any other value than the five of OTLP stays an attribute |
    /// | tag `error`, if it is `true` | status `Error`, with the text of `otel.status_description` or `http.status_message` |
    /// | tag `otel.status_code`, if it is `OK` or `ERROR` | status, unless the span is an error already |
    /// | tag `w3c.tracestate` | `trace_state` |
    /// | another tag, `sampler.type` and `sampler.param` among them | attribute |
    /// | log record | event; its field `event` is the name, other fields are attributes |
    /// | flag sampled | bit 0 of `flags` |
    ///
    /// OTLP has no place for the flags debug and firehose: they are lost. A finished span knows neither whether its
    /// parent is remote nor whether its trace id is random, so the bits for these are not set.
    Otlp,
    /// A `PostSpansRequest` of `jaeger.api_v2` in protobuf, for a collector's gRPC port.
    ///
    /// It holds all that a span has, under the names of the Thrift model, but for three:
    ///
    /// | of the span | becomes |
    /// |---|---|
    /// | trace id | 16 bytes, a short id with zeros in front |
    /// | parent | the first reference: that to the parent if the span has one, else a `CHILD_OF` |
    /// | times | seconds and nanoseconds |
    ///
    /// The numbers of a batch, which an agent keeps accounts with, have no place.
    JaegerProto,
    /// A JSON list of spans in version 2 of Zipkin's model, for `/api/v2/spans`.
    ///
    /// | of the span | becomes |
    /// |---|---|
    /// | trace id | `traceId`: 16 hex digits, or 32 if the upper half is not zero |
    /// | parent | `parentId` |
    /// | tag `span.kind` | `kind`, if it is one of the four of OpenTracing; else a tag |
    /// | service name, process tag `ip` | `localEndpoint` |
    /// | tags `peer.service`, `peer.ipv4`, `peer.ipv6`, `peer.port`, `network.peer.address`, `network.peer.port` | `remoteEndpoint`; they stay tags as well |
    /// | tags `peer.hostname`, `server.address`, `peer.address` of a client or producer without `peer.service` | name of `remoteEndpoint`; its port is `server.port` if no other is known |
    /// | tag `error`, if it is `false` | nothing, because Zipkin takes every value of it as a failure |
    /// | another tag | tag with the text of its value; bytes in hex |
    /// | log record | annotation: the text of `event` if it is the only field, else all fields as a JSON object |
    /// | flag debug | `debug` |
    /// | another process tag | tag `tracer.…` on roots and on spans of kind `server` |
    ///
    /// References beside the parent have no place and are lost, as are the kind of the reference to the parent and the
    /// flag firehose. `shared` is never set: no span has the id of the span that called it.
    ZipkinJson,
}
