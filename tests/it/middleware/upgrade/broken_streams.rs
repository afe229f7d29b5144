//! Streams of a client of WebSockets that break, in the handshake and in the session.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracehound::metrics::Counter;
use tracehound::middleware::WebSocketClient;

use super::both;
use crate::middleware::ways::stream::Ends;
use crate::middleware::ways::{Way, check, drive};
use crate::support::recording_tracer;
use crate::support::web::{events, listener, log_field, one_span, run};
use crate::support::websocket::Peer;

/// A stream that fails from some moment on.
struct Failing {
    inner: TcpStream,
    kind: Arc<Mutex<Option<ErrorKind>>>,
}

impl Failing {
    fn check(&self) -> io::Result<()> {
        let kind = *self.kind.lock().expect("not poisoned");
        kind.map_or(Ok(()), |kind| Err(kind.into()))
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Returns the answer to the handshake of a request.
fn answer(request: &str) -> String {
    let key = "Sec-WebSocket-Key: ";
    let key = request.lines().find_map(|line| line.strip_prefix(key));
    let accept = derive_accept_key(key.expect("a key").as_bytes());
    format!(
        "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// Waits for a client, and opens its WebSocket.
async fn accepted(listener: &TcpListener) -> Peer {
    let mut peer = Peer(listener.accept().await.expect("a connection").0);
    let head = peer.head().await;
    peer.send(answer(&head).as_bytes()).await;
    peer
}

#[test]
fn each_failure_of_a_stream_is_an_ending_of_the_session() {
    let rows = [
        (ErrorKind::ConnectionReset, "reset", "peer"),
        (ErrorKind::ConnectionAborted, "reset", "peer"),
        (ErrorKind::BrokenPipe, "broken_pipe", "peer"),
        (ErrorKind::UnexpectedEof, "end_of_stream", "peer"),
        (ErrorKind::TimedOut, "timed_out", ""),
        (ErrorKind::Other, "error", ""),
    ];
    run(async {
        for (kind, ending, ended_by) in rows {
            for is_read in [true, false] {
                let (tracer, reporter) = recording_tracer();
                let (listener, address) = listener().await;
                let accepting = accepted(&listener);
                let connecting = async {
                    let stream = Failing {
                        inner: TcpStream::connect(address).await.expect("connected"),
                        kind: Arc::default(),
                    };
                    let fails = stream.kind.clone();
                    let client = WebSocketClient::new(tracer);
                    let url = format!("ws://{address}/");
                    let (socket, _) = client.handshake(url, stream).await.expect("opened");
                    (socket, fails)
                };
                let (_peer, (mut socket, fails)) = tokio::join!(accepting, connecting);
                *fails.lock().expect("not poisoned") = Some(kind);
                let failed = match is_read {
                    true => socket.next().await.expect("an error").is_err(),
                    false => socket.send(Message::text("hello")).await.is_err(),
                };
                assert!(failed, "{kind}");
                drop(socket);
                let (_, session) = both(&reporter).await;
                let what = format!("{kind} {is_read}: {session:#?}");
                assert_eq!(session.tag_text("session.ending"), ending, "{what}");
                assert_eq!(session.tag_text("session.ended_by"), ended_by, "{what}");
                assert_eq!(session.tag_text("error"), "true", "{what}");
                assert_eq!(events(&session), ["error"], "{what}");
                let logged = log_field(&session, "error", "error.kind");
                let is_late = logged.as_deref() == Some("timeout");
                assert_eq!(is_late, kind == ErrorKind::TimedOut, "{what}");
            }
        }
    });
}

#[test]
fn a_server_that_resets_at_any_byte_of_its_answer_ends_the_span_once() {
    run(async {
        let (listener, address) = listener().await;
        let whole = answer("Sec-WebSocket-Key: any").len();
        for length in 0..whole {
            let (tracer, reporter) = recording_tracer();
            let accepting = async {
                let mut peer = Peer(listener.accept().await.expect("a connection").0);
                let head = peer.head().await;
                peer.send(&answer(&head).as_bytes()[..length]).await;
                peer.reset();
            };
            let client = WebSocketClient::new(tracer.clone());
            let connecting = client.connect(format!("ws://{address}/"));
            let ((), opened) = tokio::join!(accepting, connecting);
            assert!(opened.is_err(), "{length}");
            let span = one_span(&reporter).await;
            assert_eq!(span.tag_text("upgrade.completed"), "false", "{length}");
            assert_eq!(span.tag_text("error"), "true", "{length}");
            assert_eq!(events(&span), ["error"], "{length}");
            let count = |counter| tracer.metrics().get(counter);
            assert_eq!(count(Counter::StartedSpansSampled), 1, "{length}");
            assert_eq!(count(Counter::FinishedTwice), 0, "{length}");
        }
    });
}

#[test]
pub(in crate::middleware) fn a_handshake_of_a_client_ends_in_each_way() {
    let rows = [
        (Way::Done, "client; dropped"),
        (Way::Error, "client error=true error"),
        (Way::Cancel, "client cancelled"),
        // It has not begun.
        (Way::Drop, ""),
        (Way::Panic, "client error=true panic"),
        (Way::Timeout, "client error=true timeout"),
    ];
    check(rows, |way, tracer| {
        let client = WebSocketClient::new(tracer.clone());
        if way == Way::Done {
            return run(async {
                let (listener, address) = listener().await;
                let accepting = accepted(&listener);
                let connecting = client.connect(format!("ws://{address}/"));
                let (_peer, opened) = tokio::join!(accepting, connecting);
                drop(opened.expect("opened"));
            });
        }
        let opening = client.handshake("ws://shop/", Ends::new(way, &[]));
        let opened = drive(way, opening.map(|opened| opened.map(drop)));
        assert!(opened.is_none_or(|opened| opened.is_err()), "{way:?}");
    });
}
