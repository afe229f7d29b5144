//! The ids of traces in the lines of `tracing_subscriber::fmt`.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracehound::bridge::{LogKeys, WithTraceIds};
use tracehound::prelude::*;
use tracehound::span::TraceIds;
use tracing::dispatcher::with_default;
use tracing::info;
use tracing_subscriber::fmt::MakeWriter;

use super::log_scenario::log_everywhere;
use crate::support::recording_tracer;

/// Takes lines. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    /// Takes the text that was written so far.
    pub(super) fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(bytes).expect("text")
    }
}

impl io::Write for Output {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Output {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Returns a subscriber without times, and its output.
macro_rules! subscriber {
    ($($setting:tt)*) => {{
        let output = Output::default();
        let builder = tracing_subscriber::fmt().without_time().with_writer(output.clone());
        (tracing::Dispatch::new(builder.with_ansi(false)$($setting)*.finish()), output)
    }};
}
pub(super) use subscriber;

pub(super) fn as_text(ids: TraceIds) -> String {
    match ids.is_empty() {
        true => String::new(),
        false => format!("{ids} "),
    }
}

/// Asserts that a line of JSON has these ids at its top, each once.
pub(super) fn assert_ids(line: &str, ids: TraceIds) -> Value {
    let object: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let text = |id: Option<String>| id.map_or(Value::Null, Value::from);
    assert_eq!(
        object["trace_id"],
        text(ids.trace_id().map(|id| id.to_string())),
        "{line}"
    );
    assert_eq!(
        object["span_id"],
        text(ids.span_id().map(|id| id.to_string())),
        "{line}"
    );
    let sampled = (!ids.is_empty()).then(|| ids.is_sampled());
    assert_eq!(
        object["sampled"],
        sampled.map_or(Value::Null, Value::from),
        "{line}"
    );
    object
}

#[test]
fn text_lines_begin_with_the_ids_of_the_active_span() {
    let (dispatch, output) = subscriber!(.map_event_format(WithTraceIds::text));
    let expected = log_everywhere(|text| with_default(&dispatch, || info!("{text}")));
    let expected: String = expected
        .into_iter()
        .map(|(message, ids)| format!("{} INFO {}: {message}\n", as_text(ids), module_path!()))
        .collect();
    assert_eq!(output.take(), expected);
}

#[test]
fn json_lines_have_the_ids_of_the_active_span() {
    let (dispatch, output) = subscriber!(.json().map_event_format(WithTraceIds::json));
    let expected = log_everywhere(|text| with_default(&dispatch, || info!(n = 3, "{text}")));
    let output = output.take();
    assert_eq!(output.lines().count(), expected.len());
    for (line, (message, ids)) in output.lines().zip(expected) {
        let object = assert_ids(line, ids);
        assert_eq!(object["level"], "INFO");
        assert_eq!(object["fields"]["message"], message);
        assert_eq!(object["fields"]["n"], 3);
    }
}

#[test]
fn names_and_length_of_ids_are_settings() {
    const KEYS: LogKeys = LogKeys::new()
        .trace_id("dd.trace_id")
        .span_id("dd.span_id")
        .sampled(None)
        .long_trace_ids(true);
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let ids = (span.context().to_trace_id(), span.context().to_span_id());

    let (dispatch, output) =
        subscriber!(.json().map_event_format(|f| WithTraceIds::json(f).keys(KEYS)));
    with_default(&dispatch, || info!("paid"));
    let object: Value = serde_json::from_str(&output.take()).unwrap();
    assert_eq!(object["dd.trace_id"], format!("{:0>32}", ids.0));
    assert_eq!(object["dd.span_id"], ids.1);
    assert_eq!(object.get("sampled"), None);

    let (dispatch, output) = subscriber!(.map_event_format(|f| WithTraceIds::text(f).keys(KEYS)));
    with_default(&dispatch, || info!("paid"));
    let prefix = format!("dd.trace_id={:0>32} dd.span_id={}  INFO ", ids.0, ids.1);
    assert!(output.take().starts_with(&prefix));
}

#[test]
fn an_event_that_is_a_root_is_in_no_trace() {
    let (tracer, _) = recording_tracer();
    let _span = tracer.start_active_span("s");
    let (dispatch, output) = subscriber!(.map_event_format(WithTraceIds::text));
    with_default(&dispatch, || info!(parent: None, "paid"));
    assert!(output.take().starts_with(" INFO "));
}

#[test]
fn an_event_below_an_unknown_span_has_the_ids_of_the_active_one() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (dispatch, output) = subscriber!(.json().map_event_format(WithTraceIds::json));
    with_default(&dispatch, || {
        let other = tracing::info_span!("other", n = 1);
        info!(parent: &other, "paid");
    });
    let object = assert_ids(&output.take(), span.trace_ids());
    assert_eq!(object["span"]["name"], "other");
}

/// A value whose text needs a span of its own.
struct Traced<'a>(&'a JaegerTracer);

impl fmt::Display for Traced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.0.start_active_span("format");
        write!(f, "{}", span.trace_ids())
    }
}

#[test]
fn a_field_that_starts_spans_does_not_change_the_ids_of_its_line() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (dispatch, output) = subscriber!(.json().map_event_format(WithTraceIds::json));
    with_default(&dispatch, || info!(text = %Traced(&tracer), "paid"));
    let object = assert_ids(&output.take(), span.trace_ids());
    let within = spans.find("format").expect("it ended").span_id.to_string();
    let text = object["fields"]["text"].as_str().expect("a text");
    assert!(text.contains(&within), "{text}");
}

struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("a field")
    }
}

#[test]
fn a_field_that_panics_spoils_no_later_line() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (text, text_output) = subscriber!(.map_event_format(WithTraceIds::text));
    let (json, json_output) = subscriber!(.json().map_event_format(WithTraceIds::json));
    for dispatch in [&text, &json] {
        with_default(dispatch, || {
            let panicking = || info!(value = %Panics, "never");
            assert!(std::panic::catch_unwind(panicking).is_err());
            // On a new thread, as `fmt` keeps the part of a line that was written before a panic.
            let context = span.context();
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    let _scope = tracehound::scope::activate_context(&context);
                    with_default(dispatch, || info!("later"));
                });
            });
        });
    }
    let line = text_output.take();
    assert!(
        line.starts_with(&as_text(span.trace_ids())) && line.ends_with(" later\n"),
        "{line}"
    );
    assert_ids(&json_output.take(), span.trace_ids());
}
