//! What users set on a layer. A hook that panics never breaks the request: it is as if it were not set.

use std::borrow::Cow;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};

use crate::middleware::http::redact;
use crate::panics::caught;
use crate::span::Span;

/// When the span of a request ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanEnd {
    /// When the body of the response has come to its end, has failed or is dropped.
    #[default]
    Body,
    /// When the head of the response is there: for bodies that stay open for hours. A gRPC call, whose status comes last,
    /// is not affected.
    Head,
}

/// The hooks of a layer, for its types of requests and of responses.
pub(super) struct Hooks<Req, Res> {
    pub(super) operation_name: Option<NameHook<Req>>,
    pub(super) filter: Option<FilterHook<Req>>,
    pub(super) url: Option<UrlHook<Req>>,
    pub(super) component: Option<Cow<'static, str>>,
    pub(super) peer_address: Option<Cow<'static, str>>,
    pub(super) request_headers: Headers,
    pub(super) response_headers: Headers,
    pub(super) error_status: Option<StatusHook>,
    pub(super) decorate: Vec<SpanHook<Req>>,
    pub(super) decorate_response: Vec<SpanHook<Res>>,
    pub(super) span_end: SpanEnd,
    pub(super) injects: bool,
}

pub(super) type NameHook<Req> = Arc<dyn Fn(&Req) -> Cow<'static, str> + Send + Sync>;
pub(super) type FilterHook<Req> = Arc<dyn Fn(&Req) -> bool + Send + Sync>;
pub(super) type UrlHook<Req> = Arc<dyn Fn(&Req) -> Option<String> + Send + Sync>;
pub(super) type StatusHook = Arc<dyn Fn(StatusCode) -> bool + Send + Sync>;
pub(super) type SpanHook<T> = Arc<dyn Fn(&Span, &T) + Send + Sync>;

impl<Req, Res> Hooks<Req, Res> {
    pub(super) const DEFAULT: Self = Self {
        operation_name: None,
        filter: None,
        url: None,
        component: None,
        peer_address: None,
        request_headers: Headers(Vec::new()),
        response_headers: Headers(Vec::new()),
        error_status: None,
        decorate: Vec::new(),
        decorate_response: Vec::new(),
        span_end: SpanEnd::Body,
        injects: true,
    };

    /// Whether the request is to have a span.
    pub(super) fn wants(&self, request: &Req) -> bool {
        let filter = self.filter.as_ref();
        filter
            .and_then(|keep| caught(|| keep(request)))
            .unwrap_or(true)
    }

    /// The name that the user gives the span.
    pub(super) fn name(&self, request: &Req) -> Option<Cow<'static, str>> {
        let name = self.operation_name.as_ref()?;
        caught(|| name(request))
    }

    /// The URL to show, made by `default` unless the user makes it.
    pub(super) fn url(
        &self,
        request: &Req,
        default: impl FnOnce(&Req) -> String,
    ) -> Option<String> {
        match &self.url {
            Some(url) => caught(|| url(request)).flatten(),
            None => Some(default(request)),
        }
    }

    pub(super) fn component(&self, default: &'static str) -> &str {
        self.component.as_deref().unwrap_or(default)
    }

    /// Whether a status is an error. From 500 by default, as in the Go client.
    pub(super) fn is_error(&self, status: StatusCode) -> bool {
        let is_error = self.error_status.as_ref();
        is_error
            .and_then(|is_error| caught(|| is_error(status)))
            .unwrap_or_else(|| status.as_u16() >= 500)
    }

    pub(super) fn decorate(&self, span: &Span, request: &Req) {
        for decorate in &self.decorate {
            caught(|| decorate(span, request));
        }
    }

    pub(super) fn decorate_response(&self, span: &Span, response: &Res) {
        for decorate in &self.decorate_response {
            caught(|| decorate(span, response));
        }
    }
}

impl<Req, Res> Clone for Hooks<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            operation_name: self.operation_name.clone(),
            filter: self.filter.clone(),
            url: self.url.clone(),
            component: self.component.clone(),
            peer_address: self.peer_address.clone(),
            request_headers: self.request_headers.clone(),
            response_headers: self.response_headers.clone(),
            error_status: self.error_status.clone(),
            decorate: self.decorate.clone(),
            decorate_response: self.decorate_response.clone(),
            span_end: self.span_end,
            injects: self.injects,
        }
    }
}

/// Headers to record, each with the key of its tag.
#[derive(Clone)]
pub(super) struct Headers(Vec<(HeaderName, String)>);

impl Headers {
    pub(super) fn add(&mut self, prefix: &str, names: impl IntoIterator<Item = HeaderName>) {
        self.0.extend(names.into_iter().map(|name| {
            let key = format!("{prefix}{name}");
            (name, key)
        }));
    }

    pub(super) fn record(&self, span: &Span, headers: &HeaderMap) {
        for (name, key) in &self.0 {
            let mut values = headers
                .get_all(name)
                .iter()
                .filter_map(|value| redact::header(name, value));
            let Some(mut text) = values.next() else {
                continue;
            };
            for value in values {
                text += ", ";
                text += value;
            }
            span.set_tag(key, &text);
        }
    }
}
