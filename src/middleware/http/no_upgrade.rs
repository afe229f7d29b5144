//! The twin of `upgrade` for builds without hyper: nothing is upgraded.

use std::sync::Arc;

use http::{Extensions, StatusCode, request};

use crate::span::Span;
use crate::tracer::Tracer;

/// The settings that nobody can make.
#[derive(Clone, Debug)]
pub(super) enum Sessions {}

/// The upgrade that no request wants.
#[derive(Debug)]
pub(super) enum Upgrade {}

impl Upgrade {
    pub(super) fn of_server(
        _: &Arc<dyn Tracer>,
        _: Option<&Sessions>,
        _: &str,
        _: &mut request::Parts,
        _: &Span,
    ) -> Option<Box<Self>> {
        None
    }

    pub(super) fn of_client(
        _: &Arc<dyn Tracer>,
        _: Option<&Sessions>,
        _: &str,
        _: &request::Parts,
        _: &Span,
    ) -> Option<Box<Self>> {
        None
    }

    pub(super) fn take_from(&mut self, _: &mut Extensions) {
        match *self {}
    }

    #[expect(clippy::boxed_local, reason = "as its twin")]
    pub(super) fn answered(self: Box<Self>, _: StatusCode, _: Span) -> Option<Span> {
        match *self {}
    }
}
