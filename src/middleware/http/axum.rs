use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request;

use crate::middleware::RequestSpan;

/// The no-op span where no [`ServerLayer`](crate::middleware::ServerLayer) stands. A span that was started before the
/// route was known is named for the route.
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
