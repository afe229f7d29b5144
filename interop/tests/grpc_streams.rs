//! gRPC streams between our layers on tonic and the published Python package of gRPC: both count the same messages.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    error::Error,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::Stdio,
    time::Duration,
};

use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::{
        Service,
        tokio_stream::{Iter, iter},
    },
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::service_fn;
use tracehound::{
    JaegerTracer,
    middleware::{ClientLayer, ClientService, GrpcDetails, ServerLayer},
    reporter::{InMemoryReporter, OwnedSpan},
    sampler::ConstSampler,
};
use tracehound_interop::{crossdock::PYTHON_GRPC_STREAMS, poll};

/// The messages that a client has sent and received, by method.
type Counts = BTreeMap<String, [u64; 2]>;

#[test]
fn our_server_counts_what_a_python_client_sends_and_receives() -> Result<(), Box<dyn Error>> {
    if !PYTHON_GRPC_STREAMS.is_there_or_skipped()? {
        return Ok(());
    }
    let (tracer, reporter) = tracer()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let address = runtime.block_on(serve(&tracer))?;
    let mut python = PYTHON_GRPC_STREAMS.command()?;
    python.args(["call", &address.port().to_string()]);
    let output = python.stderr(Stdio::inherit()).output()?;
    assert!(output.status.success());
    let theirs: Counts = serde_json::from_slice(&output.stdout)?;
    let [sent, received] = ["grpc.messages_received", "grpc.messages_sent"];
    let ours = counts(&reporter, sent, received)?;
    assert_eq!(ours, theirs);
    assert_eq!(ours, expected());
    Ok(())
}

#[test]
fn our_client_counts_what_it_sends_to_a_python_server_and_receives() -> Result<(), Box<dyn Error>> {
    if !PYTHON_GRPC_STREAMS.is_there_or_skipped()? {
        return Ok(());
    }
    let (tracer, reporter) = tracer()?;
    let mut python = PYTHON_GRPC_STREAMS.command()?;
    let mut python = python
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut port = String::new();
    let said = python.stdout.take().ok_or("no standard output")?;
    BufReader::new(said).read_line(&mut port)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let called = runtime.block_on(call(&tracer, port.trim().parse()?));
    // The end of its input ends the server.
    drop(python.stdin.take());
    python.wait()?;
    let answered = called?;
    let [sent, received] = ["grpc.messages_sent", "grpc.messages_received"];
    let counted = counts(&reporter, sent, received)?;
    assert_eq!(counted, answered);
    assert_eq!(counted, expected());
    Ok(())
}

/// Returns what each client does.
fn expected() -> Counts {
    let rows = [
        ("Unary", [1, 1]),
        ("Collect", [50, 1]),
        ("Repeat", [1, 70]),
        ("Chat", [50, 50]),
    ];
    rows.map(|(method, counts)| (method.to_owned(), counts))
        .into()
}

fn tracer() -> Result<(JaegerTracer, InMemoryReporter), Box<dyn Error>> {
    let reporter = InMemoryReporter::new();
    let tracer = JaegerTracer::builder("streams")
        .sampler(ConstSampler::new(true))
        .reporter(reporter.clone())
        .build()?;
    Ok((tracer, reporter))
}

/// Waits for the span of each method, and returns what they count.
fn counts(reporter: &InMemoryReporter, sent: &str, received: &str) -> Result<Counts, String> {
    let methods = expected().len();
    let spans = poll(Duration::from_secs(20), Duration::from_millis(10), || {
        let spans = reporter.spans();
        match spans.len() < methods {
            true => Err(format!("{} spans", spans.len())),
            false => Ok(spans),
        }
    })?;
    let count = |span: &OwnedSpan, key| span.tag_text(key).parse::<u64>();
    let of = |span: &OwnedSpan| {
        let method = span.operation_name.rsplit('/').next().unwrap_or_default();
        let counts = [count(span, sent), count(span, received)];
        match counts {
            [Ok(sent), Ok(received)] => Ok((method.to_owned(), [sent, received])),
            _ => Err(format!("no counts: {span:#?}")),
        }
    };
    spans.iter().map(of).collect()
}

