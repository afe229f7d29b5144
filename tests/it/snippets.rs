//! The lines that people type first: all of them compile, and do what they seem to do.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tracehound::prelude::*;
use tracehound::scope::{capture, in_active_span, with_active_span};

use crate::support::{log_texts, recording_tracer, texts};

#[test]
fn a_span_is_started_and_activated_in_one_line() {
    let (tracer, spans) = recording_tracer();
    {
        let _scope = tracer.start_span("outer").activate();
        let _span = tracer.start_active_span("middle");
        tracer
            .start_span("inner")
            .in_scope(|| tracer.start_span("leaf").finish());
    }
    assert_eq!(spans.tree(), "outer\n  middle\n    inner\n      leaf");
}

#[test]
fn a_builder_starts_an_active_span() {
    let (tracer, spans) = recording_tracer();
    let span = tracer
        .build_span("request")
        .tag("span.kind", "server")
        .start_active();
    span.set_tag("items", 3).log_event("read");
    tracer.start_span("child").finish();
    span.finish();
    assert_eq!(spans.tree(), "request\n  child");
}

#[test]
fn a_span_goes_where_a_reference_to_a_span_goes() {
    fn describe(span: &Span) {
        span.set_tag("described", true);
    }

    let (tracer, spans) = recording_tracer();
    let span = tracer.start_active_span("s");
    describe(&span);
    let mut headers = HashMap::new();
    tracer.inject(&span.context(), &mut headers);
    let child = tracer.build_span("child").child_of(&span).start();
    drop(span);
    child.finish();
    assert!(headers.contains_key("uber-trace-id"));
    assert_eq!(spans.tree(), "s\n  child");
}

#[test]
fn tags_are_set_on_the_active_span_from_anywhere() {
    let (tracer, spans) = recording_tracer();
    let span = tracer.start_active_span("s");
    active_span().set_tag("user", "ada").set_tag("items", 3);
    with_active_span(|span| {
        span.set_tag("block", true);
    });
    with_active_span(|span| span.log_error(&fmt::Error));
    let trace_id = with_active_span(|span| span.context().to_trace_id());
    assert_eq!(trace_id, span.context().to_trace_id());
    span.finish();
    assert_eq!(
        texts(&spans.spans()[0].tags),
        ["user=ada", "items=3", "block=true", "error=true"]
    );
}

/// As the reports of `anyhow` and `eyre`: no error, and two ways to borrow one.
#[derive(Debug)]
struct Report(Box<dyn Error + Send + Sync>);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AsRef<dyn Error + Send + Sync> for Report {
    fn as_ref(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl AsRef<dyn Error> for Report {
    fn as_ref(&self) -> &(dyn Error + 'static) {
        &*self.0
    }
}

#[test]
fn errors_are_logged_on_their_way_whatever_they_are_behind() {
    fn port(text: &str, span: &Span) -> Result<u16, Box<dyn Error>> {
        let port = text.parse::<u16>().inspect_err(|e| span.log_error(e))?;
        Ok(port)
    }

    fn generic<E: Error>(error: &E, span: &Span) {
        span.log_error(error);
    }

    let (tracer, spans) = recording_tracer();
    let span = tracer.start_span("s");
    let boxed = port("x", &span).inspect_err(|e| span.log_error(e));
    let boxed = boxed.expect_err("not a number");
    span.log_error(&boxed);
    span.log_error(&*boxed);
    span.log_error(&boxed.as_ref());
    let sent: Result<(), Box<dyn Error + Send + Sync>> = Err("sent".into());
    let sent = sent.inspect_err(|e| span.log_error(e));
    let report = sent.map_err(Report).inspect_err(|e| span.log_error(e));
    let shared: Arc<dyn Error + Send + Sync> = report.expect_err("still one").0.into();
    span.log_error(&shared);
    generic(&fmt::Error, &span);
    span.finish();

    let span = &spans.spans()[0];
    let messages: Vec<_> = span
        .logs
        .iter()
        .map(|log| log_texts(log)[1].clone())
        .collect();
    let [parsed, sent] = ["message=invalid digit found in string", "message=sent"];
    let error = "message=an error occurred when formatting an argument";
    assert_eq!(
        messages,
        [
            parsed, parsed, parsed, parsed, parsed, sent, sent, sent, error
        ]
    );
    let kinds: Vec<_> = span
        .logs
        .iter()
        .filter_map(|log| log_texts(log).into_iter().find(|it| it.contains("kind=")))
        .collect();
    assert_eq!(
        kinds,
        [
            "error.kind=core::num::error::ParseIntError",
            "error.kind=core::fmt::Error"
        ],
        "a pointer to an error of an unknown type has no kind"
    );
}

#[test]
fn values_of_every_day_are_tags() {
    let (tracer, spans) = recording_tracer();
    let (text, number) = (String::from("text"), 7_u64);
    tracer
        .start_span("s")
        .set_tag("literal", "text")
        .set_tag("owned", text.clone())
        .set_tag("borrowed", &text)
        .set_tag("format", format!("{number}"))
        .set_tag("number", number)
        .set_tag("length", text.len())
        .set_tag("waited", Duration::from_millis(3))
        .set_tag("option", Some("text"))
        .set_tag("none", None::<&str>);
    let span = &spans.spans()[0];
    assert_eq!(texts(&span.tags).len(), 8);
    assert_eq!(span.tag_text("waited"), "3ms");
}

#[test]
fn context_goes_into_closures_threads_and_futures() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let captured = capture();
    std::thread::scope(|threads| {
        threads.spawn(in_active_span(|| tracer.start_span("closure").finish()));
        threads.spawn(|| captured.run(|| tracer.start_span("captured").finish()));
    });
    let work = {
        let tracer = tracer.clone();
        async move { tracer.start_span("future").finish() }.in_active_span()
    };
    request.finish();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(work);

    let tree = spans.tree();
    let mut lines: Vec<_> = tree.lines().collect();
    assert_eq!(lines.remove(0), "request");
    lines.sort_unstable();
    assert_eq!(lines, ["  captured", "  closure", "  future"]);
}

#[test]
fn a_span_ends_in_a_struct_and_behind_a_reference() {
    struct Job {
        span: Span,
    }

    impl Drop for Job {
        fn drop(&mut self) {
            self.span.set_tag("done", true).finish_by_ref();
        }
    }

    let (tracer, spans) = recording_tracer();
    drop(Job {
        span: tracer.start_span("job"),
    });
    assert_eq!(
        spans.find("job").expect("it ended").tag_text("done"),
        "true"
    );
}
