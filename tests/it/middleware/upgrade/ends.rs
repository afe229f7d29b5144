//! Sessions of servers, and of a client of hyper, that end in each way.

use std::future::pending;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, Request};
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tower::{Service as _, service_fn};
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, ServerLayer, SessionSpan, Sessions};

use super::{Upgraded, pong_request, serve_hyper};
use crate::middleware::ways::{Way, check};
use crate::support::web::{client, listener, run, serve, until};
use crate::support::websocket::{CLOSE, Peer, TEXT, close, frame};

/// The spans of a session and of its request. The program gives up by itself what takes too long.
const ROWS: [(Way, &str); 6] = [
    (Way::Done, "closed; server"),
    (Way::Error, "error=true reset; server"),
    (Way::Cancel, "aborted; server"),
    (Way::Drop, "dropped; server"),
    (Way::Panic, "error=true panic; server"),
    (Way::Timeout, "dropped; server"),
];

/// A time after which a peer that is silent is given up.
const SOON: Duration = Duration::from_millis(1);

/// Runs the work of a session, or drops it while it waits.
async fn run_in(session: SessionSpan, way: Way, work: impl Future<Output = ()>) {
    let work = session.run(work);
    match way {
        Way::Cancel => assert!(work.now_or_never().is_none()),
        _ => work.await,
    }
}

/// Waits for the ends of the session and of its request.
async fn both_end(tracer: &JaegerTracer) {
    let ended = || tracer.metrics().get(Counter::FinishedSpansSampled);
    until("the end of both spans", || (ended() == 2).then_some(())).await;
}

/// Waits for the greeting, if there is one, and ends as the peer does in a way.
async fn listen_and_end(mut peer: Peer, way: Way) {
    if way != Way::Cancel {
        let mut greeting = [0; 5];
        peer.0.read_exact(&mut greeting).await.expect("a greeting");
    }
    match way {
        Way::Error => peer.reset(),
        Way::Done => {
            peer.0.shutdown().await.expect("shut down");
            peer.end().await;
        }
        _ => peer.end().await,
    }
}

/// Greets, and then ends the work on a WebSocket in a way. Of the first two ways, the peer decides.
async fn chat(way: Way, mut socket: WebSocket) {
    let greeted = socket.send(Message::text("hello")).await;
    greeted.expect("the peer is there");
    match way {
        Way::Done | Way::Error => while let Some(Ok(_)) = socket.recv().await {},
        Way::Cancel => {
            pending::<()>().await;
            drop(socket);
        }
        Way::Drop => drop(socket),
        Way::Panic => panic!("planned: {:?}", socket.protocol()),
        Way::Timeout => {
            let next = timeout(SOON, socket.recv()).await;
            assert!(next.is_err(), "nobody speaks");
        }
    }
}

#[test]
pub(in crate::middleware) fn a_websocket_of_axum_ends_in_each_way() {
    check(ROWS, |way, tracer| {
        run(async {
            let upgrade = async move |upgrade: WebSocketUpgrade, session: SessionSpan| {
                upgrade.on_upgrade(move |socket| run_in(session, way, chat(way, socket)))
            };
            let layer = ServerLayer::new(tracer.clone()).sessions(Sessions::new());
            let address = serve(Router::new().route("/", any(upgrade)).layer(layer)).await;
            let mut peer = Peer::upgraded(address, "/").await;
            if way != Way::Cancel {
                assert_eq!(peer.frame().await, (TEXT, b"hello".to_vec()));
            }
            match way {
                Way::Done => {
                    peer.send(&frame(CLOSE, &close(1000, ""), true)).await;
                    peer.end().await;
                }
                Way::Error => peer.reset(),
                _ => peer.end().await,
            }
            both_end(tracer).await;
        });
    });
}

/// Greets, and then ends the work on a connection in a way. Of the first two ways, the peer decides.
async fn pong(way: Way, mut io: Upgraded) {
    io.write_all(b"hello").await.expect("the peer is there");
    let mut rest = Vec::new();
    match way {
        Way::Done | Way::Error => {
            let read = io.read_to_end(&mut rest).await;
            assert_eq!(read.is_ok(), way == Way::Done, "{read:?}");
        }
        Way::Cancel => {
            pending::<()>().await;
            drop(io);
        }
        Way::Drop => drop(io),
        Way::Panic => panic!("planned: {io:?}"),
        Way::Timeout => {
            let read = timeout(SOON, io.read_to_end(&mut rest)).await;
            assert!(read.is_err(), "nobody speaks");
        }
    }
}

#[test]
pub(in crate::middleware) fn an_upgrade_of_hyper_ends_in_each_way() {
    check(ROWS, |way, tracer| {
        run(async {
            let work = move |io, session| run_in(session, way, pong(way, io));
            let address = serve_hyper(tracer, Sessions::new(), work).await;
            let mut peer = Peer::connect(address).await;
            let request =
                "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: pong\r\n\r\n";
            peer.send(request.as_bytes()).await;
            let head = peer.head().await;
            assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
            listen_and_end(peer, way).await;
            both_end(tracer).await;
        });
    });
}

