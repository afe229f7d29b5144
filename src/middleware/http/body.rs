use std::fmt;
use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Buf;
use http::{HeaderMap, header};
use http_body::{Body, Frame, SizeHint};
use pin_project::{pin_project, pinned_drop};

use crate::middleware::first_value::first_value;
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::request_scope::RequestScope;

/// The body of a traced response, which ends the span of the request.
///
/// Frames pass through unchanged. The span ends with the first of these: the last frame, trailers (they hold the status
/// of a gRPC call), the last announced byte, an error, or the drop of the body. The page of
/// [the module](crate::middleware) tells what the span records.
///
/// The span is active in every poll, and while the inner body is dropped.
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::BodyExt;
/// use tower::{Service, service_fn};
/// use tracehound::middleware::{ServerLayer, TracedBody};
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let handler = async |_: Request<String>| {
///     Ok::<_, std::io::Error>(Response::new("one teapot".to_owned()))
/// };
/// let mut server = ServerLayer::new(tracer).wrap(service_fn(handler));
/// let body: TracedBody<_> = server.call(Request::new(String::new())).await?.into_body();
/// assert!(spans.spans().is_empty(), "the body has not been read");
/// assert_eq!(body.collect().await?.to_bytes(), "one teapot");
/// assert_eq!(spans.spans().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[pin_project(PinnedDrop)]
pub struct TracedBody<B> {
    #[pin]
    inner: Option<B>,
    /// `Nothing` after the span has ended.
    scope: RequestScope,
    /// The announced length, which ends the span too: HTTP servers drop a body after that many bytes, and clients
    /// stop reading.
    length: Option<u64>,
}

impl<B> TracedBody<B> {
    /// Wraps a body whose request has no span.
    pub(super) fn untraced(inner: B, scope: RequestScope) -> Self {
        Self {
            inner: Some(inner),
            scope,
            length: None,
        }
    }
}

impl<B: Body> TracedBody<B> {
    pub(super) fn new(inner: B, mut exchange: Exchange, headers: &HeaderMap) -> Self {
        let length = if exchange.has_length() && !exchange.is_dropped() {
            // The header wins, as in hyper: the other end relies on it.
            announced_length(headers).or_else(|| inner.size_hint().exact())
        } else {
            None
        };
        if !exchange.is_over() && (length == Some(0) || inner.is_end_stream()) {
            exchange.end_of_body(length);
        }
        if !exchange.is_over() {
            exchange.body_follows();
        }
        Self {
            inner: Some(inner),
            length,
            scope: exchange.into(),
        }
    }
}

impl<B: Body<Error: Display + 'static>> Body for TracedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(mut inner) = this.inner.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let exchange = match this.scope {
            RequestScope::Span(exchange) => exchange,
            other => return other.run(|| inner.poll_frame(cx)),
        };
        exchange.body_polled();
        let poll = exchange.run(|| inner.as_mut().poll_frame(cx));
        match &poll {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => exchange.end_of_body(*this.length),
            Poll::Ready(Some(Err(error))) => exchange.fail(error),
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    exchange.trailers(trailers, *this.length);
                } else if let Some(data) = frame.data_ref() {
                    exchange.count(data.remaining() as u64);
                    exchange.read(data);
                    let is_all = this.length.is_some_and(|length| exchange.bytes() >= length);
                    if is_all || inner.is_end_stream() {
                        exchange.end_of_body(*this.length);
                    }
                }
            }
        }
        if exchange.is_over() {
            *this.scope = RequestScope::Nothing;
        }
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(B::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), B::size_hint)
    }
}

#[pinned_drop]
impl<B> PinnedDrop for TracedBody<B> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        this.scope.run_drop(|| this.inner.set(None));
    }
}

/// Returns the value of `content-length`, if there is one and it is a number.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    let value = first_value(headers, &header::CONTENT_LENGTH)?;
    let is_number = value.as_bytes().iter().all(u8::is_ascii_digit);
    let is_only = headers.len() == headers.keys_len()
        || headers
            .get_all(header::CONTENT_LENGTH)
            .iter()
            .nth(1)
            .is_none();
    (is_number && is_only)
        .then(|| value.to_str().ok()?.parse().ok())
        .flatten()
}

impl<B: Default> Default for TracedBody<B> {
    fn default() -> Self {
        Self::untraced(B::default(), RequestScope::Nothing)
    }
}

impl<B> fmt::Debug for TracedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedBody").finish_non_exhaustive()
    }
}
