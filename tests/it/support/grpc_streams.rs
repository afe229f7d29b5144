//! A gRPC service with a method of each kind, over loopback, whose spans tell the details of its calls.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Body as HttpBody;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codegen::tokio_stream::{Stream, StreamExt, iter, pending};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tower::{Service, ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::middleware::{ClientLayer, ClientService, GrpcDetails, ServerLayer};
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use crate::support::grpc::{Text, serve_by, status};
use crate::support::recording_tracer;
use crate::support::web::{Fed, of_kind, spans};

/// A kind of method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Unary,
    /// Messages, and one answer: how many there were.
    Collect,
    /// A message that comes back twice.
    Repeat,
    /// Each message comes back at once.
    Chat,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Unary, Self::Collect, Self::Repeat, Self::Chat];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Unary => "/test.Streams/Unary",
            Self::Collect => "/test.Streams/Collect",
            Self::Repeat => "/test.Streams/Repeat",
            Self::Chat => "/test.Streams/Chat",
        }
    }
}

/// The way in which a client ends a call.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// It reads all answers.
    End,
    /// It drops the call after so many answers.
    Answers(usize),
    /// It drops the call before the head of the response, when the handler has seen a message `hold`.
    Held,
}

/// Serves the methods. What a handler does depends on the message:
///
/// | message | answer |
/// |---|---|
/// | `hold` | none, and no end; `held` is told |
/// | `panic` | a panic |
/// | `fail 5 text` | status 5, `text` |
/// | `once` | `Repeat`: one answer, and no end |
pub(crate) fn service(
    held: mpsc::UnboundedSender<()>,
) -> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    service_fn(move |request: http::Request<Body>| {
        let held = held.clone();
        async move {
            let mut grpc = tonic::server::Grpc::new(Text);
            let path = request.uri().path();
            let kind = Kind::ALL.into_iter().find(|kind| kind.path() == path);
            Ok(match kind {
                Some(Kind::Unary) => {
                    let answer = |request: Request<String>| {
                        let held = held.clone();
                        async move {
                            let message = request.into_inner();
                            handle(&message, &held).await?;
                            Ok(Response::new(message))
                        }
                    };
                    grpc.unary(service_fn(answer), request).await
                }
                Some(Kind::Collect) => {
                    let answer = |request: Request<Streaming<String>>| {
                        let held = held.clone();
                        async move {
                            let mut messages = request.into_inner();
                            let mut count = 0;
                            while let Some(message) = messages.message().await? {
                                handle(&message, &held).await?;
                                count += 1;
                            }
                            Ok(Response::new(count.to_string()))
                        }
                    };
                    grpc.client_streaming(service_fn(answer), request).await
                }
                Some(Kind::Repeat) => {
                    let answer = |request: Request<String>| async {
                        let message = request.into_inner();
                        let answers = if message == "once" { 1 } else { 2 };
                        let messages = iter(vec![Ok(message.clone()); answers]);
                        let rest = iter((message == "once").then(|| Ok("hold".to_owned())));
                        let messages = messages.chain(rest);
                        Ok(Response::new(Answers::new(messages, &held)))
                    };
                    grpc.server_streaming(service_fn(answer), request).await
                }
                Some(Kind::Chat) => {
                    let answer = |request: Request<Streaming<String>>| async {
                        let messages = request.into_inner();
                        Ok(Response::new(Answers::new(messages, &held)))
                    };
                    grpc.streaming(service_fn(answer), request).await
                }
                None => Status::unimplemented("no such method").into_http(),
            })
        }
    })
}

async fn handle(message: &str, held: &mpsc::UnboundedSender<()>) -> Result<(), Status> {
    if message == "hold" {
        let _ = held.send(());
        std::future::pending::<()>().await;
    }
    judge(message)
}

fn judge(message: &str) -> Result<(), Status> {
    assert_ne!(message, "panic", "in the handler");
    match status(message) {
        Some((_, status)) => Err(status),
        None => Ok(()),
    }
}

/// Sends messages back, in the body of the response.
struct Answers<S> {
    messages: S,
    held: mpsc::UnboundedSender<()>,
    is_held: bool,
}

impl<S> Answers<S> {
    fn new(messages: S, held: &mpsc::UnboundedSender<()>) -> Self {
        let held = held.clone();
        let is_held = false;
        Self {
            messages,
            held,
            is_held,
        }
    }
}

impl<S: Stream<Item = Result<String, Status>> + Unpin> Stream for Answers<S> {
    type Item = Result<String, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.is_held {
            return Poll::Pending;
        }
        let poll = Pin::new(&mut self.messages).poll_next(cx);
        if let Poll::Ready(Some(Ok(message))) = &poll {
            if message == "hold" {
                self.is_held = true;
                let _ = self.held.send(());
                return Poll::Pending;
            }
            if let Err(status) = judge(message) {
                return Poll::Ready(Some(Err(status)));
            }
        }
        poll
    }
}

