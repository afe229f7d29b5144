use std::any::Any;
use std::fmt;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use http::uri::Scheme;
use http::{Extensions, Uri};
use hyper_util::client::legacy::connect::{Connection, HttpInfo};
use pin_project::pin_project;
use tower_service::Service;

use super::shared::{Shared, ends};
use crate::model::{field, tags};
use crate::panics::caught;
use crate::redact;
use crate::scope::active_span;
use crate::span::{Span, text_of};

/// A connector whose events are logged, made by
/// [`ConnectionEvents::wrap`](crate::middleware::ConnectionEvents::wrap).
///
/// ```
/// use hyper_util::client::legacy::Client;
/// use hyper_util::client::legacy::connect::HttpConnector;
/// use hyper_util::rt::TokioExecutor;
/// use tracehound::middleware::{ConnectionEvents, TracedConnector};
///
/// /// The client of a program, as a field names it.
/// struct Stock {
///     http: Client<TracedConnector<HttpConnector>, String>,
/// }
///
/// let connector = ConnectionEvents::new().wrap(HttpConnector::new());
/// let stock = Stock { http: Client::builder(TokioExecutor::new()).build(connector) };
/// ```
#[derive(Clone)]
pub struct TracedConnector<S> {
    inner: S,
    shared: Arc<Shared>,
    stage: Stage,
}

/// The part of connecting that a connector does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connect,
    Tls,
}

impl<S> TracedConnector<S> {
    pub(super) fn new(inner: S, shared: Arc<Shared>, stage: Stage) -> Self {
        Self {
            inner,
            shared,
            stage,
        }
    }
}

impl<S, T> Service<T> for TracedConnector<S>
where
    S: Service<T, Response: Connection, Error: Display>,
    T: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = TracedConnecting<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: T) -> TracedConnecting<S::Future> {
        // reqwest's target has no type that could be named here.
        let uri = (&target as &dyn Any).downcast_ref();
        let attempt = Attempt::begin(&self.shared, self.stage, uri);
        let inner = self.inner.call(target);
        TracedConnecting { inner, attempt }
    }
}

impl<S: fmt::Debug> fmt::Debug for TracedConnector<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedConnector")
            .field("inner", &self.inner)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// The future of a connection whose events are logged.
///
/// ```
/// use http::Uri;
/// use hyper_util::client::legacy::connect::HttpConnector;
/// use tower::Service;
/// use tracehound::middleware::ConnectionEvents;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut connector = ConnectionEvents::new().wrap(HttpConnector::new());
/// let connecting = connector.call(Uri::from_static("http://127.0.0.1:1")); // a `TracedConnecting`
/// assert!(connecting.await.is_err(), "nobody listens on port 1");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[pin_project]
#[must_use = "a future does nothing unless it is polled"]
pub struct TracedConnecting<F> {
    #[pin]
    inner: F,
    attempt: Attempt,
}

impl<F, C, E> Future for TracedConnecting<F>
where
    F: Future<Output = Result<C, E>>,
    C: Connection,
    E: Display,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(cx));
        match &result {
            Ok(connection) => this.attempt.done(connection),
            Err(error) => this.attempt.failed(error),
        }
        Poll::Ready(result)
    }
}

impl<F> fmt::Debug for TracedConnecting<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedConnecting").finish_non_exhaustive()
    }
}

/// An attempt to connect, and the span that it belongs to.
struct Attempt {
    shared: Arc<Shared>,
    stage: Stage,
    /// Does not own the span: the connection may be made for a later request.
    span: Span,
    /// The host and port that the connector was asked for.
    target: Option<String>,
    is_https: bool,
}

impl Attempt {
    fn begin(shared: &Arc<Shared>, stage: Stage, uri: Option<&Uri>) -> Self {
        let span = active_span();
        let target = uri.filter(|_| span.is_recording()).and_then(target);
        if stage == Stage::Connect {
            span.log([
                field(tags::EVENT, "ConnectStart"),
                field("network", "tcp"),
                field("addr", target.as_deref()),
            ]);
        }
        Self {
            shared: shared.clone(),
            stage,
            span,
            target,
            is_https: uri.is_some_and(|uri| uri.scheme() == Some(&Scheme::HTTPS)),
        }
    }

    fn done(&self, connection: &impl Connection) {
        if self.stage == Stage::Tls {
            if self.is_https {
                self.span.log_event("TLSHandshakeDone");
            }
            return;
        }
        let mut extensions = Extensions::new();
        connection.connected().get_extras(&mut extensions);
        let info: Option<&HttpInfo> = extensions.get();
        if let Some(info) = info {
            self.shared.fresh.add(ends(info));
        }
        if !self.span.is_recording() {
            return;
        }
        let remote = info.map(HttpInfo::remote_addr);
        let remote = remote.map(|remote| remote.to_string());
        self.span.log([
            field(tags::EVENT, "ConnectDone"),
            field("network", "tcp"),
            field("addr", remote.as_deref()),
        ]);
        // Relaxed: it was set before the connector was in use.
        if self.is_https && self.shared.has_tls.load(Ordering::Relaxed) {
            self.span.log_event("TLSHandshakeStart");
        }
    }

    #[cold]
    fn failed(&self, error: &dyn Display) {
        let message = match self.stage {
            Stage::Connect => "ConnectDone",
            // Else the connection itself has failed, and has said so.
            Stage::Tls if self.is_https => "TLSHandshakeDone",
            Stage::Tls => return,
        };
        log_failure(&self.span, message, self.target.as_deref(), error);
    }
}

/// Logs that a part of connecting has failed. Secrets in the text of the error are hidden.
fn log_failure(span: &Span, message: &str, target: Option<&str>, error: &dyn Display) {
    if let Some(text) = error_text(span, error) {
        span.log([
            field(tags::EVENT, "error"),
            field(tags::MESSAGE, message),
            field("network", "tcp"),
            field("addr", target),
            field(tags::ERROR_OBJECT, &*redact::text(&text)),
        ]);
    }
}

/// Returns the text of an error, if the span wants it and the error does not panic.
pub(super) fn error_text(span: &Span, error: &dyn Display) -> Option<String> {
    span.is_recording()
        .then(|| caught(|| text_of(error)))
        .flatten()
}

/// Returns the host and port of a URI.
fn target(uri: &Uri) -> Option<String> {
    let host = uri.host().filter(|host| redact::is_host_and_port(host))?;
    let default = || match uri.scheme() {
        Some(scheme) if *scheme == Scheme::HTTPS => 443,
        _ => 80,
    };
    Some(format!("{host}:{}", uri.port_u16().unwrap_or_else(default)))
}
