//! gRPC, the second way of the crossdock to call a service. Its messages are the JSON of the first.

use std::{fmt, pin::Pin};

use axum::{
    Router,
    body::Body,
    http::{Request as HttpRequest, uri::PathAndQuery},
    routing::post,
};
use bytes::{Buf, BufMut, Bytes};
use tonic::{
    Request, Response, Status,
    client::GrpcService,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{MetadataMap, MetadataValue},
    server::UnaryService,
    service::Routes,
    transport::Endpoint,
};
use tracehound::{
    JaegerTracer,
    middleware::{ClientLayer, TracingInterceptor},
    model::tags,
    prelude::*,
};
use tracehound_interop::crossdock::{Answer, Downstream, JoinTrace, RAW_KEYS, RAW_VALUE};

use crate::options::GrpcClient;
use crate::service::Service;

/// Returns the method that a service has beside its paths for HTTP.
pub(crate) fn routes(service: Service) -> Routes {
    let call = move |request: HttpRequest<Body>| {
        let method = JoinMethod(service.clone());
        async { tonic::server::Grpc::new(Json).unary(method, request).await }
    };
    Routes::from(Router::new().route(JOIN_TRACE, post(call)))
}

/// Calls the downstream in a client span and returns what it answers.
pub(crate) async fn call(
    tracer: &JaegerTracer,
    client: GrpcClient,
    downstream: Downstream,
) -> Result<Answer, Status> {
    let url = format!("http://{}:{}", downstream.host, downstream.port);
    let endpoint = Endpoint::try_from(url).map_err(|error| Status::internal(error.to_string()))?;
    let channel = endpoint.connect_lazy();
    let request = JoinTrace {
        server_role: downstream.server_role,
        downstream: downstream.downstream,
    };
    let body = serde_json::to_vec(&request).map_err(|error| Status::internal(error.to_string()))?;
    let mut request = Request::new(Bytes::from(body));
    for key in RAW_KEYS {
        let value = MetadataValue::from_bytes(&RAW_VALUE);
        request.metadata_mut().insert_bin(key, value);
    }
    let answer = match client {
        GrpcClient::Layer => {
            let spans = ClientLayer::new(tracer.clone()).operation_name(|_| "post".into());
            send(spans.wrap(channel), request).await?
        }
        GrpcClient::Interceptor => {
            let span = tracer
                .build_span("post")
                .tag(tags::SPAN_KIND, "client")
                .start();
            let inject = TracingInterceptor::new(tracer.clone());
            let channel = tonic::service::interceptor::InterceptedService::new(channel, inject);
            send(channel, request).in_span(span).await?
        }
    };
    serde_json::from_slice(&answer).map_err(|error| Status::internal(error.to_string()))
}

async fn send<S>(service: S, request: Request<Bytes>) -> Result<Bytes, Status>
where
    S: GrpcService<tonic::body::Body>,
    S::ResponseBody: Send + 'static,
    S::Error: fmt::Display,
    <S::ResponseBody as tonic::codegen::Body>::Error: Into<tonic::codegen::StdError>,
{
    let mut client = tonic::client::Grpc::new(service);
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(JOIN_TRACE);
    client
        .unary(request, path, Json)
        .await
        .map(Response::into_inner)
}

/// The method, which a server span is around.
struct JoinMethod(Service);

impl UnaryService<Bytes> for JoinMethod {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Bytes>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            check(request.metadata())?;
            let answer = service.join(request.get_ref()).await;
            let answer = answer.map_err(|failure| Status::internal(failure.to_string()))?;
            Ok(Response::new(Bytes::from(answer)))
        })
    }
}

/// Fails unless the bytes of the caller have come, and none of them became baggage.
fn check(metadata: &MetadataMap) -> Result<(), Status> {
    let span = active_span();
    for key in RAW_KEYS {
        let value = metadata
            .get_bin(key)
            .and_then(|value| value.to_bytes().ok());
        if value.as_deref() != Some(&RAW_VALUE[..]) {
            return Err(Status::invalid_argument(format!("{key}: found {value:?}")));
        }
        let baggage = key
            .strip_prefix("uberctx-")
            .and_then(|key| span.baggage_item(key));
        if let Some(value) = baggage {
            return Err(Status::internal(format!(
                "{key} became the baggage {value:?}"
            )));
        }
    }
    Ok(())
}

/// A codec of messages that are text already.
struct Json;

impl Codec for Json {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Json {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, text: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(text);
        Ok(())
    }
}

impl Decoder for Json {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

const JOIN_TRACE: &str = "/crossdock.Crossdock/JoinTrace";