#[test]
pub(in crate::middleware) fn an_upgrade_of_a_client_of_hyper_ends_in_each_way() {
    let rows = [
        (Way::Done, "client; closed"),
        (Way::Error, "client; error=true reset"),
        (Way::Cancel, "aborted; client"),
        (Way::Drop, "client; dropped"),
        (Way::Panic, "client; error=true panic"),
        (Way::Timeout, "client; dropped"),
    ];
    check(rows, |way, tracer| {
        run(async {
            let (listener, address) = listener().await;
            let server = async {
                let mut peer = Peer(listener.accept().await.expect("a connection").0);
                peer.head().await;
                let head = "HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: pong\r\n\r\n";
                peer.send(head.as_bytes()).await;
                listen_and_end(peer, way).await;
            };
            let layer = ClientLayer::new(tracer.clone()).sessions(Sessions::new());
            let mut client = layer.wrap(client());
            let talk = async {
                let answer = client.call(pong_request(address)).await;
                let mut answer = answer.expect("an answer");
                let session = answer.extensions().get::<SessionSpan>().cloned();
                let io = hyper::upgrade::on(&mut answer).await.expect("upgraded");
                let work = pong(way, TokioIo::new(io));
                run_in(session.expect("an upgrade"), way, work).await;
            };
            let talk = AssertUnwindSafe(talk).catch_unwind();
            let ((), ended) = tokio::join!(server, talk);
            assert_eq!(ended.is_err(), way == Way::Panic);
            both_end(tracer).await;
        });
    });
}

type Sender = http2::SendRequest<Empty<Bytes>>;

/// The tasks of a connection, which reset it if they are aborted.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<AbortHandle>>>);

impl<F: Future<Output: Send + 'static> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, future: F) {
        let task = tokio::spawn(future).abort_handle();
        self.0.lock().expect("not poisoned").push(task);
    }
}

impl Tasks {
    fn abort(&self) {
        let tasks = self.0.lock().expect("not poisoned");
        tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Connects by HTTP/2.
async fn connect(address: SocketAddr) -> (Sender, Tasks) {
    let stream = TcpStream::connect(address).await.expect("connected");
    stream.set_zero_linger().expect("set");
    let tasks = Tasks::default();
    let handshake = http2::handshake(tasks.clone(), TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.expect("HTTP/2");
    tasks.execute(connection);
    sender.ready().await.expect("ready");
    (sender, tasks)
}

/// Returns the request of an extended CONNECT for the protocol `pong`.
fn extended_connect(address: SocketAddr) -> Request<Empty<Bytes>> {
    Request::builder()
        .method(Method::CONNECT)
        .uri(format!("http://{address}/pong"))
        .extension(hyper::ext::Protocol::from_static("pong"))
        .body(Empty::new())
        .expect("a request")
}

#[test]
pub(in crate::middleware) fn an_extended_connect_over_http2_ends_in_each_way() {
    check(ROWS, |way, tracer| {
        run(async {
            let work = move |io, session| run_in(session, way, pong(way, io));
            let address = serve_hyper(tracer, Sessions::new(), work).await;
            let (mut sender, tasks) = connect(address).await;
            let answer = sender.send_request(extended_connect(address)).await;
            let answer = answer.expect("an answer");
            assert_eq!(answer.status(), 200);
            let upgraded = hyper::upgrade::on(answer).await.expect("upgraded");
            let mut io = TokioIo::new(upgraded);
            if matches!(way, Way::Done | Way::Error) {
                let mut greeting = [0; 5];
                io.read_exact(&mut greeting).await.expect("a greeting");
            }
            match way {
                Way::Done => io.shutdown().await.expect("shut down"),
                Way::Error => tasks.abort(),
                _ => {}
            }
            both_end(tracer).await;
            drop(io);
        });
    });
}

#[test]
pub(in crate::middleware) fn an_extended_connect_of_a_client_ends_in_each_way() {
    // The other end shares a process with this one, and does not reset it.
    let rows = [
        (Way::Done, "client; closed"),
        (Way::Cancel, "aborted; client"),
        (Way::Drop, "client; dropped"),
        (Way::Panic, "client; error=true panic"),
        (Way::Timeout, "client; dropped"),
    ];
    check(rows, |way, tracer| {
        run(async {
            let off = JaegerTracer::disabled();
            let peer = move |mut io: Upgraded, _| async move {
                io.write_all(b"hello").await.expect("the client is there");
                if way == Way::Done {
                    io.shutdown().await.expect("shut down");
                }
                let _ = io.read_to_end(&mut Vec::new()).await;
            };
            let address = serve_hyper(&off, Sessions::new(), peer).await;
            let (sender, _tasks) = connect(address).await;
            let layer = ClientLayer::new(tracer.clone()).sessions(Sessions::new());
            let mut client = layer.wrap(service_fn(move |request| {
                let mut sender = sender.clone();
                async move { sender.send_request(request).await }
            }));
            let talk = async {
                let answer = client.call(extended_connect(address)).await;
                let mut answer = answer.expect("an answer");
                let session = answer.extensions().get::<SessionSpan>().cloned();
                let io = hyper::upgrade::on(&mut answer).await.expect("upgraded");
                let work = pong(way, TokioIo::new(io));
                run_in(session.expect("an upgrade"), way, work).await;
            };
            let ended = AssertUnwindSafe(talk).catch_unwind().await;
            assert_eq!(ended.is_err(), way == Way::Panic);
            both_end(tracer).await;
        });
    });
}
