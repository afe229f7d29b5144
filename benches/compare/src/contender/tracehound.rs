use std::sync::Arc;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::model::field;
use tracehound::prelude::*;
use tracehound::propagation::Propagation;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender, UdpSender};
use tracehound::sampler::ConstSampler;
use tracehound::tracer::{TracerBuilder, tracer};

use crate::clocks::thread_cpu;
use crate::contender::{Account, Contender, Destination, Mode, QUEUE, Tally};
use crate::request::Request;

struct Tracehound {
    tracer: JaegerTracer,
    tally: Arc<Tally>,
}

/// With one format of headers, as the others have, and otherwise with default settings.
pub fn prepare(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    prepare_with(mode, destination, one_format, |sender| sender)
}

/// With default settings.
pub fn prepare_default(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    prepare_with(mode, destination, |builder| builder, |sender| sender)
}

/// With a limit of bytes a second that no thread reaches.
pub fn prepare_raised(mode: Mode, destination: Destination) -> Option<Box<dyn Contender>> {
    prepare_with(mode, destination, one_format, |sender| {
        sender.max_bytes_per_second(RAISED_BYTES_PER_SECOND)
    })
}

fn prepare_with(
    mode: Mode,
    destination: Destination,
    set_tracer: impl FnOnce(TracerBuilder) -> TracerBuilder,
    set_sender: impl FnOnce(UdpSender) -> UdpSender,
) -> Option<Box<dyn Contender>> {
    let tally = Arc::new(Tally::new());
    let reporter = match destination {
        Destination::Memory => RemoteReporter::new(Sink {
            tally: tally.clone(),
            worker: None,
        }),
        Destination::Bytes => RemoteReporter::new(Sink {
            tally: tally.clone(),
            worker: Some(Duration::ZERO),
        }),
        Destination::Network(addresses, _) => {
            RemoteReporter::new(set_sender(UdpSender::new(addresses.agent)))
        }
    };
    let tracer = match mode {
        Mode::Off => JaegerTracer::disabled(),
        Mode::Sampled | Mode::Unsampled => set_tracer(JaegerTracer::builder("compare"))
            .sampler(ConstSampler::new(mode == Mode::Sampled))
            .queue_size(QUEUE)
            .reporter(reporter)
            .build()
            .expect("named"),
    };
    Some(Box::new(Tracehound { tracer, tally }))
}

fn one_format(builder: TracerBuilder) -> TracerBuilder {
    builder.propagation([Propagation::Jaeger])
}

/// Takes ready packets: spans are encoded, not only read.
struct Sink {
    tally: Arc<Tally>,
    /// How long the worker had been on a core at the last packet; `None` if that is not counted. All that the worker does
    /// is take spans out of queues and encode them.
    worker: Option<Duration>,
}

impl Sender for Sink {
    fn format(&self) -> BatchFormat {
        BatchFormat::Compact
    }

    fn max_bytes(&self) -> usize {
        UdpSender::MAX_PACKET_BYTES
    }

    fn send(&mut self, batch: &Batch<'_>, _deadline: Instant) -> SendOutcome {
        if let Some(last) = &mut self.worker {
            let now = thread_cpu();
            self.tally.add_encoding(now - *last);
            *last = now;
        }
        self.tally.add(batch.span_count as usize);
        SendOutcome::default()
    }
}

impl Contender for Tracehound {
    fn roots(&self, n: u64) {
        for _ in 0..n {
            self.tracer.start_span("root").finish();
        }
    }

    fn children(&self, n: u64) {
        let root = self.tracer.start_span("root");
        let _scope = root.activate();
        for _ in 0..n {
            self.tracer.start_span("child").finish();
        }
    }

    fn requests(&self, n: u64, request: &mut Request) {
        for _ in 0..n {
            let caller = self.tracer.extract(&request.headers).unwrap_or_default();
            let server = self
                .tracer
                .build_span("GET /orders")
                .child_of(&caller)
                .tag("http.method", "GET")
                .tag("component", "shop")
                .tag("http.url", &request.url)
                .tag("user.id", &request.user)
                .tag("http.status_code", request.status)
                .tag("http.response_size", request.response_size)
                .start();
            server.log([
                field("event", "cache_miss"),
                field("bytes", request.bytes_read),
            ]);
            let client = self
                .tracer
                .build_span("GET /backend")
                .child_of(&server)
                .start();
            self.tracer.inject(&client.context(), &mut request.next);
            client.finish();
            server.finish();
        }
    }

    fn tagged_root(&self, request: &Request) {
        self.tracer
            .build_span("GET /orders")
            .tag("http.method", "GET")
            .tag("component", "shop")
            .tag("http.url", &request.url)
            .tag("http.status_code", request.status)
            .tag("http.response_size", request.response_size)
            .start()
            .finish();
    }

    fn off(&self, n: u64) {
        for i in 0..n {
            let span = tracer().start_span("root");
            span.set_tag("items", i as i64);
            span.finish();
        }
    }

    fn flush(&self) {
        let report = self.tracer.flush(Duration::from_secs(10));
        assert_eq!(report.queued, 0, "{report}");
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }

    fn account(&self) -> Account {
        let report = self.tracer.report();
        Account {
            finished: Some(report.finished),
            sent: Some(report.sent),
            dropped: Some(report.dropped.total()),
        }
    }
}

const RAISED_BYTES_PER_SECOND: u64 = 2_000_000_000;
