//! The option `err`.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::num::ParseIntError;
use std::pin::Pin;

use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::traced;

use crate::block_on::block_on;
use crate::support::{log_texts, recording_tracer};

#[derive(Debug)]
struct Bare;

#[traced(tracer = tracer, err)]
fn parsed(tracer: &JaegerTracer, text: &str) -> Result<u8, ParseIntError> {
    if text.is_empty() {
        return Ok(0);
    }
    let number: u8 = text.parse()?;
    Ok(number)
}

#[traced(tracer = tracer, err)]
fn converted(tracer: &JaegerTracer, text: &str) -> Result<u8, Box<dyn Error>> {
    Ok(text.parse()?)
}

#[traced(tracer = tracer, err(Debug))]
fn bare(tracer: &JaegerTracer) -> Result<(), Bare> {
    Err(Bare)
}

#[traced(tracer = tracer, err(Display))]
fn text(tracer: &JaegerTracer) -> Result<(), String> {
    Err("sold out".to_owned())
}

#[traced(tracer = tracer, err)]
fn generic<E: Error>(tracer: &JaegerTracer, error: E) -> Result<(), E> {
    Err(error)
}

#[traced(tracer = tracer, err)]
async fn in_async(tracer: &JaegerTracer, text: &str) -> Result<u8, ParseIntError> {
    text.parse()
}

#[traced(tracer = tracer, err)]
fn in_future(tracer: &JaegerTracer, text: &str) -> impl Future<Output = Result<u8, ParseIntError>> {
    let number = text.parse();
    std::future::ready(number)
}

#[traced(tracer = tracer, err(Debug))]
fn in_box<'a>(
    tracer: &JaegerTracer,
    text: &'a str,
) -> Pin<Box<dyn Future<Output = Result<u8, ParseIntError>> + 'a>> {
    if text.is_empty() {
        return Box::pin(async { Ok(0) });
    }
    Box::pin(async { text.parse() })
}

#[traced(tracer = tracer)]
fn unmarked(tracer: &JaegerTracer) -> Result<(), Bare> {
    Err(Bare)
}

/// Returns the fields of the only log of the only span, after `event=error`.
fn log_of(spans: &InMemoryReporter) -> Vec<String> {
    let span = spans.take().remove(0);
    assert!(span.is_error(), "{}", span.operation_name);
    assert_eq!(span.logs.len(), 1, "{}", span.operation_name);
    let fields = log_texts(&span.logs[0]);
    assert_eq!(fields[0], "event=error");
    fields[1..].to_vec()
}

#[test]
fn an_error_is_logged_on_the_span_and_returned() {
    let (tracer, spans) = recording_tracer();
    let digit = "message=invalid digit found in string";
    assert!(parsed(&tracer, "x").is_err());
    let log = log_of(&spans);
    assert_eq!(log[0], digit);
    assert!(
        log.contains(&"error.kind=core::num::error::ParseIntError".to_owned()),
        "{log:?}"
    );
    assert!(converted(&tracer, "x").is_err());
    assert_eq!(log_of(&spans)[0], digit);
    assert!(generic(&tracer, fmt::Error).is_err());
    assert_eq!(log_of(&spans)[0], format!("message={}", fmt::Error));
    assert!(block_on(in_async(&tracer, "x")).is_err());
    assert_eq!(log_of(&spans)[0], digit);
    assert!(block_on(in_future(&tracer, "x")).is_err());
    assert_eq!(log_of(&spans)[0], digit);
    assert!(block_on(in_box(&tracer, "x")).is_err());
    assert_eq!(
        log_of(&spans)[0],
        "message=ParseIntError { kind: InvalidDigit }"
    );
}

#[test]
fn an_error_of_any_type_is_logged_by_its_text() {
    let (tracer, spans) = recording_tracer();
    assert!(bare(&tracer).is_err());
    let log = log_of(&spans);
    assert_eq!(log[0], "message=Bare");
    assert!(
        log.iter().any(|field| field.ends_with("errors::Bare")),
        "{log:?}"
    );
    assert!(text(&tracer).is_err());
    assert_eq!(log_of(&spans)[0], "message=sold out");
}

#[test]
fn success_leaves_no_mark_and_neither_does_an_error_without_the_option() {
    let (tracer, spans) = recording_tracer();
    assert_eq!(parsed(&tracer, "7"), Ok(7));
    assert_eq!(parsed(&tracer, ""), Ok(0));
    assert_eq!(block_on(in_async(&tracer, "7")), Ok(7));
    assert_eq!(block_on(in_box(&tracer, "")), Ok(0));
    assert!(unmarked(&tracer).is_err());
    for span in spans.spans() {
        assert!(
            !span.is_error() && span.logs.is_empty(),
            "{}",
            span.operation_name
        );
    }
}
