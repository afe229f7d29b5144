use std::borrow::Cow;
use std::fmt::Display;

use crate::middleware::error_log;
use crate::model::tags;
use crate::redact;
use crate::redact::sql;
use crate::span::Span;

/// Marks a span with the error of a call. Servers and handlers quote values in their errors: unless `shows_data`, these
/// are hidden.
pub(super) fn record<E: Display + 'static>(span: &Span, error: &E, shows_data: bool) {
    span.set_tag(tags::ERROR, true);
    let hide = if shows_data {
        redact::data::data
    } else {
        without_data
    };
    error_log::log_error_hiding(span, error, hide);
}

fn without_data(text: &str) -> Cow<'_, str> {
    sql::error_text(text).into()
}
