//! Tests of a session's span: its references, and its measurements over time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::routing::any;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tracehound::metrics::Counter;
use tracehound::middleware::{ServerLayer, SessionSpan, Sessions};
use tracehound::model::ReferenceType;
use tracehound::prelude::*;
use tracehound::sampler::{ConstSampler, SamplingRate};
use tracehound::{JaegerTracer, NoopTracer};

use super::{both, is_session, pong_request, serve_hyper};
use crate::support::web::{client, events, run, serve, spans, until};
use crate::support::websocket::{BINARY, CLOSE, Peer, TEXT, close, frame, frame_of};
use crate::support::{fixed_tracer, recording_builder, recording_tracer};

/// A server whose WebSockets only read.
fn app(tracer: &JaegerTracer, sessions: Sessions) -> Router {
    let read = async |upgrade: WebSocketUpgrade, session: SessionSpan| {
        upgrade.on_upgrade(|mut socket| {
            session.run(async move {
                while let Some(Ok(_)) = socket.recv().await {
                    active_span().log_event("read");
                }
            })
        })
    };
    Router::new()
        .route("/read", any(read))
        .layer(ServerLayer::new(tracer.clone()).sessions(sessions))
}

#[test]
fn a_session_follows_from_its_request_or_is_its_child() {
    run(async {
        let rows = [
            (false, ReferenceType::FollowsFrom),
            (true, ReferenceType::ChildOf),
        ];
        for (is_child, expected) in rows {
            let (tracer, reporter) = recording_tracer();
            let sessions = Sessions::new()
                .child_of_request(is_child)
                .operation_name("reading");
            let address = serve(app(&tracer, sessions)).await;
            let mut peer = Peer::upgraded(address, "/read").await;
            peer.send(&frame(TEXT, b"one", true)).await;
            peer.send(&frame(CLOSE, &close(1000, ""), true)).await;
            peer.end().await;
            let (request, session) = both(&reporter).await;
            assert_eq!(session.operation_name, "reading");
            let [reference] = &session.references[..] else {
                panic!("one reference: {session:#?}");
            };
            assert_eq!(reference.kind, expected);
            assert_eq!(reference.span_id, request.span_id);
            assert_eq!(events(&session)[..2], ["read", "close_received"]);
        }
    });
}

#[test]
pub(in crate::middleware) fn a_share_of_the_messages_has_spans() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let share = SamplingRate::new(0.5).expect("a rate");
        let address = serve(app(&tracer, Sessions::new().message_spans(share))).await;
        let mut peer = Peer::upgraded(address, "/read").await;
        for n in 0..6 {
            peer.send(&frame_of(false, BINARY, &[n], true)).await;
            peer.send(&frame_of(true, 0, b"and more", true)).await;
        }
        peer.send(&frame(CLOSE, &close(1000, ""), true)).await;
        peer.end().await;
        let spans = spans(&reporter, 5).await;
        let session = spans.iter().find(|span| is_session(span));
        let session = session.expect("a session");
        assert_eq!(session.tag_text("websocket.messages_received"), "6");
        let children = spans
            .iter()
            .filter(|span| span.parent_id == Some(session.span_id));
        assert_eq!(children.clone().count(), 3);
        for message in children {
            assert_eq!(message.operation_name, "WebSocket receive");
            assert_eq!(message.tag_text("websocket.opcode"), "binary");
            assert_eq!(message.tag_text("websocket.message_size"), "9");
        }
        let text = format!("{spans:?}");
        assert!(!text.contains("and more"), "{text}");
    });
}

