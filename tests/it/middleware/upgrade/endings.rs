//! A WebSocket of axum whose connection ends in every way that it can.

use std::pin::Pin;

use axum::Router;
use axum::extract::Path;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::any;
use tracehound::JaegerTracer;
use tracehound::middleware::{ServerLayer, SessionSpan, Sessions};
use tracehound::prelude::*;

use super::both;
use crate::support::recording_tracer;
use crate::support::web::{run, serve};
use crate::support::websocket::{CLOSE, PING, PONG, Peer, TEXT, close, frame};

async fn upgrade(ws: WebSocketUpgrade, Path(what): Path<String>, session: SessionSpan) -> Response {
    ws.on_upgrade(move |socket| session.run(work(socket, what)))
}

async fn work(mut socket: WebSocket, what: String) {
    match what.as_str() {
        "close" => {
            let frame = CloseFrame {
                code: 4001,
                reason: "see http://u:p@shop/?token=1".into(),
            };
            let _ = socket.send(Message::Close(Some(frame))).await;
        }
        "restart" => {
            let frame = CloseFrame {
                code: 1012,
                reason: "".into(),
            };
            let _ = socket.send(Message::Close(Some(frame))).await;
        }
        "drop" => {
            let _ = socket.recv().await;
            return;
        }
        "panic" => {
            let _ = socket.recv().await;
            panic!("by a message");
        }
        _ => {}
    }
    while let Some(Ok(message)) = socket.recv().await {
        active_span().log_event("handled");
        if let Message::Text(_) = message
            && socket.send(message).await.is_err()
        {
            return;
        }
    }
}

fn app(tracer: &JaegerTracer) -> Router {
    Router::new()
        .route("/ws/{what}", any(upgrade))
        .layer(ServerLayer::new(tracer.clone()).sessions(Sessions::new()))
}

type Script = fn(Peer) -> Pin<Box<dyn Future<Output = ()> + Send>>;

fn row(
    what: &'static str,
    script: Script,
    tags: &'static [(&'static str, &'static str)],
) -> (
    &'static str,
    Script,
    &'static [(&'static str, &'static str)],
) {
    (what, script, tags)
}