/// Calls each method of a server, and returns how many messages went and came.
async fn call(tracer: &JaegerTracer, port: u16) -> Result<Counts, Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?
        .connect()
        .await?;
    let layer = ClientLayer::new(tracer.clone()).grpc(GrpcDetails::new());
    let mut client = tonic::client::Grpc::new(layer.wrap(channel));
    let texts = || iter((0..50).map(|n: usize| n.to_string().repeat(n + 1)));
    let mut counts = Counts::new();

    ready(&mut client).await?;
    let unary = client.unary(request("one"), path("Unary"), Text);
    unary.await?;
    counts.insert("Unary".to_owned(), [1, 1]);

    ready(&mut client).await?;
    let collect = client.client_streaming(Request::new(texts()), path("Collect"), Text);
    assert_eq!(collect.await?.into_inner(), "50");
    counts.insert("Collect".to_owned(), [50, 1]);

    ready(&mut client).await?;
    let repeat = client.server_streaming(request("70"), path("Repeat"), Text);
    let answers = drain(repeat.await?.into_inner()).await?;
    counts.insert("Repeat".to_owned(), [1, answers]);

    ready(&mut client).await?;
    let chat = client.streaming(Request::new(texts()), path("Chat"), Text);
    let answers = drain(chat.await?.into_inner()).await?;
    counts.insert("Chat".to_owned(), [50, answers]);
    Ok(counts)
}

async fn ready(client: &mut tonic::client::Grpc<ClientService<Channel>>) -> Result<(), Status> {
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))
}

fn request(text: &str) -> Request<String> {
    Request::new(text.to_owned())
}

fn path(method: &str) -> PathAndQuery {
    format!("/streams.Streams/{method}")
        .parse()
        .expect("a path")
}

async fn drain(mut answers: Streaming<String>) -> Result<u64, Status> {
    let mut count = 0;
    while answers.message().await?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// Serves the methods that the Python program has, too.
async fn serve(tracer: &JaegerTracer) -> Result<SocketAddr, Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let server = Server::builder()
        .layer(ServerLayer::new(tracer.clone()).grpc(GrpcDetails::new()))
        .serve_with_incoming(service(), TcpIncoming::from(listener));
    tokio::spawn(server);
    Ok(address)
}

fn service()
-> impl Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    service_fn(|request: http::Request<Body>| async move {
        let mut grpc = tonic::server::Grpc::new(Text);
        let path = request.uri().path().to_owned();
        Ok(match path.rsplit('/').next() {
            Some("Unary") => grpc.unary(service_fn(unary), request).await,
            Some("Collect") => grpc.client_streaming(service_fn(collect), request).await,
            Some("Repeat") => grpc.server_streaming(service_fn(repeat), request).await,
            Some("Chat") => grpc.streaming(service_fn(chat), request).await,
            _ => Status::unimplemented("no such method").into_http(),
        })
    })
}

async fn unary(request: Request<String>) -> Result<Response<String>, Status> {
    Ok(Response::new(request.into_inner()))
}

async fn collect(request: Request<Streaming<String>>) -> Result<Response<String>, Status> {
    let count = drain(request.into_inner()).await?;
    Ok(Response::new(count.to_string()))
}

async fn repeat(
    request: Request<String>,
) -> Result<Response<Iter<std::vec::IntoIter<Result<String, Status>>>>, Status> {
    let times = request.into_inner().parse();
    let times = times.map_err(|_| Status::invalid_argument("no number"))?;
    let answers: Vec<_> = (0..times).map(|_: usize| Ok("again".to_owned())).collect();
    Ok(Response::new(iter(answers)))
}

async fn chat(request: Request<Streaming<String>>) -> Result<Response<Streaming<String>>, Status> {
    Ok(Response::new(request.into_inner()))
}

/// A codec whose messages are text.
#[derive(Clone, Copy)]
struct Text;

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

    fn encode(&mut self, text: String, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = bytes.copy_to_bytes(bytes.remaining());
        let text = String::from_utf8(bytes.into());
        text.map(Some).map_err(|_| Status::internal("not text"))
    }
}
