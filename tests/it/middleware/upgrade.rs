//! Tests of the spans of upgraded connections.

#[cfg(feature = "tungstenite")]
pub(super) mod broken_streams;
pub(super) mod endings;
pub(super) mod ends;
pub(super) mod handshakes;
pub(super) mod raw;
pub(super) mod sessions;
#[cfg(feature = "tungstenite")]
pub(super) mod tungstenite;

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Request, Response};
use http_body_util::{Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tracehound::middleware::{ServerLayer, Sessions};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};
use tracehound::{JaegerTracer, middleware};

use crate::support::web::{get, listener, reply, spans};

/// Returns the spans of a request and of the session that followed.
async fn both(reporter: &InMemoryReporter) -> (OwnedSpan, OwnedSpan) {
    let spans = spans(reporter, 2).await;
    let mut requests = spans.iter().filter(|span| !is_session(span));
    let mut sessions = spans.iter().filter(|span| is_session(span));
    let both = requests.next().zip(sessions.next());
    both.map(|(request, session)| (request.clone(), session.clone()))
        .expect("one of each")
}

fn is_session(span: &OwnedSpan) -> bool {
    span.tag("session.ending").is_some()
}

/// A connection after an upgrade, for the traits of tokio.
type Upgraded = TokioIo<hyper::upgrade::Upgraded>;

/// Serves HTTP/1 and HTTP/2 by hyper. Each upgraded connection is handed to `work`, in a task of its own.
async fn serve_hyper<W, F>(tracer: &JaegerTracer, sessions: Sessions, work: W) -> SocketAddr
where
    W: Fn(Upgraded, middleware::SessionSpan) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let (listener, address) = listener().await;
    let handler = move |mut request: Request<hyper::body::Incoming>| {
        let work = work.clone();
        async move {
            let session = request.extensions().get::<middleware::SessionSpan>();
            let session = session.cloned().unwrap_or_default();
            let is_connect = request.method() == http::Method::CONNECT;
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let upgraded = upgraded.await.expect("upgraded");
                work(TokioIo::new(upgraded), session).await;
            });
            let mut response = reply(if is_connect { 200 } else { 101 }, Empty::<Bytes>::new())?;
            if !is_connect {
                ask(response.headers_mut());
            }
            Ok::<Response<_>, Infallible>(response)
        }
    };
    let layer = ServerLayer::new(tracer.clone()).sessions(sessions);
    let service = layer.wrap(hyper::service::service_fn(handler));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let service = service.clone();
            tokio::spawn(async move {
                let mut server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                server.http2().enable_connect_protocol();
                let stream = TokioIo::new(stream);
                let _ = server.serve_connection_with_upgrades(stream, service).await;
            });
        }
    });
    address
}

/// Adds the headers that ask for the protocol `pong`, and those that agree to it.
fn ask(headers: &mut HeaderMap) {
    headers.insert(header::UPGRADE, HeaderValue::from_static("pong"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
}

/// Returns a request to upgrade to the protocol `pong`.
fn pong_request(address: SocketAddr) -> Request<Full<Bytes>> {
    let mut request = get(format!("http://{address}/pong"));
    ask(request.headers_mut());
    request
}
