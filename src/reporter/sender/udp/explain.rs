//! Lines to the user about losses and waits, each with a cure.

use crate::metrics::DropCause;
use crate::reporter::sender::udp::failure::Failure;
use crate::reporter::sender::udp::{UdpSender, WaitsFor};
use crate::reporter::sender::{Sender as _, WITHOUT_BACKEND};

impl UdpSender {
    pub(super) fn line_about(&self, cause: DropCause) -> String {
        let destination = self.destination();
        let failures = [self.connector.failure(), self.problem.as_ref()];
        let reason = failures
            .into_iter()
            .flatten()
            .find(|failure| failure.cause == cause)
            .map_or_else(|| cause.to_string(), Failure::reason);
        match cause {
            DropCause::Refused => format!(
                "nobody is listening on {destination} ({reason}); start Jaeger's agent, or send \
                 elsewhere: JAEGER_ENDPOINT=http://localhost:14268/api/traces or \
                 OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318; {WITHOUT_BACKEND}"
            ),
            DropCause::NoAddress => format!(
                "{destination} has no address ({reason}); look at the agent's host in the configuration"
            ),
            DropCause::NetBuffer => format!(
                "the system has no room for datagrams to {destination} ({reason}); spans are lost until it has"
            ),
            DropCause::AgentKernelDrops => format!(
                "the kernel dropped datagrams at the socket of {destination}, whose receive buffer was \
                 full; {LARGER_BUFFER}"
            ),
            _ if self.connector.failure().is_some() => {
                format!(
                    "no socket to {destination} can be opened ({reason}); spans are lost until one can"
                )
            }
            _ => format!(
                "datagrams to {destination} cannot be sent ({reason}); look at the agent's address and the network"
            ),
        }
    }

    pub(super) fn line_about_wait(&self) -> Option<String> {
        let destination = self.destination();
        let room = self
            .connection
            .as_ref()
            .and_then(|it| it.watch.as_ref()?.seen());
        Some(match self.waits_for? {
            WaitsFor::Reader => format!(
                "the agent at {destination} reads more slowly than spans come ({} of the {} bytes of its \
                 receive buffer are unread); {LARGER_BUFFER}",
                room.map_or(0, |socket| socket.unread),
                room.map_or(0, |socket| socket.room),
            ),
            WaitsFor::Pace => format!(
                "spans come faster than the {} bytes a second that go to {destination} by UDP; sample less, \
                 start a second agent, or raise UdpSender::max_bytes_per_second if the agent keeps up",
                self.bytes_per_second,
            ),
            WaitsFor::System => format!("the system has no room for datagrams to {destination}"),
        })
    }
}

const LARGER_BUFFER: &str = "give it a larger one (sysctl net.core.rmem_default; in Jaeger 1 \
     --processor.jaeger-compact.server-socket-buffer-size and net.core.rmem_max), or start a second \
     agent";
