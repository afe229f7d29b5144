//! What a router leaves in the extensions of a request: the route template, such as `/users/{id}`, and the URI before
//! the path of a nested router was cut from it.

use http::{Extensions, Uri};

#[cfg(feature = "axum")]
pub(super) fn of(extensions: &Extensions) -> Option<&str> {
    extensions.get().map(axum::extract::MatchedPath::as_str)
}

#[cfg(not(feature = "axum"))]
pub(super) fn of(_extensions: &Extensions) -> Option<&str> {
    None
}

#[cfg(feature = "axum")]
pub(super) fn original_uri(extensions: &Extensions) -> Option<&Uri> {
    extensions
        .get::<axum::extract::OriginalUri>()
        .map(|original| &original.0)
}

#[cfg(not(feature = "axum"))]
pub(super) fn original_uri(_extensions: &Extensions) -> Option<&Uri> {
    None
}
