//! The route template, such as `/users/{id}`, that a router leaves in the extensions of a request.

use http::Extensions;

#[cfg(feature = "axum")]
pub(super) fn of(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
pub(super) fn of(_extensions: &Extensions) -> Option<&str> {
    None
}
