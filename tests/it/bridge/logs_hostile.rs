//! Ids in lines of JSON whose content tries to look like their structure.

use serde_json::Value;
use tracehound::bridge::{LogKeys, WithTraceIds};
use tracehound::prelude::*;
use tracing::dispatcher::with_default;
use tracing::{error, field, info, info_span};
use tracing_subscriber::fmt::format::FmtSpan;

use super::logs_fmt::{Output, subscriber};
use crate::support::recording_tracer;

/// Text that ends objects, begins members, escapes, and breaks lines.
const HOSTILE: [&str; 12] = [
    "}",
    "}}]}\"",
    r#"\"}"#,
    "\\",
    "\\\\\"",
    r#"","trace_id":"ffffffffffffffff"#,
    r#"{"trace_id":"ffffffffffffffff","sampled":false}"#,
    "trace_id",
    "line\nbreak\r\n{\"a\":1}",
    "\0\u{1}\u{7f}\u{85}\u{2028}\u{feff}",
    "\u{1b}[31m}\u{1b}[0m",
    "ends with a backslash and a quote \\\"",
];

/// Logs in every place that a line takes text from.
fn log_hostile() {
    for text in HOSTILE {
        info!("{text}");
        info!(
            trace_id = text,
            span_id = 7,
            sampled = field::Empty,
            "a field of each name"
        );
        error!(value = ?text, shown = %text, "debugged and shown");
        let outer = info_span!(
            "outer",
            trace_id = text,
            "we}ird\"name" = text,
            late = field::Empty
        );
        outer.in_scope(|| {
            outer.record("late", text);
            let inner = info_span!("trace_id", sampled = true, list = ?[text, text]);
            inner.in_scope(|| info!("we}ird\"name" = text, r#type = text, "in two spans"));
        });
    }
}

macro_rules! assert_as_without_ids {
    ($($setting:tt)*) => {{
        let (tracer, _) = recording_tracer();
        let span = tracer.start_active_span("s");
        let (plain, plain_output) = subscriber!($($setting)*);
        let (with_ids, output) = subscriber!($($setting)*.map_event_format(WithTraceIds::json));
        for dispatch in [&plain, &with_ids] {
            with_default(dispatch, log_hostile);
        }
        assert_lines_as_without_ids(&plain_output.take(), &output.take(), &span);
    }};
}

fn assert_lines_as_without_ids(plain: &str, with_ids: &str, span: &Span) {
    assert_eq!(plain.lines().count(), with_ids.lines().count());
    assert!(plain.lines().count() >= HOSTILE.len() * 4);
    let context = span.context();
    let ids = [
        ("trace_id", Value::from(context.to_trace_id())),
        ("span_id", Value::from(context.to_span_id())),
        ("sampled", Value::from(true)),
    ];
    for (plain, with_ids) in plain.lines().zip(with_ids.lines()) {
        let own: Value = serde_json::from_str(plain).expect("an object");
        let added = ids.iter().filter(|(name, _)| own.get(name).is_none());
        let added: String = added
            .map(|(name, id)| format!(",\"{name}\":{id}"))
            .collect();
        let plain = plain.strip_suffix('}').expect("an object");
        assert_eq!(with_ids, format!("{plain}{added}}}"));
        assert!(
            serde_json::from_str::<Value>(with_ids).is_ok(),
            "{with_ids}"
        );
    }
}

#[test]
fn content_that_looks_like_structure_changes_nothing_but_the_ids() {
    assert_as_without_ids!(.json());
    assert_as_without_ids!(.json().flatten_event(true));
    assert_as_without_ids!(.json().with_current_span(false).with_span_list(false));
    assert_as_without_ids!(.json().flatten_event(true).with_ansi(true).with_file(true));
    // The lines of a close have times, which differ.
    assert_as_without_ids!(.json().with_span_events(FmtSpan::NEW | FmtSpan::ACTIVE));
}

#[test]
fn a_member_is_found_however_its_name_is_escaped() {
    const NAME: &str = "a\"\\\n\u{1}☂";
    const KEYS: LogKeys = LogKeys::new().trace_id(NAME).sampled(None);
    let (tracer, _) = recording_tracer();
    let span = tracer.start_active_span("s");
    let (dispatch, output) = subscriber!(
        .json().flatten_event(true).map_event_format(|f| WithTraceIds::json(f).keys(KEYS))
    );
    with_default(&dispatch, || info!("a\"\\\n\u{1}☂" = "mine", "paid"));
    let line = output.take();
    let object: Value = serde_json::from_str(&line).expect("an object");
    assert_eq!(object[NAME], "mine");
    assert_eq!(line.matches(":\"mine\"").count(), 1, "{line}");
    assert_eq!(
        object.as_object().map(|members| members.len()),
        Some(5),
        "{line}"
    );
    assert_eq!(object["span_id"], span.context().to_span_id());
}
