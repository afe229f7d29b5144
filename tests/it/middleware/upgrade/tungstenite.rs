//! WebSockets of tokio-tungstenite, from the client's side.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::StatusCode;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tracehound::middleware::{ServerLayer, SessionSpan, Sessions, WebSocketClient};
use tracehound::prelude::*;
use tracehound::{JaegerTracer, NoopTracer};

use super::both;
use crate::closed_port::closed_port;
use crate::middleware::ways::{Way, check};
use crate::support::recording_tracer;
use crate::support::web::{events, listener, log_field, one_span, run, serve};
use crate::support::websocket::{CLOSE, PING, Peer, TEXT, close, frame};

fn echo(tracer: &JaegerTracer) -> Router {
    let echo = async |upgrade: WebSocketUpgrade, session: SessionSpan| {
        upgrade.on_upgrade(|mut socket| {
            session.run(async move {
                while let Some(Ok(message)) = socket.recv().await {
                    let _ = socket.send(message).await;
                }
            })
        })
    };
    Router::new()
        .route("/echo", any(echo))
        .route(
            "/gone",
            any(async |upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(|socket| async move { drop(socket) })
            }),
        )
        .route("/no", any(async || StatusCode::FORBIDDEN))
        .route("/broken", any(async || StatusCode::BAD_GATEWAY))
        .layer(ServerLayer::new(tracer.clone()).sessions(Sessions::new()))
}

#[test]
fn handshake_and_session_of_both_sides_are_one_trace() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (server_tracer, server_reporter) = recording_tracer();
        let address = serve(echo(&server_tracer)).await;
        let client = WebSocketClient::new(tracer.clone());
        // Spawned, so the future has to be `Send`.
        let chat = tokio::spawn(async move {
            let url = format!("ws://{address}/echo?token=1");
            let (mut socket, response) = client.connect(url).await.expect("opened");
            assert_eq!(response.status(), 101);
            let session = socket.get_ref().session();
            session
                .run(async move {
                    socket.send(Message::text("hello")).await.expect("sent");
                    let answer = socket.next().await.expect("one").expect("received");
                    assert_eq!(answer.to_text().expect("text"), "hello");
                    active_span().log_event("heard");
                    socket.close(None).await.expect("sent");
                    while socket.next().await.is_some() {}
                })
                .await;
        });
        chat.await.expect("no panic");
        let (request, session) = both(&reporter).await;
        let rows = [
            ("span.kind", "client"),
            ("component", "tungstenite"),
            ("http.method", "GET"),
            ("http.url", &*format!("ws://{address}/echo?token=")),
            ("http.status_code", "101"),
            ("upgrade.protocol", "websocket"),
            ("upgrade.completed", "true"),
            ("peer.address", &*address.to_string()),
        ];
        for (key, value) in rows {
            assert_eq!(request.tag_text(key), value, "{key}");
        }
        let rows = [
            ("session.ending", "closed"),
            ("session.ended_by", "local"),
            ("websocket.close_code", "1005"),
            ("websocket.messages_received", "1"),
            ("websocket.messages_sent", "1"),
            ("component", "tungstenite"),
            ("error", ""),
        ];
        for (key, value) in rows {
            assert_eq!(session.tag_text(key), value, "{key}");
        }
        assert_eq!(events(&session)[..2], ["heard", "close_sent"]);
        let (server_request, server_session) = both(&server_reporter).await;
        assert_eq!(server_request.parent_id, Some(request.span_id));
        assert_eq!(server_session.trace_id, session.trace_id);
        assert_eq!(server_session.tag_text("session.ended_by"), "peer");
        let counted = |key| session.tag_text(key).into_owned();
        let there = |key| server_session.tag_text(key).into_owned();
        assert_eq!(
            counted("session.bytes_sent"),
            there("session.bytes_received")
        );
        assert_eq!(
            counted("session.bytes_received"),
            there("session.bytes_sent")
        );
    });
}

#[test]
fn a_refused_or_failed_handshake_is_told_by_its_span() {
    run(async {
        let (server_tracer, _server_reporter) = recording_tracer();
        let address = serve(echo(&server_tracer)).await;
        let (_socket, closed) = closed_port();
        let rows = [
            (format!("ws://{address}/no"), "403", "", ""),
            (format!("ws://{address}/broken"), "502", "true", ""),
            (format!("ws://{closed}/"), "", "true", "connect"),
            (format!("wss://{address}/echo"), "", "true", "Error"),
            (format!("http://{address}/echo"), "", "true", "Error"),
        ];
        for (url, status, error, kind) in rows {
            let (tracer, reporter) = recording_tracer();
            let client = WebSocketClient::new(tracer);
            let refusal = client.connect(&url).await.expect_err("refused");
            if let Error::Http(response) = refusal {
                assert_eq!(response.status().as_str(), status);
            }
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("http.status_code"), status, "{url}");
            assert_eq!(span.tag_text("error"), error, "{url}");
            assert_eq!(span.tag_text("upgrade.completed"), "false", "{url}");
            let logged = log_field(&span, "error", "error.kind").unwrap_or_default();
            assert!(logged.ends_with(kind), "{url}: {logged}");
        }
    });
}

