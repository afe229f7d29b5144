//! Private parts of the crate, for the fuzz targets in `fuzz/`.
//!
//! This module exists only in builds with `--cfg tracehound_fuzz`, and is not part of the public API there either. It
//! is behind a `cfg`, not a feature, because any crate of a program can turn a feature on for all of them.

#[cfg(feature = "tower")]
mod agent;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::decode::{
    ReceivedBatch, Refusal, otlp_json_request, otlp_request, post_spans_request, unpacked,
    zipkin_list, zipkin_proto, zipkin_v1_list, zipkin_v1_thrift,
};
use crate::dev::server::peer::Peer;
use crate::dev::strategies::Strategies;
#[cfg(feature = "tower")]
pub use crate::fuzzing::agent::{Agent, Port};
#[cfg(feature = "otlp")]
use crate::http_client::Reply;
use crate::model::{Process, TraceId};
use crate::redact::{self, sql};
use crate::reporter::sender::AgentProtocol;
#[cfg(feature = "otlp")]
use crate::reporter::sender::OtlpSender;
#[cfg(feature = "otlp")]
pub use crate::reporter::sender::ReplyRead;
use crate::reporter::{OwnedSpan, from_wire};
use crate::restrictions::RemoteRestrictions;
use crate::thrift::{self, Batch, Protocol};
use crate::throttler::RemoteThrottler;
use crate::view::waterfall::{Style, draw};
use crate::view::{OpenSpan, ReceivedSpan, Trace};

/// What the embedded agent reads in a datagram or a request body.
#[derive(Debug)]
pub struct Received {
    /// The process that sent the spans.
    pub process: Arc<Process>,
    /// The spans. Those with an id of zero are left out.
    pub spans: Vec<OwnedSpan>,
    /// The number of the batch.
    pub seq_no: Option<i64>,
}

/// Reads a datagram as the embedded agent does.
///
/// # Errors
///
/// When the bytes are not an `emitBatch` message, with the reason.
pub fn decode_datagram(
    protocol: AgentProtocol,
    bytes: &[u8],
) -> Result<Received, impl fmt::Display> {
    let protocol = match protocol {
        AgentProtocol::Compact => Protocol::Compact,
        AgentProtocol::Binary => Protocol::Binary,
    };
    thrift::decode_message(protocol, bytes).map(|message| received(message.batch))
}

/// Reads the body of a `POST /api/traces` as the embedded collector does.
///
/// # Errors
///
/// When the bytes are not a `Batch` struct, with the reason.
pub fn decode_body(bytes: &[u8]) -> Result<Received, impl fmt::Display> {
    thrift::decode_body(bytes).map(received)
}

/// A format of the messages that the embedded agent takes by HTTP and gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "only fuzz targets see it")]
pub enum MessageFormat {
    /// An `ExportTraceServiceRequest` in protobuf.
    Otlp,
    /// An `ExportTraceServiceRequest` in JSON.
    OtlpJson,
    /// A list of spans in the JSON of Zipkin's second version.
    Zipkin,
    /// A list of spans in Zipkin's protobuf.
    ZipkinProto,
    /// A list of spans in the JSON of Zipkin's first version.
    ZipkinV1,
    /// A list of spans in the Thrift of Zipkin's first version.
    ZipkinThrift,
    /// A `PostSpansRequest` in protobuf.
    Jaeger,
}

/// Reads a message as the embedded agent does.
///
/// # Errors
///
/// When the bytes are no such message, with the reason.
pub fn decode_message(format: MessageFormat, bytes: &[u8]) -> Result<Vec<Received>, String> {
    let batches = match format {
        MessageFormat::Otlp => otlp_request(bytes),
        MessageFormat::OtlpJson => otlp_json_request(bytes),
        MessageFormat::Zipkin => zipkin_list(bytes),
        MessageFormat::ZipkinProto => zipkin_proto(bytes),
        MessageFormat::ZipkinV1 => zipkin_v1_list(bytes),
        MessageFormat::ZipkinThrift => zipkin_v1_thrift(bytes),
        MessageFormat::Jaeger => post_spans_request(bytes),
    };
    let received = |batch: ReceivedBatch| Received {
        process: batch.process,
        spans: batch.spans,
        seq_no: batch.sequence_number,
    };
    Ok(batches?.into_iter().map(received).collect())
}

/// Returns a body as the client had it before it was packed, of at most `most` bytes.
///
/// # Errors
///
/// Fails with true if the body is too long, and with false if it is damaged.
pub fn unpack(encoding: &str, body: &[u8], most: usize) -> Result<Vec<u8>, bool> {
    let unpacked = unpacked(Some(encoding), body, most);
    let is_too_long = |why| why == Refusal::TooLong;
    unpacked.map(Cow::into_owned).map_err(is_too_long)
}

