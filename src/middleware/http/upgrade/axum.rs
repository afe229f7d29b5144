use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request;

use crate::middleware::SessionSpan;

/// Extracts the span of the session, or one without a span if the request wants no upgrade or its layer no
/// [`sessions`](crate::middleware::ServerLayer::sessions).
impl<S: Sync> FromRequestParts<S> for SessionSpan {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut request::Parts,
        _state: &S,
    ) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
