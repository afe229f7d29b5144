use std::fmt;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request;

use crate::middleware::TraceLink;
use crate::panics::caught;
use crate::propagation::TraceParent;
use crate::span::{Span, SpanContext};

/// The headers of a response that tell the caller of a server which trace the request belongs to.
///
/// With them a browser, a test or a support form finds the trace of a request that it has sent without a context, or of
/// one whose context the server did not [trust](crate::middleware::ServerLayer::trust). A
/// [`ServerLayer`](crate::middleware::ServerLayer::answer_headers) takes them.
///
/// | header | value | read by |
/// |---|---|---|
/// | `traceresponse` | `00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01`: trace, span of the server, flags (draft of [W3C Trace Context](https://w3c.github.io/trace-context/)) | [`ClientLayer::trace_response`](crate::middleware::ClientLayer::trace_response) |
/// | `server-timing` | `traceparent;desc="00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01"` | scripts in browsers, by `performance.getEntriesByType` |
/// | any name | a [`TraceLink`] | people |
///
/// Ids are no secrets, but they tell strangers that requests are traced, and a link names a host of yours. So nothing
/// is sent unless it is set, and [`when`](Self::when) restricts it to callers of your choice.
///
/// A page of another origin reads `traceresponse` only if the response also has `access-control-expose-headers`, and
/// `server-timing` only with `timing-allow-origin`. These are up to you.
///
/// ```
/// use http::HeaderName;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{AnswerHeaders, ServerLayer, TraceLink};
///
/// let link = TraceLink::new("http://jaeger:16686/trace/{trace_id}")?;
/// let headers = AnswerHeaders::new()
///     .server_timing(true)
///     .link(HeaderName::from_static("x-trace"), link)
///     .when(|request| request.headers.contains_key("x-staff"));
/// let layer = ServerLayer::new(NoopTracer).answer_headers(headers);
/// # Ok::<(), tracehound::middleware::InvalidTraceLink>(())
/// ```
#[derive(Clone)]
pub struct AnswerHeaders {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    trace_response: bool,
    server_timing: bool,
    links: Vec<(HeaderName, TraceLink)>,
    sampled_only: bool,
    when: Option<Condition>,
}

type Condition = Arc<dyn Fn(&request::Parts) -> bool + Send + Sync>;

impl AnswerHeaders {
    /// Makes settings with which every response gets `traceresponse` and no other header.
    pub fn new() -> Self {
        Self {
            settings: Arc::new(Settings {
                trace_response: true,
                server_timing: false,
                links: Vec::new(),
                sampled_only: false,
                when: None,
            }),
        }
    }

    /// Sets whether `traceresponse` is written, in the place of one that the service has set. Defaults to true.
    #[must_use]
    pub fn trace_response(mut self, writes: bool) -> Self {
        self.settings_mut().trace_response = writes;
        self
    }

    /// Sets whether a `server-timing` header is added, besides those that the service has set. Defaults to false.
    #[must_use]
    pub fn server_timing(mut self, writes: bool) -> Self {
        self.settings_mut().server_timing = writes;
        self
    }

    /// Adds a header with a link, which takes the place of one that the service has set. Defaults to none.
    #[must_use]
    pub fn link(mut self, name: HeaderName, link: TraceLink) -> Self {
        self.settings_mut().links.push((name, link));
        self
    }

    /// Sets whether only sampled requests are answered: the traces of others are not kept. Defaults to false.
    ///
    /// A request whose sampling is undecided when the head of its response is sent counts as not sampled.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{AnswerHeaders, ServerLayer};
    ///
    /// // For scripts in browsers, which read `server-timing` alone, about traces that are kept.
    /// let headers = AnswerHeaders::new()
    ///     .trace_response(false)
    ///     .server_timing(true)
    ///     .sampled_only(true);
    /// let layer = ServerLayer::new(NoopTracer).answer_headers(headers);
    /// ```
    #[must_use]
    pub fn sampled_only(mut self, sampled_only: bool) -> Self {
        self.settings_mut().sampled_only = sampled_only;
        self
    }

    /// Sets which requests are answered. If `wants` panics, the request gets no headers. Defaults to all requests.
    #[must_use]
    pub fn when(mut self, wants: impl Fn(&request::Parts) -> bool + Send + Sync + 'static) -> Self {
        self.settings_mut().when = Some(Arc::new(wants));
        self
    }

    /// Whether the response to a request gets headers.
    pub(super) fn wants(&self, request: &request::Parts) -> bool {
        let when = self.settings.when.as_ref();
        when.is_none_or(|wants| caught(|| wants(request)).unwrap_or(false))
    }

    /// Writes the headers of a span.
    pub(super) fn write(&self, span: &Span, headers: &mut HeaderMap) {
        let settings = &*self.settings;
        let context = span.context();
        if settings.sampled_only && !context.is_sampled() {
            return;
        }
        let Some(parent) = TraceParent::of(&context) else {
            return;
        };
        let parent = parent.print();
        if settings.trace_response
            && let Ok(value) = HeaderValue::from_bytes(&parent)
        {
            headers.insert(TRACE_RESPONSE, value);
        }
        if settings.server_timing
            && let Ok(value) = HeaderValue::from_bytes(&[TIMING, &parent, b"\""].concat())
        {
            headers.append(SERVER_TIMING, value);
        }
        for (name, link) in &settings.links {
            let link = link.of(&context).map(HeaderValue::try_from);
            if let Some(Ok(value)) = link {
                headers.insert(name, value);
            }
        }
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl Default for AnswerHeaders {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AnswerHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnswerHeaders")
            .field("trace_response", &self.settings.trace_response)
            .field("server_timing", &self.settings.server_timing)
            .field("links", &self.settings.links)
            .field("sampled_only", &self.settings.sampled_only)
            .finish_non_exhaustive()
    }
}

/// Records the trace in which a server has worked on a request, if that is not the trace of the request.
pub(super) fn record(span: &Span, headers: &HeaderMap) {
    let Some(server) = headers.get(TRACE_RESPONSE).and_then(read) else {
        return;
    };
    if server.trace_id() != span.trace_ids().trace_id() {
        span.set_tag("traceresponse.trace_id", server.to_trace_id())
            .set_tag("traceresponse.span_id", server.to_span_id());
    }
}

fn read(value: &HeaderValue) -> Option<SpanContext> {
    let parent = TraceParent::parse(value.as_bytes()).ok()?;
    Some(parent.context())
}

const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const TIMING: &[u8] = b"traceparent;desc=\"";
