//! The hooks that users set on a layer. One that panics counts as not set and never breaks the request.

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode, request};

use crate::middleware::GrpcDetails;
use crate::middleware::grpc::Call;
use crate::middleware::http::destinations::Destinations;
use crate::middleware::http::details::DetailSettings;
use crate::middleware::http::redact;
use crate::middleware::http::upgrade::Sessions;
use crate::middleware::side::Side;
use crate::model::otel_tags as tags;
use crate::panics::caught;
use crate::propagation::Trust;
use crate::span::Span;
use crate::tracer::Tracer;

/// The moment at which the span of a request ends.
///
/// If no body can follow the head, the span ends with the head in any case: after HEAD and CONNECT, 204 and 304, and
/// after 101, when a request to upgrade (to a WebSocket, for example) has succeeded. If
/// [sessions](crate::middleware#what-becomes-of-an-upgraded-connection) have spans, a request to upgrade ends when the connection is there.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{ServerLayer, SpanEnd};
///
/// // For a server of events, whose bodies stay open for hours.
/// let layer = ServerLayer::new(NoopTracer).span_end(SpanEnd::Head);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanEnd {
    /// The body of the response has ended, has failed or was dropped.
    #[default]
    Body,
    /// The head of the response has come: for bodies that stay open for hours.
    ///
    /// A gRPC call is not affected, because its status comes last.
    Head,
}

/// The hooks of a layer, for its types of request and response.
pub(super) struct Hooks<Req, Res> {
    /// The place of the program that made the layer.
    pub(super) place: Option<&'static Location<'static>>,
    pub(super) operation_name: Option<NameHook<Req>>,
    pub(super) filter: Option<FilterHook<Req>>,
    pub(super) url: Option<UrlHook<Req>>,
    pub(super) component: Option<Cow<'static, str>>,
    pub(super) peer_address: Option<Cow<'static, str>>,
    pub(super) request_headers: RecordedHeaders,
    pub(super) response_headers: RecordedHeaders,
    pub(super) error_status: Option<StatusHook>,
    pub(super) decorate: Vec<SpanHook<Req>>,
    pub(super) decorate_response: Vec<SpanHook<Res>>,
    pub(super) span_end: SpanEnd,
    pub(super) sessions: Option<Sessions>,
    pub(super) grpc: Option<GrpcDetails>,
    pub(super) trust: Trust,
    pub(super) destinations: Destinations,
    pub(super) injects: bool,
    /// Whether a request carries its `RequestSpan` in its extensions.
    pub(super) carries_span: bool,
    /// `None` if all have their defaults, as is usual.
    pub(super) details: Option<Box<DetailSettings>>,
}

pub(super) type NameHook<Req> = Arc<dyn Fn(&Req) -> Cow<'static, str> + Send + Sync>;
pub(super) type FilterHook<Req> = Arc<dyn Fn(&Req) -> bool + Send + Sync>;
pub(super) type UrlHook<Req> = Arc<dyn Fn(&Req) -> Option<String> + Send + Sync>;
pub(super) type StatusHook = Arc<dyn Fn(StatusCode) -> bool + Send + Sync>;
pub(super) type SpanHook<T> = Arc<dyn Fn(&Span, &T) + Send + Sync>;

impl<Req, Res> Hooks<Req, Res> {
    pub(super) const DEFAULT: Self = Self {
        place: None,
        operation_name: None,
        filter: None,
        url: None,
        component: None,
        peer_address: None,
        request_headers: RecordedHeaders(None),
        response_headers: RecordedHeaders(None),
        error_status: None,
        decorate: Vec::new(),
        decorate_response: Vec::new(),
        span_end: SpanEnd::Body,
        sessions: None,
        grpc: None,
        trust: Trust::full(),
        destinations: Destinations::all(),
        injects: true,
        carries_span: false,
        details: None,
    };

    /// Whether a request has nothing beside its span: see [`Extras`](super::extras::Extras).
    #[inline]
    pub(super) fn add_nothing(&self, span: &Span) -> bool {
        let is_plain = self.sessions.is_none() && self.grpc.is_none() && self.details.is_none();
        is_plain && !span.recorded_data().is_everything()
    }

    pub(super) fn details_mut(&mut self) -> &mut DetailSettings {
        self.details.get_or_insert_default()
    }

