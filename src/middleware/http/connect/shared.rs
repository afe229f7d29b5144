use std::sync::atomic::AtomicBool;

use hyper_util::client::legacy::connect::HttpInfo;

use super::fresh::{Ends, FreshConnections};

/// The knowledge that the wrapped connectors of a client share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) fresh: FreshConnections,
    /// Whether a connector around the wrapped one adds TLS and reports its end.
    pub(super) has_tls: AtomicBool,
}

pub(super) fn ends(info: &HttpInfo) -> Ends {
    (info.local_addr(), info.remote_addr())
}
