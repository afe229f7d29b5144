//! A collector of spans over gRPC, on loopback, that does as a test says.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::codegen::http;
use tonic::transport::Server;
use tonic::transport::server::{TcpConnectInfo, TcpIncoming};
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::jaeger_proto::PostSpansRequest;

/// A collector's treatment of a call.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Accept,
    /// Takes all spans but this many, for this reason.
    Partial(i64, String),
    Refuse(Code, &'static str),
    /// Refuses as `ResourceExhausted`, and asks for a pause of so many milliseconds.
    AskForPause(u32),
    /// Never answers.
    Hang,
}

/// A call that was read.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    /// The client's end of the connection.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) service: String,
    pub(crate) spans: usize,
    pub(crate) bytes: usize,
}

type Script = Arc<dyn Fn(usize) -> Act + Send + Sync>;

/// The answer of a Jaeger collector.
#[derive(Clone, Copy, PartialEq, Message)]
struct PostSpansResponse {}

/// A collector that ends, and closes its connections, when this is dropped.
pub(crate) struct GrpcCollector {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Call>>>,
    runtime: Option<Runtime>,
}

impl GrpcCollector {
    pub(crate) fn start(act: Act) -> Self {
        Self::by(move |_| act.clone())
    }

    /// Starts one that does with the call `n` as `script` says.
    pub(crate) fn by(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        Self::start_on(Server::builder(), (Ipv4Addr::LOCALHOST, 0).into(), script)
    }

    pub(crate) fn start_on(
        server: Server,
        address: SocketAddr,
        script: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Script, _) = (Arc::new(script), calls.clone());
        let service = service_fn(move |request: http::Request<Body>| {
            let (script, log) = (script.clone(), log.clone());
            async move { Ok::<_, Infallible>(serve(request, script, log).await) }
        });
        runtime.spawn(server.serve_with_incoming(service, TcpIncoming::from(listener)));
        Self {
            address,
            calls,
            runtime: Some(runtime),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the calls that were read.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn spans(&self) -> usize {
        self.calls().iter().map(|call| call.spans).sum()
    }
}

impl Drop for GrpcCollector {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn serve(
    request: http::Request<Body>,
    script: Script,
    log: Arc<Mutex<Vec<Call>>>,
) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    let headers = request.headers().clone();
    let info = request.extensions().get::<TcpConnectInfo>();
    let peer = info.and_then(TcpConnectInfo::remote_addr);
    let is_otlp = path.ends_with("/Export");
    let take = move |(service, spans), bytes| {
        let mut log = log.lock().unwrap();
        log.push(Call {
            path: path.clone(),
            headers: headers.clone(),
            peer,
            service,
            spans,
            bytes,
        });
        fate(script(log.len() - 1))
    };
    if is_otlp {
        let handler = service_fn(move |request: Request<ExportTraceServiceRequest>| {
            let request = request.into_inner();
            let fate = take(content_of_otlp(&request), request.encoded_len());
            async move {
                let partial_success = fate.await?;
                Ok::<_, Status>(Response::new(ExportTraceServiceResponse {
                    partial_success,
                }))
            }
        });
        let server = tonic::server::Grpc::new(ProstCodec::default());
        let mut server = server.accept_compressed(CompressionEncoding::Gzip);
        server.unary(handler, request).await
    } else {
        let handler = service_fn(move |request: Request<PostSpansRequest>| {
            let request = request.into_inner();
            let fate = take(content_of_jaeger(&request), request.encoded_len());
            async move {
                fate.await?;
                Ok::<_, Status>(Response::new(PostSpansResponse {}))
            }
        });
        let mut server = tonic::server::Grpc::new(ProstCodec::default());
        server.unary(handler, request).await
    }
}

/// Returns the service and the number of spans.
fn content_of_otlp(request: &ExportTraceServiceRequest) -> (String, usize) {
    let spans = &request.resource_spans[0];
    let attributes = &spans.resource.as_ref().expect("a resource").attributes;
    let name = attributes.iter().find(|one| one.key == "service.name");
    let value = name.and_then(|name| name.value.clone()?.value);
    let Some(Value::StringValue(service)) = value else {
        panic!("no name of the service: {attributes:?}");
    };
    (service, spans.scope_spans[0].spans.len())
}

fn content_of_jaeger(request: &PostSpansRequest) -> (String, usize) {
    let batch = request.batch.as_ref().expect("a batch");
    let process = batch.process.as_ref().expect("a process");
    (process.service_name.clone(), batch.spans.len())
}

async fn fate(act: Act) -> Result<Option<ExportTracePartialSuccess>, Status> {
    match act {
        Act::Accept => Ok(None),
        Act::Partial(rejected_spans, error_message) => Ok(Some(ExportTracePartialSuccess {
            rejected_spans,
            error_message,
        })),
        Act::Refuse(code, message) => Err(Status::new(code, message)),
        Act::AskForPause(millis) => Err(Status::with_details(
            Code::ResourceExhausted,
            "sending queue is full",
            retry_info(millis).into(),
        )),
        Act::Hang => std::future::pending().await,
    }
}

/// Returns a `google.rpc.Status` with a `google.rpc.RetryInfo`.
fn retry_info(millis: u32) -> Vec<u8> {
    RpcStatus {
        code: Code::ResourceExhausted.into(),
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: RetryInfo {
                retry_delay: Some(Delay {
                    seconds: i64::from(millis / 1_000),
                    nanos: (millis % 1_000) as i32 * 1_000_000,
                }),
            }
            .encode_to_vec(),
        }],
    }
    .encode_to_vec()
}

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}
