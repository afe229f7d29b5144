//! gRPC with text messages, in place of the code that tonic's build step generates.

use std::future::Future;

use axum::body::Body;
use axum::routing::post;
use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use tonic::client::GrpcService;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use tower::service_fn;

/// Returns a service with one method.
pub(crate) fn method<H, F>(path: &str, handler: H) -> Routes
where
    H: Fn(String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<String, Status>> + Send + 'static,
{
    let call = move |request: http::Request<Body>| async move {
        let unary = service_fn(move |request: Request<String>| {
            let reply = handler(request.into_inner());
            async { reply.await.map(Response::new) }
        });
        tonic::server::Grpc::new(Text).unary(unary, request).await
    };
    Routes::from(axum::Router::new().route(path, post(call)))
}

/// Calls a method with one message.
pub(crate) async fn call<S>(service: S, path: &'static str, message: &str) -> Result<String, Status>
where
    S: GrpcService<tonic::body::Body>,
    S::ResponseBody: Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut client = tonic::client::Grpc::new(service);
    let ready = client.ready().await.map_err(Into::into);
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let request = Request::new(message.to_owned());
    let path = PathAndQuery::from_static(path);
    client
        .unary(request, path, Text)
        .await
        .map(Response::into_inner)
}

/// A codec whose messages are plain text.
struct Text;

impl Codec for Text {
    type Encode = String;
    type Decode = String;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Text {
    type Item = String;
    type Error = Status;

    fn encode(&mut self, text: String, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(text.as_bytes());
        Ok(())
    }
}

impl Decoder for Text {
    type Item = String;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<String>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        let text = String::from_utf8(bytes.to_vec());
        text.map(Some)
            .map_err(|error| Status::invalid_argument(error.to_string()))
    }
}
