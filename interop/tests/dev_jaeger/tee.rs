//! Gives each message to several receivers.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Request, Response, StatusCode, Uri},
};
use tokio::{
    net::{TcpListener, UdpSocket},
    runtime::Runtime,
};
use tonic::{
    service::Routes,
    transport::{Channel, Server, server::TcpIncoming},
};
use tower::{Service as _, ServiceExt as _};
use tracehound_interop::Endpoints;

use crate::Result;

/// Listens where clients send, and passes every datagram and every request on to all receivers. A client gets the
/// answer of the first one.
pub(crate) struct Tee {
    endpoints: Endpoints,
    _runtime: Runtime,
}

impl Tee {
    /// Listens in front of these receivers.
    pub(crate) fn start(receivers: &[Endpoints]) -> Result<Self> {
        let runtime = Runtime::new()?;
        let mut endpoints = receivers.first().ok_or("no receiver")?.clone();
        runtime.block_on(async {
            let all =
                |of: fn(&Endpoints) -> SocketAddr| receivers.iter().map(of).collect::<Vec<_>>();
            endpoints.compact = datagrams(all(|at| at.compact)).await?;
            endpoints.binary = datagrams(all(|at| at.binary)).await?;
            endpoints.collector_http = requests(all(|at| at.collector_http)).await?;
            endpoints.otlp_http = requests(all(|at| at.otlp_http)).await?;
            endpoints.zipkin = requests(all(|at| at.zipkin)).await?;
            endpoints.collector_grpc = calls(all(|at| at.collector_grpc)).await?;
            endpoints.otlp_grpc = calls(all(|at| at.otlp_grpc)).await?;
            Result::Ok(())
        })?;
        Ok(Self {
            endpoints,
            _runtime: runtime,
        })
    }

    /// Returns where to send.
    pub(crate) const fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }
}

async fn datagrams(to: Vec<SocketAddr>) -> Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?;
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((length, _)) = socket.recv_from(&mut buffer).await {
            for to in &to {
                // A receiver that is gone is seen by what it does not show.
                let _ = socket.send_to(&buffer[..length], to).await;
            }
        }
    });
    Ok(address)
}

async fn requests(to: Vec<SocketAddr>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let router = Router::new().fallback(pass_on).with_state((client, to));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn pass_on(
    State((client, to)): State<(reqwest::Client, Vec<SocketAddr>)>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut first = None;
    for to in to {
        let mut request = client
            .request(method.clone(), format!("http://{to}{path}"))
            .timeout(PATIENCE)
            .body(body.clone());
        for name in ["content-type", "content-encoding"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = match request.send().await {
            Ok(answer) => {
                let (status, headers) = (answer.status(), answer.headers().clone());
                let mut passed =
                    Response::new(Body::from(answer.bytes().await.unwrap_or_default()));
                *passed.status_mut() = status;
                if let Some(kind) = headers.get("content-type") {
                    passed.headers_mut().insert("content-type", kind.clone());
                }
                passed
            }
            Err(error) => failed(&error),
        };
        first.get_or_insert(answer);
    }
    first.unwrap_or_else(|| failed(&"no receiver"))
}

async fn calls(to: Vec<SocketAddr>) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let channels = to.into_iter().map(|to| {
        let endpoint = Channel::from_shared(format!("http://{to}"))?;
        Result::Ok(endpoint.timeout(PATIENCE).connect_lazy())
    });
    let channels: Vec<Channel> = channels.collect::<Result<_>>()?;
    let router = Router::new().fallback(call).with_state(channels);
    let server = Server::builder().add_routes(Routes::from(router));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    Ok(address)
}

async fn call(
    State(channels): State<Vec<Channel>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let mut first = None;
    for mut channel in channels {
        let mut request = Request::new(tonic::body::Body::new(Body::from(body.clone())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.path().parse().unwrap_or_default();
        *request.version_mut() = axum::http::Version::HTTP_2;
        for name in [
            "content-type",
            "te",
            "grpc-encoding",
            "grpc-accept-encoding",
        ] {
            if let Some(value) = headers.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let answer = match channel.ready().await {
            Ok(channel) => channel.call(request).await,
            Err(error) => Err(error),
        };
        let answer = answer.map_or_else(|error| failed(&error), |answer| answer.map(Body::new));
        first.get_or_insert(answer);
    }
    first.unwrap_or_else(|| failed(&"no receiver"))
}

fn failed(why: &impl ToString) -> Response<Body> {
    let mut answer = Response::new(Body::from(why.to_string()));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

const PATIENCE: Duration = Duration::from_secs(20);
