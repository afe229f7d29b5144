//! The types of tonic that its requests pass by with.

use std::any::Any;
use std::convert::identity;
use std::mem;

use tonic::body::Body;

use crate::middleware::http::tapped::{RequestReader, Tapped};

/// Puts a reader into a body of tonic.
pub(super) fn tap(body: &mut dyn Any, reader: &mut dyn FnMut() -> Option<RequestReader>) {
    if let Some(body) = body.downcast_mut::<Body>()
        && let Some(reader) = reader()
    {
        let inner = mem::take(body);
        *body = Body::new(Tapped::new(inner, reader, identity));
    }
}
