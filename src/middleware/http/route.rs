//! The template of the route that a router has chosen, as it tells it among the extensions of a request.

use http::Extensions;

/// Such as `/users/{id}`.
#[cfg(feature = "axum")]
pub(super) fn of(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(axum::extract::MatchedPath::as_str)
}

/// No router is known.
#[cfg(not(feature = "axum"))]
pub(super) fn of(_extensions: &Extensions) -> Option<&str> {
    None
}
