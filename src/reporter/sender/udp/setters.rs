use std::time::Duration;

use crate::reporter::sender::{AgentProtocol, SocketFamily, UdpSender};

impl UdpSender {
    /// Sets the protocol. Agents take the binary one on another port, 6832.
    ///
    /// Defaults to [`AgentProtocol::Compact`].
    #[must_use]
    pub fn protocol(mut self, protocol: AgentProtocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Sets which of the agent's addresses are used.
    ///
    /// Defaults to [`SocketFamily::Any`].
    #[must_use]
    pub fn family(mut self, family: SocketFamily) -> Self {
        self.connector.addresses.family = family;
        self
    }

    /// Sets how often the agent's name is looked up again, above zero; `None` for never. Then it is not looked up
    /// after refusals either.
    ///
    /// Defaults to 30 seconds. An address is never looked up.
    #[must_use]
    pub fn lookup_interval(mut self, interval: Option<Duration>) -> Self {
        self.connector.addresses.lookup_interval = interval;
        self
    }

    /// Sets the size of the largest datagram, of one span or of many, in bytes. More than 65,000 counts as 65,000.
    ///
    /// By default spans are packed up to 16,000 bytes for an agent on this host, a twelfth of its default receive
    /// buffer. For an agent elsewhere they are packed up to 1,400 bytes, or less if the path carries less, so that
    /// datagrams are not fragmented. A single span may always take 65,000.
    #[must_use]
    pub fn max_packet_bytes(mut self, bytes: usize) -> Self {
        self.max_packet_bytes = Some(bytes.min(Self::MAX_PACKET_BYTES));
        self
    }

    /// Sets how many bytes a second go to the agent, apart from bursts of 8 MiB.
    ///
    /// Defaults to 20,000,000, some 35,000 spans of a web request. A Jaeger agent was seen to decode about as much on
    /// two cores. An agent silently drops what comes faster than it decodes, whereas spans that wait here and find no
    /// room are counted. Raise the figure for a receiver that keeps up.
    #[must_use]
    pub fn max_bytes_per_second(mut self, bytes: u64) -> Self {
        self.bytes_per_second = bytes.max(1);
        self.bucket.set_bytes_per_second(self.bytes_per_second);
        self.blind_bucket
            .set_bytes_per_second(self.bytes_per_second);
        self
    }
}
