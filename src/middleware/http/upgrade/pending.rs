use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{Extensions, Method, StatusCode, request};
use hyper::upgrade::OnUpgrade;
use tokio::runtime::Handle;

use crate::middleware::http::route;
use crate::middleware::http::upgrade::io::TracedIo;
use crate::middleware::http::upgrade::session::{Session, ticks};
use crate::middleware::http::upgrade::substitute::{Fulfilment, substitute};
use crate::middleware::{SessionSpan, Sessions};
use crate::model::tags;
use crate::redact;
use crate::span::{Span, SpanContext};
use crate::tracer::{Tracer, TracerExt};

/// A request that wants an upgrade and has not been answered yet.
pub(in crate::middleware::http) struct Upgrade {
    tracer: Arc<dyn Tracer>,
    sessions: Sessions,
    protocol: Protocol,
    is_connect: bool,
    /// By the clock of the request's span.
    begin: u64,
    component: String,
    route: Option<String>,
    handle: SessionSpan,
    /// `None` for a client whose response has not come.
    connection: Option<Expected>,
}

/// The real connection, and the means to pass it on.
struct Expected {
    real: OnUpgrade,
    fulfilment: Fulfilment,
    runtime: Handle,
}

/// The protocol that a request asks for.
#[derive(Debug)]
enum Protocol {
    WebSocket,
    /// A handshake under the name that the request has.
    Named(HeaderValue),
    /// That of a tunnel.
    Unnamed,
}

impl Upgrade {
    /// Returns the upgrade that a request to a server wants, and puts a substitute for the real connection into the
    /// request.
    pub(in crate::middleware::http) fn of_server(
        tracer: &Arc<dyn Tracer>,
        sessions: Option<&Sessions>,
        component: &str,
        request: &mut request::Parts,
        span: &Span,
    ) -> Option<Box<Self>> {
        let mut upgrade = Self::new(tracer, sessions?, component, request, span);
        upgrade.connection = Some(Expected::take(&mut request.extensions)?);
        upgrade.route = route::of(&request.extensions).map(str::to_owned);
        upgrade.record_protocol(span);
        request.extensions.insert(upgrade.handle.clone());
        Some(Box::new(upgrade))
    }

    /// Returns the upgrade that a request of a client asks for.
    pub(in crate::middleware::http) fn of_client(
        tracer: &Arc<dyn Tracer>,
        sessions: Option<&Sessions>,
        component: &str,
        request: &request::Parts,
        span: &Span,
    ) -> Option<Box<Self>> {
        let sessions = sessions?;
        if request.method != Method::CONNECT && !request.headers.contains_key(header::UPGRADE) {
            return None;
        }
        let upgrade = Self::new(tracer, sessions, component, request, span);
        upgrade.record_protocol(span);
        Some(Box::new(upgrade))
    }

    fn new(
        tracer: &Arc<dyn Tracer>,
        sessions: &Sessions,
        component: &str,
        request: &request::Parts,
        span: &Span,
    ) -> Self {
        Self {
            tracer: tracer.clone(),
            sessions: sessions.clone(),
            protocol: Protocol::of(request),
            is_connect: request.method == Method::CONNECT,
            begin: ticks(span),
            component: component.to_owned(),
            route: None,
            handle: SessionSpan::expected(),
            connection: None,
        }
    }

    /// Puts a substitute for the real connection into the response to a client.
    pub(in crate::middleware::http) fn take_from(&mut self, extensions: &mut Extensions) {
        self.connection = Expected::take(extensions);
        if self.connection.is_some() {
            extensions.insert(self.handle.clone());
        }
    }

    /// Passes the connection on when it comes, and then ends the span of the request and begins that of the session.
    /// Returns the span if no connection will come.
    pub(in crate::middleware::http) fn answered(
        mut self: Box<Self>,
        status: StatusCode,
        span: Span,
    ) -> Option<Span> {
        let is_accepted =
            status == StatusCode::SWITCHING_PROTOCOLS || self.is_connect && status.is_success();
        match self.connection.take() {
            Some(expected) if is_accepted => {
                let Expected {
                    real,
                    fulfilment,
                    runtime,
                } = expected;
                runtime.spawn(self.pass_on(real, fulfilment, span));
                None
            }
            _ => {
                span.set_tag(COMPLETED, is_accepted);
                Some(span)
            }
        }
    }