    /// Whether the request gets a span.
    #[inline]
    pub(super) fn wants(&self, request: &Req) -> bool {
        let filter = self.filter.as_ref();
        filter
            .and_then(|wants| caught(|| wants(request)))
            .unwrap_or(true)
    }

    /// Returns the name that the user gives the span.
    #[inline]
    pub(super) fn name(&self, request: &Req) -> Option<Cow<'static, str>> {
        let name = self.operation_name.as_ref()?;
        caught(|| name(request))
    }

    /// Returns what the user's hook gives for the `http.url` tag, or `None` without a hook.
    #[inline]
    pub(super) fn own_url(&self, request: &Req) -> Option<Option<String>> {
        let url = self.url.as_ref()?;
        Some(caught(|| url(request)).flatten())
    }

    pub(super) fn component(&self, default: &'static str) -> &str {
        self.component.as_deref().unwrap_or(default)
    }

    /// Whether a status is an error: from 500 by default, as in the Go client.
    pub(super) fn is_error(&self, status: StatusCode) -> bool {
        let is_error = self.error_status.as_ref();
        is_error
            .and_then(|is_error| caught(|| is_error(status)))
            .unwrap_or_else(|| status.as_u16() >= 500)
    }

    #[inline]
    pub(super) fn decorate(&self, span: &Span, request: &Req) {
        for decorate in &self.decorate {
            caught(|| decorate(span, request));
        }
    }

    #[inline]
    pub(super) fn decorate_response(&self, span: &Span, response: &Res) {
        for decorate in &self.decorate_response {
            caught(|| decorate(span, response));
        }
    }
}

impl<Res> Hooks<request::Parts, Res> {
    /// Begins the details of a gRPC call, if the user asks for them or the tracer records everything.
    pub(super) fn call(
        &self,
        side: Side,
        request: &request::Parts,
        span: &Span,
        tracer: &Arc<dyn Tracer>,
    ) -> Option<Call> {
        let details = match self.grpc {
            Some(details) if span.is_recording() => details,
            None if span.recorded_data().is_everything() => IN_TESTS,
            _ => return None,
        };
        Call::begin(details, side, request, span, tracer)
    }
}

/// The details of calls in a test environment, unless the user has set others.
const IN_TESTS: GrpcDetails = GrpcDetails {
    message_events: 16,
    message_share: 0.0,
};

impl<Req, Res> Clone for Hooks<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            place: self.place,
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
            sessions: self.sessions.clone(),
            grpc: self.grpc,
            trust: self.trust,
            destinations: self.destinations.clone(),
            injects: self.injects,
            carries_span: self.carries_span,
            details: self.details.clone(),
        }
    }
}

/// Headers to record, each with the keys of its tag.
#[derive(Clone, Debug, Default)]
pub(super) struct RecordedHeaders(Option<Arc<Vec<(HeaderName, HeaderKeys)>>>);

/// The keys of the tag of a header.
#[derive(Clone, Debug)]
struct HeaderKeys {
    key: String,
    /// OpenTelemetry's key, if it has another one.
    otel: Option<String>,
}

impl RecordedHeaders {
    pub(super) fn add(&mut self, prefix: &str, names: impl IntoIterator<Item = HeaderName>) {
        let recorded = Arc::make_mut(self.0.get_or_insert_default());
        recorded.extend(names.into_iter().map(|name| {
            let key = format!("{prefix}{name}");
            let otel = match (prefix, name.as_str()) {
                ("http.header.", "user-agent") => Some(tags::USER_AGENT_ORIGINAL.to_owned()),
                ("http.header.", name) => Some(format!("http.request.header.{name}")),
                _ => None,
            };
            (name, HeaderKeys { key, otel })
        }));
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    #[inline]
    pub(super) fn record(&self, span: &Span, headers: &HeaderMap) {
        if let Some(recorded) = &self.0 {
            record_all(recorded, span, headers);
        }
    }
}

#[inline(never)]
fn record_all(recorded: &[(HeaderName, HeaderKeys)], span: &Span, headers: &HeaderMap) {
    for (name, keys) in recorded {
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
        keys.record(span, &text);
    }
}

impl HeaderKeys {
    fn record(&self, span: &Span, text: &str) {
        let names = span.tag_names();
        if names.has_opentracing() || self.otel.is_none() {
            span.set_tag(&self.key, text);
        }
        if let Some(key) = self.otel.as_ref().filter(|_| names.has_opentelemetry()) {
            span.set_tag(key, text);
        }
    }
}
