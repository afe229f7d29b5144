//! Logging by parts of the tracer, and the tracer's own lines in a log: no loop, no deadlock.

use std::sync::Arc;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, Reporter};
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use tracehound::services::Services;

const LONG: Duration = Duration::from_secs(20);

/// Logs by the log under test.
type LogLine = Arc<dyn Fn(&str) + Send + Sync>;

struct LoggingSampler(LogLine);

impl Sampler for LoggingSampler {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        (self.0)(span.operation_name);
        ConstSampler::new(true).on_create_span(span)
    }
}

struct LoggingReporter(LogLine, InMemoryReporter);

impl Reporter for LoggingReporter {
    fn report(&mut self, span: &FinishedSpan<'_>) {
        (self.0)("reported");
        self.1.report(span);
    }
}

/// Returns a tracer whose sampler and reporter log.
fn logging_tracer(log: LogLine) -> (JaegerTracer, InMemoryReporter) {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("test")
        .sampler(LoggingSampler(log.clone()))
        .reporter(LoggingReporter(log, spans.clone()))
        .build();
    (tracer.expect("the service has a name"), spans)
}

/// A sampler that warns each time it is asked.
struct WarningSampler(Option<Services>);

impl Sampler for WarningSampler {
    fn attach(&mut self, services: &Services) {
        self.0 = Some(services.clone());
    }

    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        let services = self.0.as_ref().expect("attached before it is used");
        services
            .diagnostics()
            .warn("test", || "a warning".to_owned());
        ConstSampler::new(true).on_create_span(span)
    }
}

#[cfg(feature = "tracing")]
mod by_tracing {
    use tracehound::bridge::WithTraceIds;
    use tracehound::diagnostics::Diagnostics;
    use tracing::dispatcher::with_default;
    use tracing::info;

    use super::super::logs_fmt::{Output, as_text, subscriber};
    use super::*;

    #[test]
    fn a_sampler_and_a_reporter_may_log() {
        let (dispatch, output) = subscriber!(.map_event_format(WithTraceIds::text));
        let log = {
            let dispatch = dispatch.clone();
            Arc::new(move |line: &str| with_default(&dispatch, || info!("{line}")))
        };
        let (tracer, spans) = logging_tracer(log);
        let root = with_default(&dispatch, || tracer.start_active_span("root"));
        let ids = as_text(root.trace_ids());
        let other = tracer.build_span("other").new_trace().start();
        root.finish();
        other.finish();
        assert!(tracer.close(LONG).is_complete());
        assert_eq!(spans.spans().len(), 2);
        let place = format!(" INFO {}", module_path!());
        let expected = [
            format!("{place}: root\n"),
            format!("{ids}{place}: other\n"),
            format!("{place}: reported\n{place}: reported\n"),
        ];
        assert_eq!(output.take(), expected.concat());
    }

    #[test]
    fn lines_of_the_tracer_go_to_tracing_outside_of_the_trace() {
        let (dispatch, output) = subscriber!(.map_event_format(WithTraceIds::text));
        with_default(&dispatch, || {
            let (tracer, spans) = warning_tracer(Diagnostics::to_tracing());
            let root = tracer.start_active_span("root");
            tracer.build_span("other").new_trace().start().finish();
            root.finish();
            assert!(tracer.close(LONG).is_complete());
            assert_eq!(spans.spans().len(), 2);
        });
        assert_eq!(output.take(), " WARN tracehound: a warning\n");
    }
}

#[cfg(feature = "log")]
mod by_log {
    use std::sync::Mutex;

    use log::{LevelFilter, Log, Metadata, Record, info};
    use tracehound::bridge::LogWithTraceIds;
    use tracehound::diagnostics::Diagnostics;
    use tracehound::scope::trace_ids;

    use super::*;

    /// Keeps the lines.
    struct Kept(Mutex<Vec<String>>);

    impl Log for Kept {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let line = format!("{} {} {}", record.level(), record.target(), record.args());
            self.0.lock().unwrap().push(line);
        }

        fn flush(&self) {}
    }

    #[test]
    fn a_sampler_and_a_reporter_may_log() {
        log::set_max_level(LevelFilter::Info);
        let kept: &Kept = Box::leak(Box::new(Kept(Mutex::default())));
        let logger = LogWithTraceIds::in_message(kept);
        let (tracer, spans) = logging_tracer(Arc::new(
            move |line: &str| info!(logger: logger, target: "t", "{line}"),
        ));
        let root = tracer.start_active_span("root");
        let ids = trace_ids();
        let other = tracer.build_span("other").new_trace().start();
        root.finish();
        other.finish();
        assert!(tracer.close(LONG).is_complete());
        assert_eq!(spans.spans().len(), 2);
        let lines = kept.0.lock().unwrap();
        let other = format!("INFO t {ids} other");
        assert_eq!(
            *lines,
            ["INFO t root", &other, "INFO t reported", "INFO t reported"]
        );
    }

    #[test]
    fn lines_of_the_tracer_go_to_the_global_logger() {
        static KEPT: Kept = Kept(Mutex::new(Vec::new()));
        log::set_logger(&KEPT).expect("no other test has a global logger");
        log::set_max_level(LevelFilter::Info);
        let (tracer, spans) = warning_tracer(Diagnostics::to_log());
        tracer.start_span("root").finish();
        tracer.start_span("root").finish();
        assert!(tracer.close(LONG).is_complete());
        assert_eq!(spans.spans().len(), 2);
        let lines = KEPT.0.lock().unwrap();
        let own: Vec<_> = lines
            .iter()
            .filter(|line| line.contains("tracehound a warning"))
            .collect();
        assert_eq!(own, ["WARN tracehound a warning"]);
    }
}

/// Returns a tracer whose sampler warns.
fn warning_tracer(
    diagnostics: tracehound::diagnostics::Diagnostics,
) -> (JaegerTracer, InMemoryReporter) {
    let spans = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("test")
        .diagnostics(diagnostics)
        .sampler(WarningSampler(None))
        .reporter(spans.clone())
        .build();
    (tracer.expect("the service has a name"), spans)
}
