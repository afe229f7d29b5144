use std::error::Error;
use std::fmt;

use ::tracing::field::{Field, Visit};

use crate::bridge::tracing::fields::Fields;
use crate::bridge::tracing::span_visitor::{
    error_texts, plain, push_formatted, push_i128, push_u128,
};
use crate::model::{TagRef, tags};

/// Copies the fields of an event into a log record.
pub(super) struct EventVisitor<'a> {
    fields: &'a mut Fields,
    /// The event comes from the crate `log`: fields `log.*` say where it was made.
    is_log_record: bool,
}

impl<'a> EventVisitor<'a> {
    pub(super) fn new(fields: &'a mut Fields, is_log_record: bool) -> Self {
        Self {
            fields,
            is_log_record,
        }
    }

    /// Returns the key of the field in the log record, or `None` if it is left out.
    #[inline]
    fn key(&self, field: &Field) -> Option<&'static str> {
        match field.name() {
            tags::ERROR => Some(tags::ERROR_OBJECT),
            key if self.is_log_record && key.starts_with("log.") => None,
            key => Some(plain(key)),
        }
    }
}

impl Visit for EventVisitor<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(key) = self.key(field) {
            push_formatted(self.fields, key, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if let Some(key) = self.key(field) {
            self.fields.push_text(key, value);
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        // A truth value says whether there was an error, and not which.
        self.fields.push(plain(field.name()), TagRef::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if let Some(key) = self.key(field) {
            self.fields.push(key, TagRef::Long(value));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if let Some(key) = self.key(field) {
            self.fields.push(key, TagRef::Unsigned(value));
        }
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        if let Some(key) = self.key(field) {
            push_i128(self.fields, key, value);
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        if let Some(key) = self.key(field) {
            push_u128(self.fields, key, value);
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if let Some(key) = self.key(field) {
            self.fields.push(key, TagRef::Double(value));
        }
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        if let Some(key) = self.key(field) {
            self.fields.push_bytes(key, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        if let (Some(key), Some((_, text))) = (self.key(field), error_texts(self.fields, value)) {
            self.fields.push_text(key, &text);
        }
    }
}
