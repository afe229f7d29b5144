use std::any::Any;
use std::convert::Infallible;
use std::mem;

use axum::body::Body;
use axum::extract::FromRequestParts;
use http::request;

use crate::middleware::RequestSpan;
use crate::middleware::http::tapped::{RequestReader, Tapped};
use crate::scope::{Role, innermost_request};

/// Extracts the span of the request, or the no-op span without a [`ServerLayer`](crate::middleware::ServerLayer).
///
/// A request that a [`ClientLayer`](crate::middleware::ClientLayer) sends to a service of the same process is another
/// request: without a `ServerLayer` of its own, it has no span here.
///
/// A span that started before the route was known is named after the route now.
impl<S: Sync> FromRequestParts<S> for RequestSpan {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        let carried = parts.extensions.get::<Self>().cloned();
        let mut span = carried.or_else(received).unwrap_or_default();
        span.take_route(parts);
        Ok(span)
    }
}

/// Returns the span of the innermost request, unless this program has sent that request itself.
fn received() -> Option<RequestSpan> {
    let (span, role) = innermost_request()?;
    match role {
        Role::Client => None,
        Role::Server { wants_route, .. } => Some(RequestSpan::new(span, wants_route)),
        Role::Carrier => Some(RequestSpan::new(span, false)),
    }
}

/// Puts a reader into a body of axum.
pub(super) fn tap(body: &mut dyn Any, reader: &mut dyn FnMut() -> Option<RequestReader>) {
    if let Some(body) = body.downcast_mut::<Body>()
        && let Some(reader) = reader()
    {
        let inner = mem::take(body);
        // `Body::new` makes it an error of axum again.
        *body = Body::new(Tapped::new(inner, reader, axum::Error::into_inner));
    }
}
