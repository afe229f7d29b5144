//! Messages of OTLP for the embedded agent, in protobuf and in JSON: the spans that prost reads, and bounded memory.
//!
//! An input that begins with a brace or a blank is JSON.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use tracehound::fuzzing::{MessageFormat, Received, decode_message};

fuzz_target!(|input: &[u8]| {
    let is_json = matches!(input.first(), Some(b'{' | b' '));
    let format = match is_json {
        true => MessageFormat::OtlpJson,
        false => MessageFormat::Otlp,
    };
    let mut read = Ok(Vec::new());
    let used = measure(|| read = decode_message(format, input));
    let for_a_byte = if is_json {
        BYTES_FOR_A_BYTE_OF_JSON
    } else {
        BYTES_FOR_A_BYTE
    };
    let allowed = for_a_byte * input.len() as u64 + 4_096;
    assert!(used.bytes_max <= allowed, "{used:?} for {}", input.len());
    if !is_json {
        compare(input, read.as_deref().ok());
    }
});

/// Compares the spans with those that prost reads. Spans with an id of zero are left out.
fn compare(input: &[u8], read: Option<&[Received]>) {
    let Ok(request) = ExportTraceServiceRequest::decode(input) else {
        return;
    };
    let spans = request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .flat_map(|scope| &scope.spans);
    let are_whole = spans.clone().all(|span| {
        let links = span.links.iter();
        let mut ids = links.map(|link| (link.trace_id.len(), link.span_id.len()));
        (span.trace_id.len(), span.span_id.len()) == (16, 8)
            && matches!(span.parent_span_id.len(), 0 | 8)
            && ids.all(|lengths| lengths == (16, 8))
    });
    let Some(read) = read.filter(|_| are_whole) else {
        return;
    };
    let is_zero = |id: &[u8]| id.iter().all(|&byte| byte == 0);
    let expected: Vec<_> = spans
        .filter(|span| !is_zero(&span.trace_id) && !is_zero(&span.span_id))
        .map(|span| {
            (
                &*span.trace_id,
                &*span.span_id,
                &*span.name,
                span.events.len(),
            )
        })
        .map(|(trace_id, span_id, name, events)| {
            (trace_id.to_vec(), span_id.to_vec(), name.to_owned(), events)
        })
        .collect();
    let found: Vec<_> = read
        .iter()
        .flat_map(|batch| &batch.spans)
        .map(|span| {
            let span_id = span.span_id.get().to_be_bytes().to_vec();
            let trace_id = span.trace_id.to_bytes().to_vec();
            (
                trace_id,
                span_id,
                span.operation_name.clone(),
                span.logs.len(),
            )
        })
        .collect();
    assert_eq!(found, expected);
}

/// An empty attribute takes two bytes on the wire and 56 in memory, and a vector that grows takes three times its
/// content for a moment.
const BYTES_FOR_A_BYTE: u64 = 128;
/// A member of an object takes six bytes as text, and a node of a tree in memory.
const BYTES_FOR_A_BYTE_OF_JSON: u64 = 512;
