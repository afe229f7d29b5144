//! Any spans in every encoding: Thrift has the bytes that the crate `thrift` writes, and the others can be read by
//! readers that are not ours and tell of the same spans.

#![no_main]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message as _;
use serde_json::Value as Json;
use thrift::protocol::{TBinaryOutputProtocol, TCompactOutputProtocol, TOutputProtocol};
use tracehound::diagnostics::Diagnostics;
use tracehound::model::Process;
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter, WorkerHandle};
use tracehound::services::Services;
use tracehound_fuzz::{spans, thrift_oracle};

#[derive(Debug)]
struct Input {
    process: Process,
    spans: Vec<OwnedSpan>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            process: spans::process(u)?,
            spans: spans::spans(u, 20)?,
        })
    }
}

fuzz_target!(|input: Input| {
    if input.spans.is_empty() {
        return;
    }
    let process = &input.process;
    for is_compact in [true, false] {
        let format = match is_compact {
            true => BatchFormat::Compact,
            false => BatchFormat::Binary,
        };
        let (bytes, spans) = encoded(format, &input);
        let expected = written(is_compact, |out| {
            thrift_oracle::emit_batch(out, 1, process, &spans)
        });
        assert_eq!(bytes, expected, "{format:?}");
    }
    let (bytes, spans) = encoded(BatchFormat::BinaryBatch, &input);
    let expected = written(false, |out| thrift_oracle::batch(out, process, &spans));
    assert_eq!(bytes, expected);

    otlp_tells_of_the_spans(&input);
    zipkin_tells_of_the_spans(&input);
    jaeger_proto_has_the_spans(&input);
});

fn otlp_tells_of_the_spans(input: &Input) {
    let (bytes, given) = encoded(BatchFormat::Otlp, input);
    let request = ExportTraceServiceRequest::decode(&*bytes).expect("a request");
    let [resource] = &request.resource_spans[..] else {
        panic!("one resource");
    };
    let [scope] = &resource.scope_spans[..] else {
        panic!("one scope");
    };
    assert_eq!(scope.spans.len(), given.len());
    for (read, given) in scope.spans.iter().zip(&given) {
        assert_eq!(read.trace_id, given.trace_id.to_bytes());
        assert_eq!(read.span_id, given.span_id.get().to_be_bytes());
        assert_eq!(read.name, given.operation_name);
        assert_eq!(read.events.len(), given.logs.len());
        assert!(read.attributes.len() <= given.tags.len());
        assert!(read.links.len() <= given.references.len());
        assert!(read.end_time_unix_nano >= read.start_time_unix_nano);
    }
    // Others leave out what is empty; we write an empty name and the like.
    assert!(request.encoded_len() <= bytes.len());
}

fn zipkin_tells_of_the_spans(input: &Input) {
    let (bytes, given) = encoded(BatchFormat::ZipkinJson, input);
    let read: Vec<Json> = serde_json::from_slice(&bytes).expect("a list in JSON");
    assert_eq!(read.len(), given.len());
    for (read, given) in read.iter().zip(&given) {
        assert_eq!(read["id"], format!("{:016x}", given.span_id.get()));
        let name = read["name"].as_str().unwrap_or_default();
        assert_eq!(name, given.operation_name);
    }
}

fn jaeger_proto_has_the_spans(input: &Input) {
    /// The outermost messages of `PostSpansRequest`, the rest as bytes.
    #[derive(prost::Message)]
    struct Request {
        #[prost(message, optional, tag = "1")]
        batch: Option<Spans>,
    }

    #[derive(prost::Message)]
    struct Spans {
        #[prost(bytes = "vec", repeated, tag = "1")]
        spans: Vec<Vec<u8>>,
        #[prost(bytes = "vec", tag = "2")]
        process: Vec<u8>,
    }

    let (bytes, given) = encoded(BatchFormat::JaegerProto, input);
    let request = Request::decode(&*bytes).expect("a request");
    let batch = request.batch.expect("a batch");
    assert_eq!(batch.spans.len(), given.len());
    let rest: usize = batch.spans.iter().map(Vec::len).sum::<usize>() + batch.process.len();
    assert!(bytes.len() > rest);
}

/// Returns a message with all spans, and the spans as the sender sees them.
fn encoded(format: BatchFormat, input: &Input) -> (Vec<u8>, Vec<OwnedSpan>) {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let sender = Taking {
        format,
        taken: taken.clone(),
    };
    let services = Services::detached(input.process.clone());
    let services = services.with_diagnostics(Diagnostics::silent());
    let mut reporter = RemoteReporter::new(sender).batch_numbers(false);
    reporter.attach(&WorkerHandle::detached(services));
    for span in &input.spans {
        span.view(|span| reporter.report(span));
    }
    let unsent = reporter.flush(Instant::now() + Duration::from_secs(60));
    assert_eq!(unsent.dropped.total() + unsent.queued, 0, "{format:?}");
    let mut taken = taken.lock().expect("not poisoned");
    assert_eq!(taken.len(), 1, "{format:?}: one message");
    taken.pop().expect("one")
}

fn written(
    is_compact: bool,
    write: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let result = match is_compact {
        true => write(&mut TCompactOutputProtocol::new(&mut bytes)),
        false => write(&mut TBinaryOutputProtocol::new(&mut bytes, true)),
    };
    result.expect("memory takes everything");
    bytes
}

/// The messages that a sender got, each with its spans.
type Taken = Arc<Mutex<Vec<(Vec<u8>, Vec<OwnedSpan>)>>>;

struct Taking {
    format: BatchFormat,
    taken: Taken,
}

impl Sender for Taking {
    fn format(&self) -> BatchFormat {
        self.format
    }

    fn reads_spans(&self) -> bool {
        true
    }

    fn max_bytes(&self) -> usize {
        1 << 30
    }

    fn send(&mut self, batch: &Batch<'_>, _deadline: Instant) -> SendOutcome {
        let spans: Vec<_> = batch.spans().map(|span| span.to_owned()).collect();
        assert_eq!(spans.len() as u64, batch.span_count);
        let message = (batch.bytes.to_vec(), spans);
        self.taken.lock().expect("not poisoned").push(message);
        SendOutcome::default()
    }
}
