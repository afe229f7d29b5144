//! The way of a library's spans to the bytes of an exporter.

use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fastrace::collector::{Config, SpanContext};
use fastrace_opentelemetry::OpenTelemetryReporter;
use opentelemetry::InstrumentationScope;
use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::propagation::Propagation;
use tracehound::reporter::RemoteReporter;
use tracehound::sampler::ConstSampler;

use crate::library::{Library, Mode};
use crate::open_telemetry::{before, newest};
use crate::totals::{Sink, Totals};

/// Spans that may wait, where a library lets that be set.
pub const QUEUE: usize = 1 << 16;

/// A library that has been started.
pub struct Pipeline {
    /// The tracer of tracehound, which is off for other libraries.
    pub tracer: JaegerTracer,
    /// Whether requests are timed.
    pub reads_time: bool,
    flush: Box<dyn Fn() + Send>,
    totals: Arc<Totals>,
}

impl Pipeline {
    pub fn new(flush: impl Fn() + Send + 'static, totals: Arc<Totals>) -> Self {
        Self {
            tracer: JaegerTracer::disabled(),
            reads_time: false,
            flush: Box::new(flush),
            totals,
        }
    }

    /// Starts the library. A process has one.
    pub fn start(library: Library, mode: Mode) -> Self {
        match library {
            _ if mode == Mode::Off => Self::new(|| (), Arc::default()),
            Library::Nothing => Self::new(|| (), Arc::default()),
            Library::Tracehound => tracehound(),
            Library::TraceLayer | Library::AxumOtel | Library::TonicOtel => newest::start(),
            Library::ReqwestTracing => before::start(),
            Library::FastraceAxum
            | Library::FastraceTower
            | Library::FastraceReqwest
            | Library::FastraceTonic => fastrace(),
        }
    }

    /// Returns when all finished spans have become bytes.
    pub fn flush(&self) {
        (self.flush)();
    }

    /// Returns how many spans have become bytes.
    pub fn spans(&self) -> u64 {
        self.totals.get().0
    }

    /// Opens and activates a span of the caller of a client.
    pub fn caller(&self, library: Library, mode: Mode) -> Box<dyn Any> {
        match library {
            _ if mode == Mode::Off => Box::new(()),
            Library::Tracehound => {
                let headers = crate::requests::header_map([("traceparent", mode.traceparent())]);
                let context = self.tracer.extract(&headers).expect("well-formed");
                let span = self.tracer.build_span("get_account");
                Box::new(span.context(context.expect("it is there")).start_active())
            }
            Library::TonicOtel => newest::caller(mode.traceparent()),
            Library::ReqwestTracing => before::caller(mode.traceparent()),
            Library::FastraceReqwest | Library::FastraceTonic => {
                let context = SpanContext::decode_w3c_traceparent(mode.traceparent());
                let span = fastrace::Span::root("get_account", context.expect("well-formed"));
                let scope = span.set_local_parent();
                Box::new((scope, span))
            }
            _ => Box::new(()),
        }
    }
}

fn tracehound() -> Pipeline {
    let totals = Arc::<Totals>::default();
    let tracer = JaegerTracer::builder("compare")
        .propagation([Propagation::TraceContext])
        .sampler(ConstSampler::new(true))
        .queue_size(QUEUE)
        .reporter(RemoteReporter::new(Sink(totals.clone())))
        .build()
        .expect("named");
    let flushed = tracer.clone();
    let flush = move || {
        let report = flushed.flush(Duration::from_secs(60));
        assert!(report.is_complete(), "spans were lost: {report}");
    };
    Pipeline {
        tracer,
        ..Pipeline::new(flush, totals)
    }
}

fn fastrace() -> Pipeline {
    let totals = Arc::<Totals>::default();
    let scope = InstrumentationScope::builder("compare").build();
    let encoder = newest::Encoder::new(totals.clone());
    let reporter = OpenTelemetryReporter::new(encoder, Cow::Owned(newest::resource()), scope);
    fastrace::set_reporter(reporter, Config::default());
    Pipeline::new(fastrace::flush, totals)
}