#[test]
pub(in crate::middleware) fn each_ending_has_its_tags() {
    let rows = [
        row(
            "echo",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&frame(TEXT, b"hello", true)).await;
                    assert_eq!(peer.frame().await, (TEXT, b"hello".to_vec()));
                    peer.send(&frame(PING, b"?", true)).await;
                    assert_eq!(peer.frame().await, (PONG, b"?".to_vec()));
                    peer.send(&frame(CLOSE, &close(1000, "bye"), true)).await;
                    assert_eq!(peer.frame().await.0, CLOSE);
                    peer.end().await;
                })
            },
            &[
                ("session.ending", "closed"),
                ("session.ended_by", "peer"),
                ("session.bytes_received", "29"),
                ("session.bytes_sent", "17"),
                ("websocket.messages_received", "1"),
                ("websocket.messages_sent", "1"),
                ("websocket.pings_received", "1"),
                ("websocket.pongs_sent", "1"),
                ("websocket.pings_sent", "0"),
                ("websocket.pongs_received", "0"),
                ("websocket.close_code", "1000"),
                ("websocket.close_reason", "bye"),
                ("error", ""),
            ],
        ),
        row(
            "echo",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&frame(CLOSE, &close(1001, ""), true)).await;
                    peer.reset();
                })
            },
            &[
                ("session.ending", "closed"),
                ("session.ended_by", "peer"),
                ("websocket.close_code", "1001"),
                ("websocket.close_reason", ""),
                ("error", ""),
            ],
        ),
        row(
            "echo",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&frame(CLOSE, &[], true)).await;
                    peer.end().await;
                })
            },
            &[
                ("session.ending", "closed"),
                ("websocket.close_code", "1005"),
                ("error", ""),
            ],
        ),
        row(
            "close",
            |mut peer| {
                Box::pin(async move {
                    assert_eq!(peer.frame().await.0, CLOSE);
                    peer.send(&frame(CLOSE, &close(4001, ""), true)).await;
                    peer.end().await;
                })
            },
            &[
                ("session.ending", "closed"),
                ("session.ended_by", "local"),
                ("websocket.close_code", "4001"),
                ("websocket.close_reason", "see http://shop/?token="),
                ("error", ""),
            ],
        ),
        row(
            "restart",
            |mut peer| {
                Box::pin(async move {
                    assert_eq!(peer.frame().await.0, CLOSE);
                    drop(peer);
                })
            },
            &[
                ("session.ending", "closed"),
                ("session.ended_by", "local"),
                ("websocket.close_code", "1012"),
                ("error", "true"),
            ],
        ),
        row(
            "close",
            |mut peer| {
                Box::pin(async move {
                    assert_eq!(peer.frame().await.0, CLOSE);
                    peer.reset();
                })
            },
            &[
                ("session.ending", "reset"),
                ("session.ended_by", "local"),
                ("websocket.close_code", "4001"),
                ("error", "true"),
            ],
        ),
        row(
            "echo",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&frame(TEXT, b"hello", true)).await;
                    peer.frame().await;
                    peer.reset();
                })
            },
            &[
                ("session.ending", "reset"),
                ("session.ended_by", "peer"),
                ("websocket.close_code", ""),
                ("error", "true"),
            ],
        ),
        row(
            "echo",
            |peer| Box::pin(async move { drop(peer) }),
            &[
                ("session.ending", "end_of_stream"),
                ("session.ended_by", "peer"),
                ("error", "true"),
            ],
        ),
        row(
            "echo",
            |mut peer| {
                Box::pin(async move {
                    // A message and a half.
                    peer.send(&frame(TEXT, b"hello", true)).await;
                    peer.send(&frame(TEXT, b"hello", true)[..8]).await;
                    peer.frame().await;
                })
            },
            &[
                ("session.ending", "end_of_stream"),
                ("session.ended_by", "peer"),
                ("session.bytes_received", "19"),
                ("websocket.messages_received", "1"),
                ("error", "true"),
            ],
        ),
        row(
            "drop",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&frame(TEXT, b"hello", true)).await;
                    peer.end().await;
                })
            },
            &[
                ("session.ending", "dropped"),
                ("session.ended_by", "local"),
                ("error", ""),
            ],
        ),
        row(
            "panic",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&frame(TEXT, b"hello", true)).await;
                    peer.end().await;
                })
            },
            &[
                ("session.ending", "panic"),
                ("session.ended_by", "local"),
                ("error", "true"),
            ],
        ),
        row(
            "echo",
            |mut peer| {
                Box::pin(async move {
                    peer.send(&[0x83, 0x80, 0, 0, 0, 0]).await;
                    peer.end().await;
                })
            },
            &[("websocket.malformed_by", "peer"), ("error", "true")],
        ),
    ];
    run(async {
        for (n, (what, script, tags)) in rows.into_iter().enumerate() {
            let (tracer, reporter) = recording_tracer();
            let address = serve(app(&tracer)).await;
            let peer = Peer::upgraded(address, &format!("/ws/{what}")).await;
            script(peer).await;
            let (request, session) = both(&reporter).await;
            assert_eq!(request.operation_name, "GET /ws/{what}");
            assert_eq!(request.tag_text("http.status_code"), "101");
            assert_eq!(request.tag_text("upgrade.protocol"), "websocket");
            assert_eq!(request.tag_text("upgrade.completed"), "true");
            assert_eq!(session.operation_name, "WebSocket session /ws/{what}");
            assert_eq!(session.trace_id, request.trace_id);
            for (key, value) in tags {
                assert_eq!(
                    session.tag_text(key),
                    *value,
                    "{n} {what} {key}: {session:#?}"
                );
            }
        }
    });
}
