//! The headers and bodies of requests and responses, as spans of a test environment show them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Buf;
use http::{HeaderMap, header};

use crate::bounded_text::beginning;
use crate::middleware::http::redact;
use crate::middleware::pieces::each_piece;
use crate::redact::data::{data, push_query};
use crate::redact::secret_names::is_secret_name;
use crate::span::Span;

/// The texts of one exchange. It is made only if the tracer records everything.
#[derive(Debug)]
pub(super) struct Contents {
    /// `None` if the request is no text.
    request: Option<SharedText>,
    response: Option<Text>,
}

/// The start of a body that is text.
#[derive(Default)]
pub(super) struct Text {
    bytes: Vec<u8>,
    is_longer: bool,
}

/// The text of a request, which the body of the request writes.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedText(Arc<Mutex<Text>>);

/// The bytes of a body, and of headers, that a span shows.
const LONGEST: usize = 4 * 1_024;

impl Contents {
    /// Records query and headers of a request, if the tracer of its span records everything.
    pub(super) fn of(span: &Span, query: Option<&str>, headers: &HeaderMap) -> Option<Self> {
        span.recorded_data()
            .is_everything()
            .then(|| Self::begin(span, query, headers))
    }

    #[cold]
    fn begin(span: &Span, query: Option<&str>, headers: &HeaderMap) -> Self {
        if let Some(query) = query {
            let mut shown = String::new();
            push_query(&mut shown, beginning(query, LONGEST));
            span.set_tag("http.query", shown.trim_start_matches('?'));
        }
        record_headers(span, "http.request_headers", headers);
        Self {
            request: is_text(headers).then(SharedText::default),
            response: None,
        }
    }

    /// Returns the text that the body of the request writes, if it is text.
    pub(super) fn request(&self) -> Option<SharedText> {
        self.request.clone()
    }

    /// Records the headers of the response.
    pub(super) fn head(&mut self, span: &Span, headers: &HeaderMap) {
        record_headers(span, "http.response_headers", headers);
        self.response = is_text(headers).then(Text::default);
    }

    /// Records the trailers, which are metadata of a gRPC call.
    pub(super) fn trailers(&self, span: &Span, trailers: &HeaderMap) {
        record_headers(span, "http.response_trailers", trailers);
    }

    /// Keeps data of the response.
    pub(super) fn response(&mut self, bytes: &impl Buf) {
        if let Some(text) = &mut self.response
            && !each_piece(bytes, |bytes| text.push(bytes))
        {
            self.response = None;
        }
    }

    /// Records the bodies.
    pub(super) fn record(self, span: &Span) {
        if let Some(SharedText(text)) = self.request {
            let text = text.lock().unwrap_or_else(PoisonError::into_inner);
            text.record(span, "http.request_body");
        }
        if let Some(text) = self.response {
            text.record(span, "http.response_body");
        }
    }
}

impl SharedText {
    /// Keeps bytes of the request.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push(bytes);
    }
}

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        let room = LONGEST - self.bytes.len();
        self.is_longer |= bytes.len() > room;
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn record(&self, span: &Span, key: &str) {
        if self.bytes.is_empty() {
            return;
        }
        let whole = match str::from_utf8(&self.bytes) {
            // The last character is cut.
            Err(error) if error.error_len().is_none() => &self.bytes[..error.valid_up_to()],
            _ => &self.bytes,
        };
        let text = String::from_utf8_lossy(whole);
        let mut shown = data(&text).into_owned();
        if self.is_longer {
            shown.push('…');
        }
        span.set_tag(key, &shown);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").finish_non_exhaustive()
    }
}

/// Records headers as lines of one tag: their names come from the caller, so they must not become keys.
fn record_headers(span: &Span, key: &str, headers: &HeaderMap) {
    let mut lines = String::new();
    for (name, value) in headers {
        let is_hidden = is_secret_name(name.as_str())
            || BAGGAGE.iter().any(|start| name.as_str().starts_with(start));
        let Some(value) = redact::header(name, value).filter(|_| !is_hidden) else {
            continue;
        };
        let value = data(&value);
        if lines.len() + name.as_str().len() + value.len() > LONGEST {
            lines.push('…');
            break;
        }
        lines.push_str(name.as_str());
        lines.push_str(": ");
        lines.push_str(&value);
        lines.push('\n');
    }
    let lines = lines.trim_end();
    span.set_tag(key, (!lines.is_empty()).then_some(lines));
}

/// The starts of the names of headers that hold baggage, which is not a part of the request.
const BAGGAGE: [&str; 3] = ["uberctx-", "jaeger-baggage", "baggage"];

/// Whether the headers announce a body that is text, and not compressed.
fn is_text(headers: &HeaderMap) -> bool {
    let is_plain = headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|coding| coding == "identity");
    let content_type = headers.get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok());
    let Some(content_type) = content_type.filter(|_| is_plain) else {
        return false;
    };
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let is_suffixed = ["+json", "+xml"].iter().any(|end| essence.ends_with(end));
    essence.starts_with("text/") || is_suffixed || TEXTS.contains(&&*essence)
}

/// The types of text whose names do not tell.
const TEXTS: [&str; 6] = [
    "application/json",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/x-ndjson",
    "application/graphql",
    "application/javascript",
];
