//! Loopback servers, bodies that tests feed by hand, and waiting for spans.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

pub(crate) use crate::support::{events, log_field};

/// Runs a future. Tasks that it spawned end with it.
pub(crate) fn run<R>(future: impl Future<Output = R>) -> R {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Returns a listener on a free port of loopback.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    listener_at(Ipv4Addr::LOCALHOST).await
}

/// Returns a listener on a free port of a loopback address.
pub(crate) async fn listener_at(address: Ipv4Addr) -> (TcpListener, SocketAddr) {
    assert!(address.is_loopback(), "{address}");
    let listener = TcpListener::bind((address, 0)).await.expect("a port");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

/// Serves an axum router over HTTP/1.
pub(crate) async fn serve(app: axum::Router) -> SocketAddr {
    serve_at(Ipv4Addr::LOCALHOST, app).await
}

/// Serves an axum router over HTTP/1 at a loopback address.
pub(crate) async fn serve_at(address: Ipv4Addr, app: axum::Router) -> SocketAddr {
    let (listener, address) = listener_at(address).await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Returns the client of hyper-util.
pub(crate) fn client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Returns a builder of reqwest's client. A proxy that the environment names does not lead to loopback.
#[cfg(feature = "reqwest")]
pub(crate) fn reqwest_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

/// Returns reqwest's client.
#[cfg(feature = "reqwest")]
pub(crate) fn reqwest_client() -> reqwest::Client {
    reqwest_builder().build().expect("a client")
}

/// Returns a request without a body.
pub(crate) fn get(uri: impl AsRef<str>) -> Request<Full<Bytes>> {
    Request::get(uri.as_ref())
        .body(Full::default())
        .expect("a request")
}

/// Sends a GET and returns the answer.
pub(crate) async fn call(uri: String) -> (StatusCode, Bytes) {
    call_with(get(uri)).await
}

/// Sends a request and returns the answer.
pub(crate) async fn call_with(request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
    let response = client().request(request).await.expect("an answer");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body");
    (status, body.to_bytes())
}

/// Polls `ask` until it answers.
pub(crate) async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited too long for {what}");
        tokio::task::yield_now().await;
    }
}

/// Waits until there are `count` spans, fails if there are more, and returns them.
pub(crate) async fn spans(reporter: &InMemoryReporter, count: usize) -> Vec<OwnedSpan> {
    let what = format!("{count} spans");
    let spans = until(&what, || {
        let spans = reporter.spans();
        (spans.len() >= count).then_some(spans)
    })
    .await;
    assert_eq!(spans.len(), count, "{spans:#?}");
    spans
}

/// Returns the only span.
pub(crate) async fn one_span(reporter: &InMemoryReporter) -> OwnedSpan {
    spans(reporter, 1).await.remove(0)
}

/// Returns the only span of this kind.
pub(crate) fn of_kind<'a>(spans: &'a [OwnedSpan], kind: &str) -> &'a OwnedSpan {
    let mut found = spans
        .iter()
        .filter(|span| span.tag_text("span.kind") == kind);
    let span = found.next().expect("a span of this kind");
    assert!(found.next().is_none(), "two spans of kind {kind}");
    span
}

/// A body that a test feeds by hand. It never claims to be at its end before it is polled.
pub(crate) struct Fed {
    frames: mpsc::UnboundedReceiver<io::Result<Frame<Bytes>>>,
    length: Option<u64>,
}

/// The hand that feeds a [`Fed`].
#[derive(Clone)]
pub(crate) struct Feeder(mpsc::UnboundedSender<io::Result<Frame<Bytes>>>);

impl Fed {
    pub(crate) fn new() -> (Feeder, Self) {
        let (feeder, frames) = mpsc::unbounded_channel();
        let length = None;
        (Feeder(feeder), Self { frames, length })
    }

    /// Returns a body that announces its length.
    pub(crate) fn with_length(length: u64) -> (Feeder, Self) {
        let (feeder, mut body) = Self::new();
        body.length = Some(length);
        (feeder, body)
    }
}

impl Feeder {
    pub(crate) fn data(&self, data: &'static str) {
        self.bytes(data);
    }

    pub(crate) fn bytes(&self, bytes: impl Into<Bytes>) {
        self.send(Ok(Frame::data(bytes.into())));
    }

    pub(crate) fn trailers(&self, trailers: HeaderMap) {
        self.send(Ok(Frame::trailers(trailers)));
    }

    pub(crate) fn fail(&self, text: &'static str) {
        self.send(Err(io::Error::other(text)));
    }

    /// Returns whether the body was dropped.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn send(&self, frame: io::Result<Frame<Bytes>>) {
        self.0.send(frame).expect("the body is there");
    }
}

impl Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.frames.poll_recv(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Returns a response with a body.
pub(crate) fn reply<B>(status: u16, body: B) -> Result<Response<B>, Infallible> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("a status");
    Ok(response)
}
