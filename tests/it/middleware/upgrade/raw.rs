//! Upgrades of hyper to a protocol that is not WebSocket, on both sides.

use std::future::pending;
use std::sync::{Arc, Mutex};

use http::Method;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tower::Service as _;
use tracehound::middleware::{ClientLayer, SessionSpan, Sessions};
use tracehound::prelude::*;

use super::{Upgraded, both, pong_request, serve_hyper};
use crate::support::recording_tracer;
use crate::support::web::{client, events, run, until};

/// Reads up to the end of the stream, and answers.
async fn answer_at_the_end(mut io: Upgraded, _: SessionSpan) {
    let mut text = String::new();
    io.read_to_string(&mut text).await.expect("read");
    io.write_all(text.to_uppercase().as_bytes())
        .await
        .expect("written");
    io.shutdown().await.expect("shut down");
}

#[test]
pub(in crate::middleware) fn both_ends_of_a_connection_tell_their_side_of_it() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let (client_tracer, client_reporter) = recording_tracer();
        let address = serve_hyper(&tracer, Sessions::new(), answer_at_the_end).await;
        let layer = ClientLayer::new(client_tracer).sessions(Sessions::new());
        let mut response = layer
            .wrap(client())
            .call(pong_request(address))
            .await
            .expect("an answer");
        assert_eq!(response.status(), 101);
        let session = response.extensions().get::<SessionSpan>().cloned();
        let upgraded = hyper::upgrade::on(&mut response).await.expect("upgraded");
        let mut io = TokioIo::new(upgraded);
        session
            .expect("an upgrade")
            .run(async move {
                active_span().set_tag("mine", true);
                io.write_all(b"hello").await.expect("written");
                io.shutdown().await.expect("shut down");
                let mut text = String::new();
                io.read_to_string(&mut text).await.expect("read");
                assert_eq!(text, "HELLO");
            })
            .await;

        let (request, session) = both(&reporter).await;
        assert_eq!(request.tag_text("upgrade.protocol"), "pong");
        assert_eq!(session.operation_name, "HTTP session");
        let rows = [
            ("session.ending", "closed"),
            ("session.ended_by", "peer"),
            ("session.bytes_received", "5"),
            ("session.bytes_sent", "5"),
            ("upgrade.protocol", "pong"),
            ("component", "hyper"),
            ("websocket.messages_received", ""),
            ("span.kind", ""),
            ("error", ""),
        ];
        for (key, value) in rows {
            assert_eq!(session.tag_text(key), value, "{key}");
        }
        assert_eq!(events(&session), ["end_of_stream", "shut_down"]);

        let (client_request, client_session) = both(&client_reporter).await;
        assert_eq!(request.parent_id, Some(client_request.span_id));
        assert_eq!(client_request.tag_text("upgrade.completed"), "true");
        assert_eq!(client_session.tag_text("session.ending"), "closed");
        assert_eq!(client_session.tag_text("session.ended_by"), "local");
        assert_eq!(client_session.tag_text("component"), "tower");
        assert_eq!(client_session.tag_text("mine"), "true");
        assert_eq!(events(&client_session), ["shut_down", "end_of_stream"]);
        assert_eq!(client_session.trace_id, session.trace_id);
    });
}

#[test]
fn an_aborted_task_has_aborted_its_session() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let task: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
        let started = task.clone();
        let address = serve_hyper(&tracer, Sessions::new(), move |io, session| {
            let work = tokio::spawn(session.run(async move {
                let _io = io;
                pending::<()>().await;
            }));
            *started.lock().expect("not poisoned") = Some(work);
            async {}
        })
        .await;
        let response = client().request(pong_request(address)).await;
        let peer = hyper::upgrade::on(response.expect("an answer")).await;
        let work = until("the task", || task.lock().expect("not poisoned").take()).await;
        work.abort();
        let (_, session) = both(&reporter).await;
        assert_eq!(session.tag_text("session.ending"), "aborted");
        assert_eq!(session.tag_text("session.ended_by"), "local");
        assert_eq!(session.tag_text("error"), "");
        assert_eq!(events(&session), ["cancelled"]);
        drop(peer);
    });
}

#[test]
fn a_panic_of_the_task_marks_the_session_though_the_connection_outlives_it() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let kept: Arc<Mutex<Option<Upgraded>>> = Arc::default();
        let keeper = kept.clone();
        let address = serve_hyper(&tracer, Sessions::new(), move |io, session| {
            *keeper.lock().expect("not poisoned") = Some(io);
            async move {
                let work = session.run(async { panic!("away from the connection") });
                assert!(tokio::spawn(work).await.is_err());
            }
        })
        .await;
        let response = client().request(pong_request(address)).await;
        let peer = hyper::upgrade::on(response.expect("an answer")).await;
        let io = until("the connection", || {
            kept.lock().expect("not poisoned").take()
        })
        .await;
        // Dropped when the task has panicked: its reference to the span is the only other one.
        drop(peer);
        let mut io = io;
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await.expect("the end");
        drop(io);
        let (_, session) = both(&reporter).await;
        assert_eq!(session.tag_text("session.ending"), "closed");
    });
}

#[test]
fn a_websocket_over_http2_is_counted_too() {
    run(async {
        let (tracer, reporter) = recording_tracer();
        let address = serve_hyper(&tracer, Sessions::new(), async |mut io, _| {
            let mut read = [0; 8];
            io.read_exact(&mut read[..7]).await.expect("a frame");
            io.write_all(&[0x81, 1, b'!']).await.expect("written");
            io.read_exact(&mut read).await.expect("a close frame");
        })
        .await;
        let stream = TokioIo::new(TcpStream::connect(address).await.expect("connected"));
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
                .await
                .expect("HTTP/2");
        tokio::spawn(connection);
        sender.ready().await.expect("ready");
        let request = http::Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://{address}/chat"))
            .header("sec-websocket-version", "13")
            .extension(hyper::ext::Protocol::from_static("websocket"))
            .body(http_body_util::Empty::<bytes::Bytes>::new())
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(response.status(), 200);
        let upgraded = hyper::upgrade::on(response).await.expect("upgraded");
        let mut io = TokioIo::new(upgraded);
        io.write_all(&[0x81, 0x81, 1, 2, 3, 4, b'?' ^ 1])
            .await
            .expect("written");
        let mut read = [0; 3];
        io.read_exact(&mut read).await.expect("a frame");
        io.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9])
            .await
            .expect("written");
        let (request, session) = both(&reporter).await;
        assert_eq!(request.tag_text("http.status_code"), "200");
        assert_eq!(request.tag_text("upgrade.completed"), "true");
        let rows = [
            ("session.ending", "closed"),
            ("session.ended_by", "peer"),
            ("websocket.messages_received", "1"),
            ("websocket.messages_sent", "1"),
            ("websocket.close_code", "1001"),
            ("session.bytes_received", "15"),
        ];
        for (key, value) in rows {
            assert_eq!(session.tag_text(key), value, "{key}");
        }
    });
}
