//! A gRPC service of text messages, over loopback, without generated code.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, BufMut};
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream::Stream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::{Service, service_fn};
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, ClientService, ServerLayer};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use crate::support::recording_tracer;
use crate::support::web::{listener, of_kind, spans};

pub(crate) const UNARY: &str = "/test.Echo/Unary";
pub(crate) const STREAM: &str = "/test.Echo/Stream";

/// A service `test.Echo`. The message chooses the answer:
///
/// | message | `Unary` | `Stream` |
/// |---|---|---|
/// | `pending` | | one message, and no end |
/// | `panic` | a panic | a panic |
/// | `early 5 text` | status 5, `text` | status 5, `text` |
/// | `late 5 text` | | one message, then status 5, `text` |
/// | another | the message | the message, twice |
pub(crate) async fn serve(layer: ServerLayer) -> SocketAddr {
    serve_by(Server::builder(), layer, service_fn(echo)).await
}

/// Serves a service, with settings for the server.
pub(crate) async fn serve_by<S>(server: Server, layer: ServerLayer, service: S) -> SocketAddr
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send,
{
    let (listener, address) = listener().await;
    let server = server
        .layer(layer)
        .serve_with_incoming(service, TcpIncoming::from(listener));
    tokio::spawn(server);
    address
}

/// Takes the message of a call of `Unary`, reports that it came, and never answers.
pub(crate) fn silent(
    started: mpsc::UnboundedSender<()>,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    service_fn(move |request| {
        let started = started.clone();
        async move {
            let handler = service_fn(|_: Request<String>| {
                let _ = started.send(());
                std::future::pending::<Result<Response<String>, Status>>()
            });
            Ok(tonic::server::Grpc::new(Text).unary(handler, request).await)
        }
    })
}

pub(crate) fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .expect("a URI")
        .connect_lazy()
}

/// Calls `Unary`.
pub(crate) async fn unary<S>(service: S, request: Request<String>) -> Result<String, Status>
where
    S: GrpcService<Body, ResponseBody: Send + 'static, Error: std::fmt::Debug>,
    <S::ResponseBody as http_body::Body>::Error: Into<tower::BoxError>,
{
    let mut client = tonic::client::Grpc::new(service);
    client.ready().await.expect("ready");
    let path = UNARY.parse().expect("a path");
    let response = client.unary(request, path, Text).await?;
    Ok(response.into_inner())
}

/// Calls `Stream`.
pub(crate) async fn stream<S>(
    service: S,
    request: Request<String>,
) -> Result<Streaming<String>, Status>
where
    S: GrpcService<Body, ResponseBody: Send + 'static, Error: std::fmt::Debug>,
    <S::ResponseBody as http_body::Body>::Error: Into<tower::BoxError>,
{
    let mut client = tonic::client::Grpc::new(service);
    client.ready().await.expect("ready");
    let path = STREAM.parse().expect("a path");
    let response = client.server_streaming(request, path, Text).await?;
    Ok(response.into_inner())
}

async fn echo(request: http::Request<Body>) -> Result<http::Response<Body>, Infallible> {
    let mut grpc = tonic::server::Grpc::new(Text);
    Ok(match request.uri().path() {
        UNARY => grpc.unary(service_fn(answer), request).await,
        STREAM => grpc.server_streaming(service_fn(answers), request).await,
        _ => Status::unimplemented("no such method").into_http(),
    })
}

async fn answer(request: Request<String>) -> Result<Response<String>, Status> {
    let message = request.into_inner();
    match status(&message) {
        Some((_, status)) => Err(status),
        None if message == "panic" => panic!("in the handler"),
        None => Ok(Response::new(message)),
    }
}

async fn answers(request: Request<String>) -> Result<Response<Messages>, Status> {
    let message = request.into_inner();
    let (sender, receiver) = mpsc::unbounded_channel();
    let send = |message| sender.send(message).expect("there is a receiver");
    match status(&message) {
        Some(("early", status)) => return Err(status),
        Some((_, status)) => {
            send(Ok(message));
            send(Err(status));
        }
        None if message == "panic" => panic!("in the handler"),
        None if message == "pending" => {
            send(Ok(message));
            tokio::spawn(async move { sender.closed().await });
        }
        None => {
            send(Ok(message.clone()));
            send(Ok(message));
        }
    }
    Ok(Response::new(Messages(receiver)))
}

/// Returns the first word of a message and the status behind it, if there is one.
pub(crate) fn status(message: &str) -> Option<(&str, Status)> {
    let mut words = message.splitn(3, ' ');
    let when = words.next()?;
    let code = words.next()?.parse::<i32>().ok()?;
    let text = words.next().unwrap_or_default();
    Some((when, Status::new(Code::from(code), text)))
}

struct Messages(mpsc::UnboundedReceiver<Result<String, Status>>);

impl Stream for Messages {
    type Item = Result<String, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx)
    }
}

/// A codec whose messages are text.
#[derive(Clone, Copy)]
pub(crate) struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, message: String, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let mut message = vec![0; bytes.remaining()];
        bytes.copy_to_slice(&mut message);
        let message = String::from_utf8(message);
        message.map(Some).map_err(|_| Status::internal("not text"))
    }
}

/// A tracer on both sides of `test.Echo`.
pub(crate) struct World {
    pub(crate) tracer: JaegerTracer,
    pub(crate) reporter: InMemoryReporter,
    pub(crate) address: SocketAddr,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (tracer, reporter) = recording_tracer();
        let address = serve(ServerLayer::new(tracer.clone())).await;
        Self {
            tracer,
            reporter,
            address,
        }
    }

    pub(crate) fn client(&self) -> ClientService<Channel> {
        ClientLayer::new(self.tracer.clone()).wrap(channel(self.address))
    }

    /// Returns the spans of client and server, each finished once.
    pub(crate) async fn both(&self) -> (OwnedSpan, OwnedSpan) {
        let spans = spans(&self.reporter, 2).await;
        assert_eq!(self.tracer.metrics().get(Counter::FinishedTwice), 0);
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        (client.clone(), server.clone())
    }
}

/// Returns the code, the class and the error tag.
pub(crate) fn outcome(span: &OwnedSpan) -> [String; 3] {
    ["response_code", "response_class", "error"].map(|key| span.tag_text(key).into_owned())
}

pub(crate) fn message(text: &str) -> Request<String> {
    Request::new(text.to_owned())
}
