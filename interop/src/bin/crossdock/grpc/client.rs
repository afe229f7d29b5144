//! Calls of another service.

use std::fmt;

use axum::http::uri::PathAndQuery;
use bytes::Bytes;
use tonic::{
    Request, Response, Status, client::GrpcService, metadata::MetadataValue, transport::Endpoint,
};
use tracehound::{
    JaegerTracer,
    middleware::{ClientLayer, TracingInterceptor},
    model::tags,
    prelude::*,
};
use tracehound_interop::crossdock::{Answer, Downstream, JoinTrace, RAW_KEYS, RAW_VALUE};

use crate::grpc::{JOIN_TRACE, json::Json};
use crate::options::GrpcClient;

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
