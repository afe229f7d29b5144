use crate::reporter::sender::BatchFormat;

/// The encoding of datagrams for an agent.
///
/// ```
/// use tracehound::reporter::sender::{AgentAddress, AgentProtocol, UdpSender};
///
/// let agent = AgentAddress::new("localhost", AgentAddress::BINARY_PORT);
/// let sender = UdpSender::new(agent).protocol(AgentProtocol::Binary);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentProtocol {
    /// Thrift's compact protocol, for port 6831.
    #[default]
    Compact,
    /// Thrift's binary protocol, for port 6832.
    Binary,
}

impl AgentProtocol {
    /// Returns the encoding of a batch.
    pub(super) fn format(self) -> BatchFormat {
        match self {
            Self::Compact => BatchFormat::Compact,
            Self::Binary => BatchFormat::Binary,
        }
    }
}
