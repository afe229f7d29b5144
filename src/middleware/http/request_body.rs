//! The body of a request, read as it passes by.
//!
//! A service is generic over the type of this body, and the service inside expects the same type. So a body can be put
//! around it only if the type can hold any body, as those of tonic and axum do.

use std::any::Any;

use crate::middleware::http::tapped::RequestReader;

/// Puts a reader into a body, if its type can hold another body.
pub(super) fn tap<B: 'static>(body: &mut B, reader: impl FnOnce() -> RequestReader) {
    let mut reader = Some(reader);
    let mut reader = || reader.take().map(|reader| reader());
    for put in ADAPTERS {
        put(body, &mut reader);
    }
}

/// Reads a body that is a text.
fn read(body: &mut dyn Any, reader: &mut dyn FnMut() -> Option<RequestReader>) {
    if let Some(text) = body.downcast_ref::<String>()
        && let Some(reader) = reader()
    {
        reader.read_all(text.as_bytes());
    }
}

/// Puts the reader into a body of the one type that the function knows.
type Adapter = fn(&mut dyn Any, &mut dyn FnMut() -> Option<RequestReader>);

const ADAPTERS: &[Adapter] = &[
    read,
    #[cfg(feature = "axum")]
    super::axum::tap,
    #[cfg(feature = "tonic")]
    super::tonic::tap,
];