#[test]
fn silences_are_measured() {
    run(async {
        let (tracer, reporter, clock) = fixed_tracer();
        let read = Arc::new(Notify::new());
        let has_read = read.clone();
        let address = serve_hyper(&tracer, Sessions::new(), move |mut io, _| {
            let has_read = has_read.clone();
            async move {
                while io.read_u8().await.is_ok() {
                    has_read.notify_one();
                }
            }
        })
        .await;
        let response = client().request(pong_request(address)).await;
        let upgraded = hyper::upgrade::on(response.expect("an answer")).await;
        let mut io = hyper_util::rt::TokioIo::new(upgraded.expect("upgraded"));
        for seconds in [1, 5, 2] {
            // The session has begun before its first byte can be read.
            io.write_all(b"x").await.expect("written");
            read.notified().await;
            clock.advance(Duration::from_secs(seconds));
        }
        io.write_all(b"x").await.expect("written");
        read.notified().await;
        clock.advance(Duration::from_secs(60));
        drop(io);
        let (_, session) = both(&reporter).await;
        assert_eq!(session.tag_text("session.last_silence_ms"), "60000");
        assert_eq!(session.tag_text("session.longest_silence_ms"), "60000");
        assert_eq!(session.tag_text("session.handshake_ms"), "0");
    });
}

#[test]
fn a_close_frame_does_not_end_the_silence_before_it() {
    run(async {
        let (tracer, reporter, clock) = fixed_tracer();
        let read = Arc::new(Notify::new());
        let has_read = read.clone();
        let upgrade = async move |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async move |mut socket| {
                while let Some(Ok(_)) = socket.recv().await {
                    has_read.notify_one();
                }
            })
        };
        let app = Router::new()
            .route("/", any(upgrade))
            .layer(ServerLayer::new(tracer).sessions(Sessions::new()));
        let address = serve(app).await;
        let mut peer = Peer::upgraded(address, "/").await;
        peer.send(&frame(TEXT, b"one", true)).await;
        read.notified().await;
        clock.advance(Duration::from_secs(60));
        peer.send(&frame(CLOSE, &close(1001, ""), true)).await;
        assert_eq!(peer.frame().await.0, CLOSE);
        clock.advance(Duration::from_secs(3));
        peer.end().await;
        let (_, session) = both(&reporter).await;
        assert_eq!(session.tag_text("session.last_silence_ms"), "60000");
    });
}

#[test]
fn an_unsampled_session_works_and_leaves_no_span() {
    run(async {
        let (builder, reporter) = recording_builder();
        let tracer = builder
            .sampler(ConstSampler::new(false))
            .build()
            .expect("a service name");
        let address = serve(app(&tracer, Sessions::new())).await;
        let mut peer = Peer::upgraded(address, "/read").await;
        peer.send(&frame(TEXT, b"one", true)).await;
        peer.send(&frame(CLOSE, &close(1000, ""), true)).await;
        assert_eq!(peer.frame().await.0, CLOSE);
        peer.end().await;
        let ended = || tracer.metrics().get(Counter::FinishedSpansUnsampled);
        until("the end of both spans", || (ended() == 2).then_some(())).await;
        assert!(reporter.spans().is_empty());
    });
}

#[test]
fn a_tracer_that_is_off_and_a_filtered_request_leave_the_connection_alone() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let echo = async |upgrade: WebSocketUpgrade, session: SessionSpan| {
            assert!(session.span().is_noop());
            upgrade.on_upgrade(|mut socket| {
                session.run(async move {
                    if let Some(Ok(message)) = socket.recv().await {
                        let _ = socket.send(message).await;
                    }
                })
            })
        };
        let sessions = Sessions::new();
        let layers = [
            ServerLayer::new(JaegerTracer::disabled()).sessions(sessions.clone()),
            ServerLayer::new(tracer.clone())
                .filter(|_| false)
                .sessions(sessions),
            ServerLayer::new(NoopTracer).sessions(Sessions::new()),
        ];
        for layer in layers {
            let address = serve(Router::new().route("/", any(echo)).layer(layer)).await;
            let mut peer = Peer::upgraded(address, "/").await;
            peer.send(&frame(TEXT, b"one", true)).await;
            assert_eq!(peer.frame().await, (TEXT, b"one".to_vec()));
        }
        assert!(reporter.spans().is_empty());
    });
}
