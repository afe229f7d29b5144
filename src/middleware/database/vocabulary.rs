//! The tags and names whose vocabulary is a [setting](crate::model::TagNames).

use std::any::Any;
use std::borrow::Cow;

use crate::middleware::error_log;
use crate::model::{FieldRef, TagNames, field, otel_tags, tags};
use crate::span::Span;

/// Sets the text of a statement.
pub(super) fn set_statement(span: &Span, shown: Option<&str>) {
    let names = span.tag_names();
    if names.has_opentracing() {
        span.set_tag(tags::DB_STATEMENT, shown);
    }
    if names.has_opentelemetry() {
        span.set_tag(otel_tags::DB_QUERY_TEXT, shown);
    }
}

/// Sets the code with which the database refused a call, unless it does not look like one.
pub(super) fn set_error_code(span: &Span, code: &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if code.is_empty() || code.len() > 32 || !code.chars().all(is_part) {
        return;
    }
    let names = span.tag_names();
    if names.has_opentracing() {
        span.set_tag("db.error_code", code);
    }
    if names.has_opentelemetry() {
        span.set_tag(otel_tags::DB_RESPONSE_STATUS_CODE, code)
            .set_tag(otel_tags::ERROR_TYPE, code);
    }
}

/// Sets the type of an error, and the code in it if the driver's type is known.
pub(super) fn set_error<E: 'static>(span: &Span, error: &E) {
    if span.tag_names().has_opentelemetry() {
        span.set_tag(otel_tags::ERROR_TYPE, error_log::type_of(error));
    }
    if let Some(code) = code(error) {
        set_error_code(span, &code);
    }
}

#[cfg(feature = "sqlx")]
fn code(error: &dyn Any) -> Option<Cow<'_, str>> {
    match error.downcast_ref()? {
        sqlx::Error::Database(error) => error.code(),
        _ => None,
    }
}

#[cfg(not(feature = "sqlx"))]
fn code(_error: &dyn Any) -> Option<Cow<'_, str>> {
    None
}

/// Sets how many commands a pipeline has.
#[cfg(feature = "redis")]
pub(super) fn set_batch_size(span: &Span, commands: usize) {
    let names = span.tag_names();
    if names.has_opentracing() {
        span.set_tag("redis.commands", commands);
    }
    // One command is no batch to OpenTelemetry.
    if names.has_opentelemetry() && commands > 1 {
        span.set_tag(otel_tags::DB_OPERATION_BATCH_SIZE, commands);
    }
}

/// Returns the fields of a log record that tell the call: its name, and the statement if that is shown.
pub(super) fn call_fields<'a>(
    names: TagNames,
    name: Option<&'a str>,
    statement: Option<&'a str>,
) -> [FieldRef<'a>; 2] {
    match names.has_opentracing() {
        true => [
            field("db.operation", name),
            field(tags::DB_STATEMENT, statement),
        ],
        false => [
            field(otel_tags::DB_OPERATION_NAME, name),
            field(otel_tags::DB_QUERY_TEXT, statement),
        ],
    }
}
