use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request;

use crate::middleware::RequestSpan;

/// Extracts the span of the request, or the no-op span without a [`ServerLayer`](crate::middleware::ServerLayer).
///
/// A span that started before the route was known is named after the route now.
impl<S: Sync> FromRequestParts<S> for RequestSpan {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        let mut span = parts.extensions.get::<Self>().cloned().unwrap_or_default();
        span.take_route(parts);
        Ok(span)
    }
}