#[test]
fn frames_that_come_with_the_answer_are_counted_and_delivered() {
    run(async {
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            let mut peer = Peer(listener.accept().await.expect("a connection").0);
            let head = peer.head().await;
            let key = head
                .lines()
                .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
                .expect("a key");
            let accept =
                tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
            let head = format!(
                "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-accept: {accept}\r\n\r\n"
            );
            let bytes = [
                head.into_bytes(),
                frame(TEXT, b"early", false),
                frame(PING, b"", false),
            ];
            // One write, so that one read has them all.
            peer.send(&bytes.concat()).await;
            peer.send(&frame(CLOSE, &close(1001, "restart"), false))
                .await;
            // The server of a WebSocket is the one to end the stream.
            peer.0.shutdown().await.expect("shut down");
            peer.end().await;
        });
        let (tracer, reporter) = recording_tracer();
        let stream = TcpStream::connect(address).await.expect("connected");
        let client = WebSocketClient::new(tracer);
        let url = format!("ws://{address}/");
        let (mut socket, _) = client.handshake(url, stream).await.expect("opened");
        let first = socket.next().await.expect("one").expect("received");
        assert_eq!(first.to_text().expect("text"), "early");
        while socket.next().await.is_some() {}
        drop(socket);
        let (_, session) = both(&reporter).await;
        let rows = [
            ("session.ending", "closed"),
            ("session.ended_by", "peer"),
            ("websocket.messages_received", "1"),
            ("websocket.pings_received", "1"),
            ("websocket.close_code", "1001"),
            ("websocket.close_reason", "restart"),
            ("session.bytes_received", "20"),
        ];
        for (key, value) in rows {
            assert_eq!(session.tag_text(key), value, "{key}");
        }
    });
}

#[test]
fn a_client_without_spans_opens_its_websocket_all_the_same() {
    run(async {
        let (server_tracer, _server_reporter) = recording_tracer();
        let address = serve(echo(&server_tracer)).await;
        let (tracer, reporter) = recording_tracer();
        let clients = [
            WebSocketClient::new(NoopTracer),
            WebSocketClient::new(tracer).filter(|_| false),
        ];
        for client in clients {
            let url = format!("ws://{address}/echo");
            let (mut socket, _) = client.connect(url).await.expect("opened");
            socket.send(Message::text("hello")).await.expect("sent");
            assert!(socket.next().await.expect("one").is_ok());
            assert!(socket.get_ref().session().span().is_noop());
            socket.get_mut().shutdown().await.expect("shut down");
        }
        assert!(reporter.spans().is_empty());
    });
}

#[test]
pub(in crate::middleware) fn a_session_ends_in_each_way() {
    let rows = [
        (Way::Done, "client; closed"),
        (Way::Error, "client; error=true end_of_stream"),
        (Way::Cancel, "aborted; client"),
        (Way::Drop, "client; dropped"),
        (Way::Panic, "client; error=true panic"),
        (Way::Timeout, "client; dropped"),
    ];
    check(rows, |way, tracer| {
        run(async {
            let address = serve(echo(&JaegerTracer::disabled())).await;
            let path = if way == Way::Error { "gone" } else { "echo" };
            let client = WebSocketClient::new(tracer.clone());
            let (mut socket, _) = client
                .connect(format!("ws://{address}/{path}"))
                .await
                .expect("opened");
            let session = socket.get_ref().session();
            let chat = session.run(async move {
                match way {
                    Way::Done => {
                        socket.close(None).await.expect("sent");
                        while socket.next().await.is_some() {}
                    }
                    Way::Error => while socket.next().await.is_some_and(|next| next.is_ok()) {},
                    Way::Cancel => {
                        std::future::pending::<()>().await;
                        drop(socket);
                    }
                    Way::Drop => drop(socket),
                    Way::Panic => panic!("planned: {}", socket.next().now_or_never().is_none()),
                    Way::Timeout => {
                        let soon = Duration::from_millis(1);
                        let next = tokio::time::timeout(soon, socket.next()).await;
                        assert!(next.is_err(), "nobody speaks");
                    }
                }
            });
            match way {
                Way::Cancel => assert!(chat.now_or_never().is_none()),
                _ => {
                    let ended = AssertUnwindSafe(chat).catch_unwind().await;
                    assert_eq!(ended.is_err(), way == Way::Panic);
                }
            }
        });
    });
}
