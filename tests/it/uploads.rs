//! Batches in requests over HTTP, with real connections on loopback, and a collector that does as a test says.

mod answers;
mod connections;
mod credentials;
#[cfg(all(feature = "grpc", feature = "otlp"))]
mod grpc;
mod lines;
mod load;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "tls")]
mod tls;
mod vectors;
mod waiting;
#[cfg(feature = "zipkin")]
mod zipkin;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::{DropCause, FlushReport};
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{HttpSender, Sender};
use tracehound::sampler::ConstSampler;

use crate::support::collector_server::{Act, CollectorServer};
use crate::support::jaeger_thrift::decode_batch;
use crate::support::{kept_lines, until};

/// A tracer that uploads, and its lines to the user.
struct Shop {
    tracer: JaegerTracer,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    fn new(sender: impl Sender + 'static) -> Self {
        let (diagnostics, lines) = kept_lines();
        let tracer = JaegerTracer::builder("shop")
            .sampler(ConstSampler::new(true))
            .reporter(RemoteReporter::new(sender))
            .diagnostics(diagnostics)
            .build()
            .expect("a service");
        Self { tracer, lines }
    }

    fn uploading_to(server: &CollectorServer) -> Self {
        Self::new(sender_to(server))
    }

    fn finish(&self, spans: usize) -> &Self {
        for _ in 0..spans {
            self.tracer.start_span("checkout").finish();
        }
        self
    }

    /// Flushes with much time, and checks that the account is whole.
    fn flush(&self) -> FlushReport {
        let report = self.tracer.flush(Duration::from_secs(60));
        assert_eq!(report.queued, 0, "{report}");
        assert_balanced(&report);
        report
    }

    /// Closes within this time, and returns the account when the worker has ended.
    fn close(&self, timeout: Duration) -> FlushReport {
        let start = Instant::now();
        self.tracer.close(timeout);
        assert!(start.elapsed() < timeout + Duration::from_secs(5));
        until("the worker's last word", || {
            let dropped = self.tracer.report().dropped;
            dropped.get(DropCause::Unknown) > 0
        });
        let report = self.tracer.report();
        assert_balanced(&report);
        report
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn sender_to(server: &CollectorServer) -> HttpSender {
    HttpSender::new(&server.url("")).expect("a URL")
}

fn assert_balanced(report: &FlushReport) {
    let accounted = report.sent + report.dropped.total() + report.queued;
    assert_eq!(report.finished, accounted, "{report}");
}

/// Fails unless all spans were lost for one cause.
fn assert_lost(report: &FlushReport, cause: DropCause) {
    assert_eq!(report.dropped.get(cause), report.finished, "{report}");
}

/// Checks that pages of HTML count as refusals, and answers of other types as receipts.
fn assert_pages_are_no_receipt(
    sender_to: impl Fn(&CollectorServer) -> Box<dyn Sender>,
    hint: &str,
) {
    for (status, content_type) in [
        (200, "text/html"),
        (202, "Text/HTML; charset=utf-8"),
        (203, "text/html ;charset=utf-8"),
    ] {
        let server = CollectorServer::start(Act::page(status, content_type));
        let shop = Shop::new(sender_to(&server));
        assert_lost(&shop.finish(3).flush(), DropCause::Rejected);
        assert_eq!(server.begun(), 1, "{content_type} was asked for again");
        let lines = shop.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let said = format!(
            "it answered {status} (<html>Sign in</html>); a page of text/html is no receipt"
        );
        for part in [&said, hint] {
            assert!(lines[0].contains(part), "{part:?} is not in {lines:?}");
        }
    }
    for content_type in [
        "text/plain",
        "application/json",
        "text/html-like",
        "x; text/html",
    ] {
        let server = CollectorServer::start(Act::page(200, content_type));
        let report = Shop::new(sender_to(&server)).finish(3).flush();
        assert_eq!(report.sent, 3, "{content_type}: {report}");
    }
    let empty = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
    let server = CollectorServer::start(Act::Raw(empty.to_vec()));
    let report = Shop::new(sender_to(&server)).finish(3).flush();
    assert_eq!(report.sent, 3, "no page: {report}");
}

/// Returns the number of spans in the requests that the server has read.
fn spans_of(server: &CollectorServer) -> usize {
    let received = server.received();
    let batches = received.iter().map(|request| decode_batch(&request.body));
    batches
        .map(|batch| batch.expect("a batch").spans.len())
        .sum()
}
