use std::sync::Arc;

use http::{Request, Response, request, response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::{Error, UrlError};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::middleware::http::client;
use crate::middleware::http::exchange::Exchange;
use crate::middleware::http::request_scope::RequestScope;
use crate::middleware::http::settings::{HttpSettings, settings};
use crate::middleware::http::upgrade::{Tap, Upgrade};
use crate::middleware::{Destinations, Sessions, TracedIo};
use crate::scope::Instrumented;

/// A client of tokio-tungstenite whose WebSockets have spans: one for the handshake, and one for the session that
/// follows.
///
/// The span of the handshake is a child of the active span, has the tags of a client's request and covers connecting.
/// Its context is injected into the request. A server that refuses leaves its status on it, another failure an error.
/// The span of the session tells what [the module](crate::middleware#what-becomes-of-an-upgraded-connection) says; [`TracedIo::session`] makes it
/// active in a task. The settings are those of a [`ClientLayer`](crate::middleware::ClientLayer).
///
/// # Examples
///
/// ```no_run
/// use futures_util::{SinkExt, StreamExt};
/// use tracehound::middleware::WebSocketClient;
///
/// # async fn chat() -> Result<(), Box<dyn std::error::Error>> {
/// let client = WebSocketClient::new(tracehound::Config::from_env()?.build()?);
/// let (mut socket, _response) = client.connect("ws://localhost:8080/chat").await?;
/// socket.send("hello".into()).await?;
/// while let Some(message) = socket.next().await {
///     println!("{}", message?);
/// }
/// # Ok(()) }
/// ```
///
/// Every setting:
///
/// ```
/// use http::header::{SEC_WEBSOCKET_PROTOCOL, USER_AGENT};
/// use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
/// use tracehound::NoopTracer;
/// use tracehound::middleware::{Destinations, Sessions, SpanEnd, WebSocketClient};
///
/// let client = WebSocketClient::new(NoopTracer)
///     .operation_name(|_| "open chat".into())
///     .filter(|request| request.uri.path() != "/ping")
///     .url(|request| Some(format!("ws://{}", request.uri.host().unwrap_or("?"))))
///     .component("chat")
///     .request_headers([USER_AGENT])
///     .response_headers([SEC_WEBSOCKET_PROTOCOL])
///     .error_status(|status| status.as_u16() >= 400)
///     .decorate(|span, request| {
///         span.set_tag("secure", request.uri.scheme_str() == Some("wss"));
///     })
///     .decorate_response(|span, response| {
///         span.set_tag("headers", response.headers.len());
///     })
///     .span_end(SpanEnd::Head)
///     .destinations(Destinations::all().trace_headers_to(["internal.example"])?)
///     .sessions(Sessions::new())
///     .config(WebSocketConfig::default().max_message_size(Some(1 << 20)));
///
/// /// Opens a WebSocket over a connection of its own, such as one that is encrypted.
/// async fn open(client: &WebSocketClient) -> Result<(), Box<dyn std::error::Error>> {
///     let stream = tokio::net::TcpStream::connect("localhost:8080").await?;
///     let (_socket, _response) = client.handshake("ws://localhost:8080/chat", stream).await?;
///     Ok(())
/// }
/// # Ok::<(), tracehound::middleware::InvalidHost>(())
/// ```
#[derive(Clone)]
pub struct WebSocketClient {
    settings: Arc<HttpSettings>,
    config: Option<WebSocketConfig>,
}

settings!(WebSocketClient, request::Parts, response::Parts, config);

/// A WebSocket and the response of the server that opened it.
type Opened<S> = (WebSocketStream<TracedIo<S>>, Response<Option<Vec<u8>>>);

impl WebSocketClient {
    /// Sets what the spans of sessions are like. Defaults to [`Sessions::new`].
    #[must_use]
    pub fn sessions(mut self, sessions: Sessions) -> Self {
        self.hooks_mut().sessions = Some(sessions);
        self
    }

    /// Sets the limits and buffers of the WebSockets. Defaults to those of tungstenite.
    #[must_use]
    pub fn config(mut self, config: WebSocketConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// Sets the hosts to which trace headers and baggage go. Defaults to [`Destinations::all`].
    ///
    /// From a request to another host these headers are removed, whoever has set them.
    #[must_use]
    pub fn destinations(mut self, destinations: Destinations) -> Self {
        self.hooks_mut().destinations = destinations;
        self
    }

    /// Connects to the host of a `ws://` URL and opens a WebSocket.
    ///
    /// For `wss://`, connect and encrypt as you like, and call [`handshake`](Self::handshake).
    ///
    /// # Errors
    ///
    /// Returns the errors of `tokio_tungstenite::connect_async` without a TLS stack. A refusal by the server is an
    /// `Error::Http` with its response.
    pub async fn connect<R>(&self, request: R) -> Result<Opened<TcpStream>, Error>
    where
        R: IntoClientRequest + Unpin,
    {
        self.open(request, async |request| {
            let uri = request.uri();
            if uri.scheme_str() != Some("ws") {
                return Err(Error::Url(match uri.scheme_str() {
                    Some("wss") => UrlError::TlsFeatureNotEnabled,
                    _ => UrlError::UnsupportedUrlScheme,
                }));
            }
            let host = uri.host().ok_or(UrlError::NoHostName)?;
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let port = uri.port_u16().unwrap_or(80);
            Ok(TcpStream::connect((host, port)).await?)
        })
        .await
    }

    /// Opens a WebSocket over a connection, like `tokio_tungstenite::client_async`.
    ///
    /// For an encrypted connection pass the stream of your TLS library. The session is measured inside of the
    /// encryption.
    ///
    /// # Errors
    ///
    /// Returns the errors of `client_async`. A refusal by the server is an `Error::Http` with its response.
    pub async fn handshake<R, S>(&self, request: R, stream: S) -> Result<Opened<S>, Error>
    where
        R: IntoClientRequest + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.open(request, async |_| Ok(stream)).await
    }

    async fn open<R, S>(
        &self,
        request: R,
        connect: impl AsyncFnOnce(&Request<()>) -> Result<S, Error>,
    ) -> Result<Opened<S>, Error>
    where
        R: IntoClientRequest + Unpin,
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut parts, ()) = request.into_client_request()?.into_parts();
        let exchange = self.begin(&mut parts);
        let request = Request::from_parts(parts, ());
        let work = async {
            let mut stream = connect(&request).await?;
            let mut tap = Tap::new(&mut stream);
            let opened = client_async_with_config(request, &mut tap, self.config).await;
            let response = opened.map(|(_, response)| response)?;
            let early = tap.into_early();
            Ok((stream, early, response))
        };
        let Some(mut exchange) = exchange else {
            let (stream, early, response) = work.await?;
            let socket = self.socket(TracedIo::untraced(stream), early).await;
            return Ok((socket, response));
        };
        let upgrade = exchange.take_upgrade();
        match Instrumented::unmarked(work, exchange.span()).await {
            Ok((stream, early, response)) => {
                let stream = match upgrade {
                    Some(upgrade) => upgrade.completed(exchange.span(), stream, &early),
                    None => TracedIo::untraced(stream),
                };
                let (parts, body) = response.into_parts();
                exchange.head(&self.settings.hooks, parts.status, &parts.headers, &parts);
                exchange.complete();
                let response = Response::from_parts(parts, body);
                Ok((self.socket(stream, early).await, response))
            }
            Err(error) => {
                if let Some(upgrade) = upgrade {
                    upgrade.refused(exchange.span());
                }
                Err(self.refused(exchange, error))
            }
        }
    }

    /// Starts the span of a request, if the request needs one.
    fn begin(&self, request: &mut request::Parts) -> Option<Exchange> {
        let tracer = &self.settings.tracer;
        if tracer.is_noop() {
            return None;
        }
        let hooks = &self.settings.hooks;
        let RequestScope::Span(mut exchange) = client::begin(&self.settings, LIBRARY, request)
        else {
            return None;
        };
        if hooks.sessions.is_none() {
            let component = hooks.component(LIBRARY);
            let sessions = Sessions::new();
            let span = exchange.span();
            let upgrade = Upgrade::of_client(tracer, Some(&sessions), component, request, span);
            exchange = exchange.upgraded(upgrade);
        }
        Some(exchange)
    }

    /// Ends the span of a handshake that failed.
    fn refused(&self, mut exchange: Exchange, error: Error) -> Error {
        match error {
            Error::Http(response) => {
                let (parts, body) = response.into_parts();
                exchange.head(&self.settings.hooks, parts.status, &parts.headers, &parts);
                exchange.complete();
                Error::Http(Box::new(Response::from_parts(parts, body)))
            }
            error => {
                exchange.fail(&error);
                error
            }
        }
    }

    async fn socket<S>(&self, stream: TracedIo<S>, early: Vec<u8>) -> WebSocketStream<TracedIo<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        WebSocketStream::from_partially_read(stream, early, Role::Client, self.config).await
    }
}

const LIBRARY: &str = "tungstenite";