/// Reads a reply to a batch as a sender of OTLP over HTTP does. `retry_after` and `date` are headers.
#[cfg(feature = "otlp")]
pub fn read_otlp_reply(
    status: u16,
    retry_after: Option<&str>,
    date: Option<&str>,
    body: &[u8],
    is_whole: bool,
) -> ReplyRead {
    let sender = OtlpSender::new(OtlpSender::DEFAULT_ENDPOINT).expect("a URL");
    sender.read_reply(&Reply {
        status,
        retry_after: retry_after.map(str::to_owned),
        date: date.map(str::to_owned),
        is_page: false,
        body: body.to_vec(),
        is_whole,
    })
}

/// Reads a file of sampling strategies as the embedded agent does. Returns its answer for a service, and the notes that
/// the file is worth.
///
/// # Errors
///
/// When the file cannot be used, with the reason.
pub fn strategy(file: &[u8], service: &str) -> Result<(String, String), String> {
    match Strategies::parse(file) {
        Ok((strategies, notes)) => Ok((strategies.answer(service), notes.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

/// Gives an answer of an agent to a throttler.
///
/// # Errors
///
/// When the answer is not a list of balances, with the reason.
pub fn take_credits(throttler: &RemoteThrottler, json: &[u8]) -> Result<(), String> {
    throttler.take(json).map(drop)
}

/// Gives an answer of an agent to baggage restrictions. Returns the line that tells of a change.
///
/// # Errors
///
/// When the answer is not a list of keys, with the reason.
pub fn take_restrictions(
    restrictions: &RemoteRestrictions,
    json: &[u8],
) -> Result<Option<String>, String> {
    restrictions.take(json)
}

/// Reads the answer of a server that may be another embedded agent. Returns its version, and the addresses at which it
/// takes spans and answers with strategies.
pub fn peer(answer: &[u8]) -> Option<(String, SocketAddr, Option<SocketAddr>)> {
    let peer = Peer::of_answer((Ipv4Addr::LOCALHOST, 1).into(), answer)?;
    Some((peer.version, peer.agent, peer.sampling))
}

/// Hides the secrets of a text as spans and diagnostics show it.
pub fn redact_text(text: &str) -> String {
    redact::text(text).into_owned()
}

/// Hides the secrets of a text that is one value, as an error about a variable shows it.
pub fn redact_value(value: &str) -> String {
    redact::value(value).into_owned()
}

/// Hides the literals of a statement as spans show it.
pub fn scrub_sql(statement: &str, is_postgres: bool) -> String {
    let dialect = match is_postgres {
        true => sql::Dialect::Postgres,
        false => sql::Dialect::Any,
    };
    sql::scrubbed(statement, dialect, usize::MAX)
}

/// Hides the data in the error of a database as spans show it.
pub fn scrub_sql_error(text: &str) -> String {
    sql::error_text(text)
}

/// Draws every trace of these spans, `columns` wide: for a terminal with or without colours, or as plain ASCII.
///
/// Spans for which `is_open` is true are drawn as spans that have not finished.
pub fn pictures(
    received: &Received,
    is_open: impl Fn(&OwnedSpan) -> bool,
    columns: usize,
    surface: Surface,
) -> Vec<String> {
    let mut traces = BTreeMap::<TraceId, Trace>::new();
    for span in &received.spans {
        let trace_id = span.trace_id;
        let trace = traces.entry(trace_id).or_insert_with(|| Trace {
            trace_id,
            spans: Vec::new(),
            open: Vec::new(),
        });
        if is_open(span) {
            trace.open.push(OpenSpan {
                trace_id,
                span_id: span.span_id,
                operation_name: span.operation_name.clone(),
                service_name: received.process.service_name.clone(),
                start: span.start,
            });
        } else {
            trace.spans.push(Arc::new(ReceivedSpan {
                span: span.clone(),
                process: received.process.clone(),
            }));
        }
    }
    let style = match surface {
        Surface::File => Style::plain(columns),
        Surface::Terminal { color } => Style::terminal(columns, color),
    };
    traces.values().map(|trace| draw(trace, &style)).collect()
}

/// Where a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "only fuzz targets see it")]
pub enum Surface {
    /// A file or a pipe: ASCII without escape sequences.
    File,
    /// A terminal: Unicode, with escape sequences for bold text and, if wanted, colours.
    Terminal {
        /// Whether services have colours.
        color: bool,
    },
}

fn received(batch: Batch) -> Received {
    Received {
        process: Arc::new(batch.process),
        spans: batch.spans.into_iter().filter_map(from_wire).collect(),
        seq_no: batch.seq_no,
    }
}