/// A client and a server with details.
pub(crate) struct World {
    pub(crate) tracer: JaegerTracer,
    pub(crate) reporter: InMemoryReporter,
    details: GrpcDetails,
    channel: Channel,
    held: mpsc::UnboundedReceiver<()>,
}

impl World {
    pub(crate) async fn new(details: GrpcDetails) -> Self {
        Self::with(Server::builder(), details).await
    }

    pub(crate) async fn with(server: Server, details: GrpcDetails) -> Self {
        let (tracer, reporter) = recording_tracer();
        let (held, is_held) = mpsc::unbounded_channel();
        let layer = ServerLayer::new(tracer.clone()).grpc(details);
        let address = serve_by(server, layer, service(held)).await;
        // Connected before the first call, whose deadline would otherwise begin earlier on the client.
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let channel = endpoint.expect("a URI").connect().await;
        Self {
            tracer,
            reporter,
            details,
            channel: channel.expect("a connection"),
            held: is_held,
        }
    }

    pub(crate) fn client(&self) -> ClientService<Channel> {
        ClientLayer::new(self.tracer.clone())
            .grpc(self.details)
            .wrap(self.channel.clone())
    }

    /// Calls a method with messages, and ends as `until` says. The request stays open unless the call goes to its end.
    pub(crate) async fn call(
        &mut self,
        kind: Kind,
        messages: &[&'static str],
        until: Until,
    ) -> Result<usize, Status> {
        let request = Request::new(messages.to_vec());
        self.call_with(kind, request, until).await
    }

    /// Like `call`, for a request with metadata.
    pub(crate) async fn call_with(
        &mut self,
        kind: Kind,
        request: Request<Vec<&'static str>>,
        until: Until,
    ) -> Result<usize, Status> {
        let client = self.client();
        let call = answers(client, kind, request, until);
        match until {
            Until::Held => tokio::select! {
                result = call => result,
                held = self.held.recv() => {
                    held.expect("the server runs");
                    Ok(0)
                }
            },
            _ => call.await,
        }
    }

    /// Calls a method with a body that the test feeds by hand, and returns the answer.
    pub(crate) async fn call_raw(&self, kind: Kind, body: Fed) -> http::Response<impl HttpBody> {
        let request = http::Request::post(kind.path())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Body::new(body));
        let call = self.client().oneshot(request.expect("a request"));
        call.await.expect("an answer")
    }

    /// Returns the spans of client and server, each finished once.
    pub(crate) async fn both(&self) -> (OwnedSpan, OwnedSpan) {
        let spans = spans(&self.reporter, 2).await;
        let finished_twice = tracehound::metrics::Counter::FinishedTwice;
        assert_eq!(self.tracer.metrics().get(finished_twice), 0);
        let (client, server) = (of_kind(&spans, "client"), of_kind(&spans, "server"));
        (client.clone(), server.clone())
    }
}

/// Makes a call and returns how many answers came.
async fn answers(
    service: ClientService<Channel>,
    kind: Kind,
    request: Request<Vec<&'static str>>,
    until: Until,
) -> Result<usize, Status> {
    let mut client = tonic::client::Grpc::new(service);
    client.ready().await.expect("ready");
    let path = http::uri::PathAndQuery::from_static(kind.path());
    let (metadata, extensions, messages) = request.into_parts();
    let mut streaming = match kind {
        Kind::Unary => {
            let request = Request::from_parts(metadata, extensions, messages.concat());
            return client.unary(request, path, Text).await.map(|_| 1);
        }
        Kind::Repeat => {
            let request = Request::from_parts(metadata, extensions, messages.concat());
            client.server_streaming(request, path, Text).await?
        }
        Kind::Collect | Kind::Chat => {
            let messages = iter(messages).map(str::to_owned);
            let open = matches!(until, Until::Answers(_) | Until::Held);
            let messages: Pin<Box<dyn Stream<Item = String> + Send>> = match open {
                true => Box::pin(messages.chain(pending())),
                false => Box::pin(messages),
            };
            let request = Request::from_parts(metadata, extensions, messages);
            if kind == Kind::Collect {
                let call = client.client_streaming(request, path, Text);
                return call.await.map(|_| 1);
            }
            client.streaming(request, path, Text).await?
        }
    }
    .into_inner();
    let mut count = 0;
    while !matches!(until, Until::Answers(most) if most == count) {
        match streaming.message().await? {
            Some(_) => count += 1,
            None => break,
        }
    }
    Ok(count)
}

/// Returns a message with its prefix.
pub(crate) fn frame(message: &str) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a short message");
    let mut frame = vec![0];
    frame.extend(length.to_be_bytes());
    frame.extend(message.bytes());
    frame
}
