//! The tracer and its observers, and the log.

use std::error::Error;
use std::panic;
use std::time::Duration;

use tracehound::Config;
use tracehound::bridge::WithTraceIds;
use tracehound::config::Source;
use tracehound::observer::RedMetrics;
use tracehound::prelude::*;
use tracehound::sampler::{KeepSampler, Sampler, SamplingRate, TracesPerSecond};
use tracehound::watch::{OpenSpans, Orphans};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Reads the settings. A variable that cannot be read is told in a line, and its default counts: a typing error in a
/// deployment shall cost traces, but not the service.
pub(crate) fn settings() -> Config {
    let config = Config::from_env_lossy().tag("version", env!("CARGO_PKG_VERSION"));
    // The code would win over `JAEGER_SERVICE_NAME`.
    let explanation = config.explain();
    match explanation.get("service_name").map(|name| name.source()) {
        Some(Source::Variable(_)) => config,
        _ => config.service_name("shop"),
    }
}

/// Whether a variable says where spans go.
pub(crate) fn names_a_receiver(config: &Config) -> bool {
    let names_one = |source| match source {
        Source::Variable(name) => ["AGENT", "ENDPOINT", "EXPORTER"]
            .iter()
            .any(|part| name.contains(part)),
        _ => false,
    };
    let explanation = config.explain();
    let mut settings = explanation.settings().iter();
    settings.any(|setting| names_one(setting.source()))
}

pub(crate) struct Traced {
    pub(crate) tracer: JaegerTracer,
    /// Rate, errors and durations of all requests, of those that are not sampled, too.
    pub(crate) red: RedMetrics,
    /// Spans that have not ended. A line tells of one that is open for ten seconds.
    pub(crate) open: OpenSpans,
    /// Spans that have lost their trace, because the active span was not handed over to a task.
    pub(crate) orphans: Orphans,
}

impl Traced {
    pub(crate) fn start(config: Config) -> Result<Self, Box<dyn Error>> {
        let red = RedMetrics::new();
        let open = OpenSpans::new().limit(Duration::from_secs(10));
        let orphans = Orphans::new().suspects(true);
        let (slow, few) = (SamplingRate::new(0.01)?, TracesPerSecond::new(5.0)?);
        // The strategies of Jaeger say how many ordinary traces are kept. These are kept besides: failures, the slowest
        // request in a hundred, and all above a quarter of a second, up to five a second of an operation.
        let keep = move |strategies: Box<dyn Sampler>| {
            KeepSampler::new(strategies)
                .slowest(slow)
                .slower_than(Duration::from_millis(250))
                .limit(few)
        };
        let tracer = config
            .wrap_sampler(keep)
            .observer(red.clone())
            .observer(open.clone())
            .observer(orphans.clone())
            .build()?;
        Ok(Self {
            tracer,
            red,
            open,
            orphans,
        })
    }
}

/// Writes the log as lines of JSON to standard error, each with the ids of its trace.
pub(crate) fn log_to_stderr() -> Result<(), Box<dyn Error>> {
    let json = fmt::layer().json().with_writer(std::io::stderr);
    let json = json.map_event_format(WithTraceIds::json);
    tracing_subscriber::registry()
        .with(json.with_filter(LevelFilter::INFO))
        .try_init()?;
    Ok(())
}

/// Sends the last spans where a panic ends the process. Elsewhere it unwinds, and a span that it drops says so.
pub(crate) fn send_spans_at_a_panic(tracer: JaegerTracer) {
    if cfg!(not(panic = "abort")) {
        return;
    }
    let next = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        next(panic);
        let message = panic.to_string();
        let span = active_span();
        span.set_tag("error", true)
            .log([field("event", "panic"), field("message", &*message)]);
        span.finish();
        tracer.flush(Duration::from_millis(500));
    }));
}
