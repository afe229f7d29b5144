//! The twin of `connect` for builds without a client whose connections can be seen.

use http::Extensions;

/// The events that nobody can make.
#[derive(Clone, Debug)]
pub(super) enum ConnectionEvents {}

impl ConnectionEvents {
    pub(super) fn is_reused(&self, _: &Extensions) -> Option<bool> {
        match *self {}
    }
}
