//! The start of a library, and the caller of its clients.

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
use crate::pipeline::{Pipeline, QUEUE};
use crate::totals::{Sink, Totals};

impl Pipeline {
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
    let mut pipeline = Pipeline::new(flush, totals);
    pipeline.tracer = tracer;
    pipeline
}

fn fastrace() -> Pipeline {
    let totals = Arc::<Totals>::default();
    let scope = InstrumentationScope::builder("compare").build();
    let encoder = newest::Encoder::new(totals.clone());
    let reporter = OpenTelemetryReporter::new(encoder, Cow::Owned(newest::resource()), scope);
    fastrace::set_reporter(reporter, Config::default());
    Pipeline::new(fastrace::flush, totals)
}
