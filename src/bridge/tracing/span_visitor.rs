use std::error::Error;
use std::fmt;

use ::tracing::field::{Field, Visit};

use crate::bridge::tracing::fields::Fields;
use crate::bridge::tracing::left_out::run_user_code;
use crate::bridge::tracing::recorded::{Recorded, Status};
use crate::clock::Moment;
use crate::model::{TagRef, tags};
use crate::span::with_causes;

/// Copies the fields of a span. Some have a meaning of their own, which the page of the module tells.
pub(super) struct SpanVisitor<'a> {
    recorded: &'a mut Recorded,
    now: Moment,
}

impl<'a> SpanVisitor<'a> {
    pub(super) fn new(recorded: &'a mut Recorded, now: Moment) -> Self {
        Self { recorded, now }
    }

    /// Takes a text, if its field has a meaning of its own. Returns false if it is an ordinary tag.
    fn takes_text(&mut self, key: &str, text: &str) -> bool {
        let recorded = &mut *self.recorded;
        match key {
            // Macros that declare the field before the name is known give it an empty text.
            OTEL_NAME if text.is_empty() => {}
            OTEL_NAME => recorded.name = Some(text.to_owned()),
            OTEL_KIND => {
                if let Some(kind) = span_kind(text) {
                    recorded.tags.push(tags::SPAN_KIND, TagRef::String(kind));
                } else if !text.eq_ignore_ascii_case("internal") {
                    return false;
                }
            }
            OTEL_STATUS_CODE => {
                if text.eq_ignore_ascii_case("ok") {
                    recorded.raise_status(Status::Ok);
                    recorded.tags.push(OTEL_STATUS_CODE, TagRef::String("OK"));
                } else if text.eq_ignore_ascii_case("error") {
                    recorded.raise_status(Status::Error);
                } else {
                    return text.eq_ignore_ascii_case("unset");
                }
            }
            OTEL_STATUS_MESSAGE => recorded.tags.push_text("otel.status_description", text),
            tags::ERROR => self.fail(text, text),
            _ => return false,
        }
        true
    }

    /// Marks the span and writes a log record of an error.
    fn fail(&mut self, message: &str, object: &str) {
        let recorded = &mut *self.recorded;
        recorded.raise_status(Status::Error);
        let log = &mut recorded.log_fields;
        log.push(tags::EVENT, TagRef::String("error"));
        log.push_text(tags::MESSAGE, message);
        log.push_text(tags::ERROR_OBJECT, object);
        recorded.end_log(self.now);
    }
}

impl Visit for SpanVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if has_meaning(field.name()) {
            if let Some(text) = format_apart(&mut self.recorded.tags, format_args!("{value:?}"))
                && !self.takes_text(field.name(), &text)
            {
                self.recorded.tags.push_text(field.name(), &text);
            }
        } else {
            push_formatted(
                &mut self.recorded.tags,
                field.name(),
                format_args!("{value:?}"),
            );
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let key = field.name();
        if !has_meaning(key) || !self.takes_text(key, value) {
            self.recorded.tags.push_text(plain(key), value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        match (field.name(), value) {
            (tags::ERROR, true) => self.recorded.raise_status(Status::Error),
            (key, _) => self.recorded.tags.push(plain(key), TagRef::Bool(value)),
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        let key = plain(field.name());
        self.recorded.tags.push(key, TagRef::Long(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        let key = plain(field.name());
        self.recorded.tags.push(key, TagRef::Unsigned(value));
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        push_i128(&mut self.recorded.tags, field.name(), value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        push_u128(&mut self.recorded.tags, field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        let key = plain(field.name());
        self.recorded.tags.push(key, TagRef::Double(value));
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.recorded.tags.push_bytes(plain(field.name()), value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let Some((message, object)) = error_texts(&mut self.recorded.tags, value) else {
            return;
        };
        match field.name() {
            tags::ERROR => self.fail(&message, &object),
            key => self.recorded.tags.push_text(plain(key), &object),
        }
    }
}

/// Formats a value into a field. If it panics, there is no field, and the panic is counted.
pub(super) fn push_formatted(fields: &mut Fields, key: &'static str, value: fmt::Arguments<'_>) {
    let mark = fields.mark();
    if run_user_code(|| fields.push_formatted(plain(key), value)).is_none() {
        fields.take_back(mark);
    }
}

/// Formats a value into a text of its own. If it panics, the panic is counted.
fn format_apart(fields: &mut Fields, value: fmt::Arguments<'_>) -> Option<String> {
    let mut apart = Fields::default();
    push_formatted(&mut apart, "", value);
    fields.panics += apart.panics;
    fields.cut += apart.cut;
    let field = apart.iter().next()?;
    Some(field.value.to_string())
}

/// Returns the message of an error, and the message with those of its causes.
pub(super) fn error_texts(
    fields: &mut Fields,
    error: &(dyn Error + 'static),
) -> Option<(String, String)> {
    let texts = run_user_code(|| {
        let message = error.to_string();
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let object = with_causes(&message, causes);
        (message, object)
    });
    if texts.is_none() {
        fields.panics += 1;
    }
    texts
}

pub(super) fn push_i128(fields: &mut Fields, key: &'static str, value: i128) {
    match i64::try_from(value) {
        Ok(value) => fields.push(plain(key), TagRef::Long(value)),
        Err(_) => fields.push_formatted(plain(key), format_args!("{value}")),
    }
}

pub(super) fn push_u128(fields: &mut Fields, key: &'static str, value: u128) {
    match i64::try_from(value) {
        Ok(value) => fields.push(plain(key), TagRef::Long(value)),
        Err(_) => fields.push_formatted(plain(key), format_args!("{value}")),
    }
}

/// Returns a field's name without the mark of a raw identifier, as in `r#type`.
#[inline]
pub(super) fn plain(key: &'static str) -> &'static str {
    key.strip_prefix("r#").unwrap_or(key)
}

/// Returns whether a field of a span may have a meaning of its own.
#[inline]
fn has_meaning(key: &str) -> bool {
    key.starts_with("otel.") || key == tags::ERROR
}

fn span_kind(text: &str) -> Option<&'static str> {
    let kinds = [
        tags::SPAN_KIND_SERVER,
        tags::SPAN_KIND_CLIENT,
        tags::SPAN_KIND_PRODUCER,
        tags::SPAN_KIND_CONSUMER,
    ];
    kinds
        .into_iter()
        .find(|kind| text.eq_ignore_ascii_case(kind))
}

const OTEL_NAME: &str = "otel.name";
const OTEL_KIND: &str = "otel.kind";
const OTEL_STATUS_CODE: &str = "otel.status_code";
const OTEL_STATUS_MESSAGE: &str = "otel.status_message";