    async fn pass_on(self: Box<Self>, real: OnUpgrade, fulfilment: Fulfilment, request: Span) {
        let unfinished = Unfinished(request);
        match real.await {
            Ok(connection) => {
                let (began, request) = (self.begin, unfinished.complete());
                let handshake = ticks(&request).saturating_sub(began);
                // The session begins first, so that a trace is never without an open span in between.
                let session = self.begin_session(&request.context(), handshake);
                request.finish();
                fulfilment.fulfil(TracedIo::new(connection, session)).await;
            }
            Err(_) => drop(unfinished),
        }
    }

    /// Records that no connection will come.
    #[cfg(feature = "tungstenite")]
    pub(in crate::middleware::http) fn refused(self: Box<Self>, request: &Span) {
        request.set_tag(COMPLETED, false);
    }

    /// Returns the connection of a client whose handshake is complete, with the session around it.
    ///
    /// `early` are the bytes of the session that came with the end of the handshake.
    #[cfg(feature = "tungstenite")]
    pub(in crate::middleware::http) fn completed<T>(
        self: Box<Self>,
        request: &Span,
        stream: T,
        early: &[u8],
    ) -> TracedIo<T> {
        request.set_tag(COMPLETED, true);
        let handshake = ticks(request).saturating_sub(self.begin);
        let mut session = self.begin_session(&request.context(), handshake);
        if !early.is_empty() {
            session.received(early);
        }
        TracedIo::new(stream, session)
    }

    /// Begins the session that follows a request, whose handshake took so many nanoseconds.
    fn begin_session(self, request: &SpanContext, handshake: u64) -> Session {
        let name = self.sessions.operation_name.clone();
        let builder = self.tracer.build_span(name.unwrap_or_else(|| self.name()));
        let span = match self.sessions.is_child {
            true => builder.child_of(request),
            false => builder.follows_from(request),
        }
        .start();
        if span.is_recording() {
            span.set_tag(tags::COMPONENT, self.component.as_str())
                .set_tag("session.handshake_ms", handshake / 1_000_000);
            self.record_protocol(&span);
        }
        let is_websocket = matches!(self.protocol, Protocol::WebSocket);
        let share = self.sessions.message_share;
        Session::new(span, self.handle, &self.tracer, is_websocket, share)
    }

    fn name(&self) -> Cow<'static, str> {
        let kind = match self.protocol {
            Protocol::WebSocket => "WebSocket session",
            Protocol::Named(_) | Protocol::Unnamed => "HTTP session",
        };
        match &self.route {
            Some(route) => Cow::Owned(format!("{kind} {route}")),
            None => Cow::Borrowed(kind),
        }
    }

    fn record_protocol(&self, span: &Span) {
        if !span.is_recording() {
            return;
        }
        let named;
        let protocol = match &self.protocol {
            Protocol::WebSocket => "websocket",
            Protocol::Named(name) => {
                named = String::from_utf8_lossy(name.as_bytes());
                &redact::text(&named)
            }
            Protocol::Unnamed => return,
        };
        span.set_tag("upgrade.protocol", protocol);
    }
}

impl Protocol {
    fn of(request: &request::Parts) -> Self {
        // Every handshake has it, over HTTP/1.1 (RFC 6455) and HTTP/2 (RFC 8441).
        if request.headers.contains_key(header::SEC_WEBSOCKET_VERSION) {
            return Self::WebSocket;
        }
        match request.headers.get(header::UPGRADE) {
            Some(name) => Self::Named(name.clone()),
            None => Self::Unnamed,
        }
    }
}

impl Expected {
    /// Takes the real connection and leaves a substitute. Changes nothing without a runtime of tokio.
    fn take(extensions: &mut Extensions) -> Option<Self> {
        extensions.get::<OnUpgrade>()?;
        let runtime = Handle::try_current().ok()?;
        let (replacement, fulfilment) = substitute()?;
        let real = extensions.insert(replacement)?;
        Some(Self {
            real,
            fulfilment,
            runtime,
        })
    }
}

/// The span of a request whose connection has not come. It ends as cancelled if the connection fails to come.
struct Unfinished(Span);

impl Unfinished {
    fn complete(mut self) -> Span {
        let span = std::mem::take(&mut self.0);
        span.set_tag(COMPLETED, true);
        span
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.0.is_noop() {
            return;
        }
        let span = std::mem::take(&mut self.0);
        span.set_tag(COMPLETED, false)
            .set_tag("http.cancelled", true);
        span.log_event("cancelled");
        span.finish();
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

const COMPLETED: &str = "upgrade.completed";
