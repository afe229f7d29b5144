//! Handshakes that fail, and those whose connection never comes.

use axum::Router;
use axum::extract::Path;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::mpsc;
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{ServerLayer, Sessions};
use tracehound::reporter::OwnedSpan;

use super::{both, is_session};
use crate::support::recording_tracer;
use crate::support::web::{events, listener, one_span, run, serve, until};
use crate::support::websocket::{CLOSE, Peer, close, frame, handshake};

async fn upgrade(ws: WebSocketUpgrade, Path(what): Path<String>) -> Response {
    if what == "no" {
        return StatusCode::FORBIDDEN.into_response();
    }
    ws.on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
}

fn app(tracer: &JaegerTracer) -> Router {
    Router::new()
        .route("/ws/{what}", any(upgrade))
        .layer(ServerLayer::new(tracer.clone()).sessions(Sessions::new()))
}

#[test]
fn a_refused_handshake_begins_no_session() {
    let good = handshake("/ws/no");
    let rows = [
        (good.clone(), "403", "websocket"),
        (
            good.replace("/no", "/yes").replace(": 13", ": 7"),
            "400",
            "websocket",
        ),
        (good.replace("/ws/no", "/nowhere"), "404", "websocket"),
        (
            good.replace("/no", "/yes")
                .replace("sec-websocket-version: 13\r\n", ""),
            "400",
            "websocket",
        ),
        (
            good.replace("upgrade: websocket", "upgrade: http://u:p@h/"),
            "400",
            "websocket",
        ),
    ];
    run(async {
        for (request, status, protocol) in rows {
            let (tracer, reporter) = recording_tracer();
            let address = serve(app(&tracer)).await;
            let mut peer = Peer::connect(address).await;
            peer.send(request.as_bytes()).await;
            let head = peer.head().await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
            drop(peer);
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("http.status_code"), status);
            assert_eq!(span.tag_text("upgrade.completed"), "false", "{request}");
            assert_eq!(span.tag_text("upgrade.protocol"), protocol, "{request}");
        }
    });
}

#[test]
fn a_peer_that_resets_within_the_handshake_leaves_nothing_behind() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app(&tracer)).await;
        let request = handshake("/ws/yes");
        for length in 0..request.len() {
            let mut peer = Peer::connect(address).await;
            peer.send(&request.as_bytes()[..length]).await;
            peer.reset();
        }
        let mut peer = Peer::upgraded(address, "/ws/yes").await;
        peer.send(&frame(CLOSE, &close(1000, ""), true)).await;
        peer.end().await;
        let (_, session) = both(&reporter).await;
        assert_eq!(session.tag_text("session.ending"), "closed");
    });
}

#[test]
fn a_peer_that_resets_after_its_request_has_a_session_if_it_was_upgraded() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve(app(&tracer)).await;
        for _ in 0..20 {
            let mut peer = Peer::connect(address).await;
            peer.send(handshake("/ws/yes").as_bytes()).await;
            // The server may not even see the request.
            peer.reset();
        }
        let mut peer = Peer::upgraded(address, "/ws/yes").await;
        peer.send(&frame(CLOSE, &close(1000, ""), true)).await;
        peer.end().await;
        let spans = until("the end of all spans", || {
            let spans = reporter.spans();
            let started = tracer.metrics().get(Counter::StartedSpansSampled);
            let is_closed = |span: &OwnedSpan| span.tag_text("session.ending") == "closed";
            let is_over = spans.len() as u64 == started && spans.iter().any(is_closed);
            is_over.then_some(spans)
        })
        .await;
        let (sessions, requests): (Vec<_>, Vec<_>) =
            spans.iter().partition(|span| is_session(span));
        let completed = requests
            .iter()
            .filter(|span| span.tag_text("upgrade.completed") == "true");
        assert_eq!(completed.count(), sessions.len());
        for session in sessions {
            let ending = session.tag_text("session.ending");
            assert!(
                ["reset", "broken_pipe", "closed"].contains(&&*ending),
                "{ending}"
            );
        }
    });
}

#[test]
fn a_connection_that_never_comes_cancels_the_request() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (failed, mut failures) = mpsc::unbounded_channel();
        let upgrade = move |ws: WebSocketUpgrade| async move {
            ws.on_failed_upgrade(move |error: axum::Error| {
                failed.send(error.to_string()).expect("a test")
            })
            .on_upgrade(async |_| unreachable!("no connection"))
        };
        let app = Router::new()
            .route("/", any(upgrade))
            .layer(ServerLayer::new(tracer.clone()).sessions(Sessions::new()));
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let server = hyper::server::conn::http1::Builder::new();
            // Without `with_upgrades`: nobody hands the connection on.
            let service = TowerToHyperService::new(app);
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
        let mut peer = Peer::connect(address).await;
        peer.send(handshake("/").as_bytes()).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        let span = one_span(&reporter).await;
        assert_eq!(span.tag_text("http.status_code"), "101");
        assert_eq!(span.tag_text("upgrade.completed"), "false");
        assert_eq!(span.tag_text("http.cancelled"), "true");
        assert_eq!(events(&span), ["cancelled"]);
        assert!(failures.recv().await.is_some());
    });
}
