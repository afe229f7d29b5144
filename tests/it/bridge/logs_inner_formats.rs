//! Ids in lines of every inner format: colours, several lines, each setting of JSON, formats that fail.

use std::fmt;

use serde_json::Value;
use tracehound::bridge::WithTraceIds;
use tracehound::prelude::*;
use tracing::dispatcher::{Dispatch, with_default};
use tracing::{Event, Subscriber, info, info_span};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format};
use tracing_subscriber::registry::LookupSpan;

use super::logs_fmt::{Output, as_text, assert_ids, subscriber};
use crate::support::recording_tracer;

/// Logs one line in a span of `tracing`.
fn log_in_a_span_of_tracing(dispatch: &Dispatch) {
    with_default(dispatch, || {
        let span = info_span!("outer", user = "ada");
        span.in_scope(|| info_span!("inner", n = 1).in_scope(|| info!(items = 3, "paid")));
    });
}

#[test]
fn text_is_as_without_ids_behind_them() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let prefix = as_text(span.trace_ids());
    let rows = [
        (
            subscriber!(),
            subscriber!(.map_event_format(WithTraceIds::text)),
        ),
        (
            subscriber!(.compact()),
            subscriber!(.compact().map_event_format(WithTraceIds::text)),
        ),
        (
            subscriber!(.pretty()),
            subscriber!(.pretty().map_event_format(WithTraceIds::text)),
        ),
        (
            subscriber!(.with_level(false).with_target(false).with_line_number(true)),
            subscriber!(
                .with_level(false)
                .with_target(false)
                .with_line_number(true)
                .map_event_format(WithTraceIds::text)
            ),
        ),
    ];
    for ((plain, plain_output), (with_ids, output)) in rows {
        log_in_a_span_of_tracing(&plain);
        log_in_a_span_of_tracing(&with_ids);
        let (plain, with_ids) = (plain_output.take(), output.take());
        assert!(plain.contains("paid"));
        assert_eq!(with_ids, format!("{prefix}{plain}"));
    }
}

#[test]
fn colours_stay_and_the_ids_are_dim() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (plain, plain_output) = subscriber!(.with_ansi(true));
    let (with_ids, output) = subscriber!(.with_ansi(true).map_event_format(WithTraceIds::text));
    log_in_a_span_of_tracing(&plain);
    log_in_a_span_of_tracing(&with_ids);
    let plain = plain_output.take();
    assert!(plain.contains("\x1b[32m INFO\x1b[0m"), "{plain:?}");
    let ids = span.trace_ids();
    assert_eq!(output.take(), format!("\x1b[2m{ids}\x1b[0m {plain}"));
}

#[test]
fn json_is_as_without_ids_before_them() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let rows = [
        (
            subscriber!(.json()),
            subscriber!(.json().map_event_format(WithTraceIds::json)),
        ),
        (
            subscriber!(.json().with_ansi(true)),
            subscriber!(.json().with_ansi(true).map_event_format(WithTraceIds::json)),
        ),
        (
            subscriber!(.json().flatten_event(true)),
            subscriber!(.json().flatten_event(true).map_event_format(WithTraceIds::json)),
        ),
        (
            subscriber!(.json().with_span_list(false)),
            subscriber!(.json().with_span_list(false).map_event_format(WithTraceIds::json)),
        ),
        (
            subscriber!(.json().with_current_span(false).with_thread_names(true)),
            subscriber!(
                .json()
                .with_current_span(false)
                .with_thread_names(true)
                .map_event_format(WithTraceIds::json)
            ),
        ),
    ];
    for ((plain, plain_output), (with_ids, output)) in rows {
        log_in_a_span_of_tracing(&plain);
        log_in_a_span_of_tracing(&with_ids);
        let mut object = assert_ids(&output.take(), span.trace_ids());
        let members = object.as_object_mut().expect("an object");
        for key in ["trace_id", "span_id", "sampled"] {
            assert!(members.remove(key).is_some());
        }
        let plain: Value = serde_json::from_str(&plain_output.take()).expect("an object");
        assert_eq!(object, plain);
    }
}

#[test]
fn a_field_of_the_event_with_the_name_of_an_id_wins() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (dispatch, output) =
        subscriber!(.json().flatten_event(true).map_event_format(WithTraceIds::json));
    with_default(&dispatch, || info!(trace_id = "mine", "paid"));
    let line = output.take();
    assert_eq!(line.matches("\"trace_id\":").count(), 1, "{line}");
    let object: Value = serde_json::from_str(&line).expect("an object");
    assert_eq!(object["trace_id"], "mine");
    assert_eq!(object["span_id"], span.context().to_span_id());
}

#[test]
fn json_around_a_format_of_text_puts_the_ids_before_it() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (plain, plain_output) = subscriber!();
    let (with_ids, output) = subscriber!(.map_event_format(WithTraceIds::json));
    log_in_a_span_of_tracing(&plain);
    log_in_a_span_of_tracing(&with_ids);
    let (ids, plain) = (span.trace_ids(), plain_output.take());
    // The blank is where the level is padded.
    assert_eq!(output.take(), format!(" {ids} {}", plain.trim_start()));
}

/// Fails in the middle of a line whose message says so.
struct Fails;

impl<S, N> FormatEvent<S, N> for Fails
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_char('{')?;
        if event.metadata().fields().field("fails").is_some() {
            return Err(fmt::Error);
        }
        write!(writer, "\"text\":\"")?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer, "\"}}")
    }
}

#[test]
fn a_line_that_fails_is_left_out_and_the_next_one_is_whole() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let ids = span.trace_ids();
    for with_ids in [WithTraceIds::text(Fails), WithTraceIds::json(Fails)] {
        let (dispatch, output) = subscriber!(.log_internal_errors(false).event_format(with_ids));
        with_default(&dispatch, || {
            info!(fails = true, "lost");
            info!("paid");
        });
        let line = output.take();
        assert!(line.ends_with("}\n") && !line.contains("lost"), "{line}");
        match line.strip_prefix(&as_text(ids)) {
            Some(object) => assert_eq!(object, "{\"text\":\"paid\"}\n"),
            None => assert_eq!(assert_ids(&line, ids)["text"], "paid"),
        }
    }
}

#[test]
fn a_format_may_be_given_by_itself() {
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let format = WithTraceIds::json(format().json().flatten_event(true));
    let (dispatch, output) = subscriber!(
        .fmt_fields(JsonFields::new())
        .event_format(format)
    );
    log_in_a_span_of_tracing(&dispatch);
    let object = assert_ids(&output.take(), span.trace_ids());
    assert_eq!(object["items"], 3);
    assert_eq!(object["spans"].as_array().map(Vec::len), Some(2));
}
