//! The two protocols over UDP, and what is read of a single span.

use std::net::SocketAddr;

use tracehound::reporter::sender::{AgentProtocol, UdpSender};
use tracehound_interop::{Backend, StoredSpan};

use crate::Result;

/// A Thrift protocol over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Compact,
    Binary,
}

impl Protocol {
    pub(crate) const ALL: [Self; 2] = [Self::Compact, Self::Binary];

    /// Returns the address at which `jaeger` takes it.
    pub(crate) const fn address(self, jaeger: &Backend) -> SocketAddr {
        match self {
            Self::Compact => jaeger.compact_addr(),
            Self::Binary => jaeger.binary_addr(),
        }
    }

    /// Returns the library's sender for it.
    pub(crate) fn sender(self, jaeger: &Backend) -> UdpSender {
        UdpSender::new(self.address(jaeger)).protocol(match self {
            Self::Compact => AgentProtocol::Compact,
            Self::Binary => AgentProtocol::Binary,
        })
    }
}

/// Reads back a trace of one span.
pub(crate) fn read_one(jaeger: &Backend, trace_id: u128) -> Result<StoredSpan> {
    let mut spans = jaeger.trace(trace_id, 1)?.spans;
    let span = spans.pop().ok_or("a trace without spans")?;
    assert_eq!(spans, [], "more spans of {trace_id:x}");
    Ok(span)
}
