//! The method that a service has beside its paths for HTTP.

use std::pin::Pin;

use axum::{Router, body::Body, http::Request as HttpRequest, routing::post};
use bytes::Bytes;
use tonic::{
    Request, Response, Status, metadata::MetadataMap, server::UnaryService, service::Routes,
};
use tracehound::prelude::*;
use tracehound_interop::crossdock::{RAW_KEYS, RAW_VALUE};

use crate::grpc::{JOIN_TRACE, json::Json};
use crate::service::Service;

/// Returns the method that a service has beside its paths for HTTP.
pub(crate) fn routes(service: Service) -> Routes {
    let call = move |request: HttpRequest<Body>| {
        let method = JoinMethod(service.clone());
        async { tonic::server::Grpc::new(Json).unary(method, request).await }
    };
    Routes::from(Router::new().route(JOIN_TRACE, post(call)))
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
