//! The ids of traces in the records of the crate `log`.

use std::io;
use std::sync::{Arc, Mutex};

use log::kv::{self, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record, info};
use tracehound::bridge::{LogKeys, LogWithTraceIds};
use tracehound::prelude::*;
use tracehound::span::TraceIds;

use super::log_scenario::log_everywhere;
use crate::support::recording_tracer;

/// Keeps each record as `message key=value …`, quoted where a value is a text. Clones share the lines.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<String>>>);

impl Kept {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Log for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        let mut line = record.args().to_string();
        record
            .key_values()
            .visit(&mut Fields(&mut line))
            .expect("a string takes all");
        assert_eq!(record.target(), module_path!());
        assert!(record.line().is_some() && record.file().is_some());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {
        self.0.lock().unwrap().push("flushed".to_owned());
    }
}

struct Fields<'a>(&'a mut String);

impl VisitSource<'_> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'_>, value: Value<'_>) -> Result<(), kv::Error> {
        let value = match (value.to_borrowed_str(), value.to_bool()) {
            (Some(text), _) => format!("{text:?}"),
            (None, Some(is_true)) => is_true.to_string(),
            (None, None) => format!("{value}"),
        };
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}

/// Returns a logger of the macros of `log`.
fn kept_records() -> Kept {
    // The macros of `log` ask the global level first.
    log::set_max_level(LevelFilter::Info);
    Kept::default()
}

fn key_values(ids: TraceIds) -> String {
    match (ids.trace_id(), ids.span_id()) {
        (Some(trace_id), Some(span_id)) => {
            let sampled = ids.is_sampled();
            format!(" trace_id=\"{trace_id}\" span_id=\"{span_id}\" sampled={sampled}")
        }
        _ => String::new(),
    }
}

#[test]
fn records_have_the_ids_of_the_active_span_as_key_values() {
    let kept = kept_records();
    let logger = LogWithTraceIds::new(kept.clone());
    let expected = log_everywhere(|text| info!(logger: logger, n = 3; "{text}"));
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(message, ids)| format!("{message} n=3{}", key_values(ids)))
        .collect();
    assert_eq!(kept.take(), expected);
}

#[test]
fn records_have_the_ids_before_the_message_for_loggers_without_key_values() {
    let kept = kept_records();
    let logger = LogWithTraceIds::in_message(kept.clone());
    let expected = log_everywhere(|text| info!(logger: logger, n = 3; "{text}"));
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(message, ids)| match ids.is_empty() {
            true => format!("{message} n=3"),
            false => format!("{ids} {message} n=3"),
        })
        .collect();
    assert_eq!(kept.take(), expected);
}

#[test]
fn keys_of_records_are_settings() {
    const KEYS: LogKeys = LogKeys::new()
        .trace_id("trace.id")
        .sampled(None)
        .long_trace_ids(true);
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (trace_id, span_id) = (span.context().to_trace_id(), span.context().to_span_id());
    let kept = kept_records();
    info!(logger: LogWithTraceIds::new(kept.clone()).keys(KEYS), "paid");
    info!(logger: LogWithTraceIds::in_message(kept.clone()).keys(KEYS), "paid");
    assert_eq!(
        kept.take(),
        [
            format!("paid trace.id=\"{trace_id:0>32}\" span_id=\"{span_id}\""),
            format!("trace.id={trace_id:0>32} span_id={span_id} paid"),
        ]
    );
}

#[test]
fn a_key_value_of_the_record_with_the_name_of_an_id_wins() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let kept = kept_records();
    let logger = LogWithTraceIds::new(kept.clone());
    info!(logger: logger, trace_id = "mine"; "paid");
    let span_id = span.context().to_span_id();
    let expected = format!("paid trace_id=\"mine\" span_id=\"{span_id}\" sampled=true");
    assert_eq!(kept.take(), [expected]);
}

#[test]
fn a_logger_with_ids_is_as_the_one_inside() {
    let kept = kept_records();
    let logger = LogWithTraceIds::new(kept.clone());
    let of = |level| Metadata::builder().level(level).build();
    assert!(logger.enabled(&of(Level::Info)) && !logger.enabled(&of(Level::Debug)));
    logger.flush();
    assert_eq!(kept.take(), ["flushed"]);
}

/// Takes what a logger writes.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn env_logger_prints_the_ids() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    log::set_max_level(LevelFilter::Info);
    let output = Output::default();
    let logger = env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .target(env_logger::Target::Pipe(Box::new(output.clone())))
        .build();
    info!(logger: LogWithTraceIds::new(logger), "paid");
    let line = String::from_utf8(output.0.lock().unwrap().clone()).expect("text");
    let (trace_id, span_id) = (span.context().to_trace_id(), span.context().to_span_id());
    let expected = format!("paid trace_id={trace_id} span_id={span_id} sampled=true");
    assert!(line.contains(&expected), "{line}");
}

/// A logger that traces its own work.
struct Traces {
    tracer: JaegerTracer,
    kept: Kept,
}

impl Log for Traces {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let _span = self.tracer.start_active_span("write line");
        self.kept.log(record);
    }

    fn flush(&self) {}
}

#[test]
fn a_logger_that_starts_spans_has_the_ids_of_the_line() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_active_span("s");
    let kept = kept_records();
    let logger = LogWithTraceIds::new(Traces {
        tracer: tracer.clone(),
        kept: kept.clone(),
    });
    info!(logger: logger, "paid");
    assert_eq!(
        kept.take(),
        [format!("paid{}", key_values(span.trace_ids()))]
    );
    span.finish();
    assert_eq!(spans.tree(), "s\n  write line");
}
