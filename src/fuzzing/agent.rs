//! The embedded agent without sockets.

use std::collections::VecDeque;
use std::future::{IntoFuture, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::{fmt, io, mem};

use axum::Router;
use axum::body::Body;
use axum::serve::Listener;
use http::{Request, Response, header};
use http_body::Body as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tower_service::Service;

use crate::clock::instant_now;
use crate::decode::ReceivedBatch;
use crate::dev::DevTotals;
use crate::dev::server::http::Routers;
use crate::dev::server::peer::Identity;
use crate::dev::server::state::ServerState;
use crate::dev::store::{StoreLimits, TraceStore};
use crate::dev::strategies::{AdaptiveStrategies, ServedStrategies};
use crate::fuzzing::Received;
use crate::reporter::sender::BatchFormat;

/// An embedded agent that answers requests as they are given to it.
pub struct Agent {
    state: Arc<ServerState>,
    routers: Routers,
}

/// A port of the agent, by its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "only fuzz targets see it")]
pub enum Port {
    /// Takes spans by HTTP: as a collector of Jaeger, as one of OTLP, and as Zipkin.
    Collector,
    /// Takes spans by gRPC.
    Grpc,
    /// Answers with sampling strategies.
    Sampling,
    /// Serves the viewer, Jaeger's query API and the tools of language models.
    Viewer,
}

impl Agent {
    /// Returns an agent that keeps at most this number of traces, and of bytes of spans. Its sampling is adaptive.
    pub fn new(traces: usize, bytes: usize) -> Self {
        let address = ([127, 0, 0, 1], 1).into();
        let strategies = AdaptiveStrategies::new(1.0, Duration::from_secs(60), instant_now());
        let strategies = Some(Arc::new(ServedStrategies::Adaptive(strategies)));
        let store = TraceStore::new(StoreLimits { traces, bytes });
        let state = ServerState::new(store, None, strategies.clone(), address, address);
        let state = Arc::new(state);
        let routers = Routers::new(&state, strategies, Identity::new(address, None));
        Self { state, routers }
    }

    /// Stores spans as if they had come.
    pub fn insert(&self, received: Received) {
        self.state.insert([ReceivedBatch {
            format: BatchFormat::Compact,
            process: received.process,
            spans: received.spans,
            left_out: 0,
            sequence_number: received.seq_no,
            losses: None,
        }]);
    }

    /// Drops all traces. The totals stay.
    pub fn clear(&self) {
        self.state.clear();
    }

    /// Returns the counters.
    pub fn totals(&self) -> DevTotals {
        self.state.look(TraceStore::totals)
    }

    /// Answers a request. Trailers stand among the headers. The body of an answer that never ends is left out.
    pub fn ask(&self, port: Port, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let mut router = self.router(port);
        runtime().block_on(async {
            let answer = match router.call(request.map(Body::from)).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            whole(answer).await
        })
    }

    /// Serves a connection on which these bytes come in pieces of one size, and then its end. Returns the answer's
    /// bytes.
    ///
    /// # Panics
    ///
    /// If the server does not end the connection.
    pub fn serve(&self, port: Port, bytes: Vec<u8>, at_a_time: usize) -> Vec<u8> {
        let (answered, answer) = oneshot::channel();
        let connection = Connection {
            input: bytes.into(),
            at_a_time: at_a_time.max(1),
            output: Vec::new(),
            answered: Some(answered),
        };
        let server = axum::serve(Once(Some(connection)), self.router(port));
        runtime().block_on(async {
            tokio::spawn(server.into_future());
            let answer = timeout(PATIENCE, answer).await;
            let answer = answer.expect("the connection has ended");
            answer.expect("it tells at its end")
        })
    }

    fn router(&self, port: Port) -> Router {
        match port {
            Port::Collector => self.routers.ingest.clone(),
            Port::Grpc => self.routers.grpc.clone(),
            Port::Sampling => self.routers.sampling.clone(),
            Port::Viewer => self.routers.query.clone(),
        }
    }
}

/// Returns a runtime. What an answer leaves behind in it ends with it.
fn runtime() -> Runtime {
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("no part of the system is asked")
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").finish_non_exhaustive()
    }
}

async fn whole(answer: Response<Body>) -> Response<Vec<u8>> {
    let (mut head, mut body) = answer.into_parts();
    let media_type = head.headers.get(header::CONTENT_TYPE);
    let is_endless = media_type.is_some_and(|text| text.as_bytes() == b"text/event-stream");
    let mut bytes = Vec::new();
    while !is_endless {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(Ok(frame)) = frame else { break };
        match frame.into_data() {
            Ok(data) => bytes.extend_from_slice(&data),
            Err(frame) => head
                .headers
                .extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Response::from_parts(head, bytes)
}

/// A listener to which one connection comes.
struct Once(Option<Connection>);

impl Listener for Once {
    type Io = Connection;
    type Addr = ();

    async fn accept(&mut self) -> (Connection, ()) {
        match self.0.take() {
            Some(connection) => (connection, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection whose other end has sent everything and reads everything.
struct Connection {
    input: VecDeque<u8>,
    at_a_time: usize,
    output: Vec<u8>,
    answered: Option<oneshot::Sender<Vec<u8>>>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.at_a_time.min(buffer.remaining()).min(self.input.len());
        let bytes: Vec<u8> = self.input.drain(..count).collect();
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.output.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(answered) = self.answered.take() {
            let _ = answered.send(mem::take(&mut self.output));
        }
    }
}

/// A connection that has come to its end is closed at once.
const PATIENCE: Duration = Duration::from_secs(5);
