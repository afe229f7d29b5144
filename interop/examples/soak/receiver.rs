use std::{io, net::SocketAddr, time::Duration};

use tracehound::testkit::{Fault, MockAgent, MockCollector};

use crate::options::{Trouble, Way};

/// The receiver of the spans, with its trouble. It keeps none of them.
pub(crate) struct Receiver {
    mock: Mock,
    trouble: Trouble,
}

enum Mock {
    Agent(MockAgent),
    Collector(MockCollector),
}

impl Receiver {
    pub(crate) fn start(way: Way, trouble: Trouble) -> io::Result<Self> {
        let mock = match way {
            Way::Udp => Mock::Agent(MockAgent::start()?),
            Way::Thrift | Way::Otlp => Mock::Collector(MockCollector::start()?),
        };
        match &mock {
            Mock::Agent(agent) => agent.keep_at_most(0),
            Mock::Collector(collector) => collector.keep_at_most(0),
        }
        let receiver = Self { mock, trouble };
        if trouble == Trouble::Away {
            receiver.set_away(true);
        }
        Ok(receiver)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.mock {
            Mock::Agent(agent) => agent.address(),
            Mock::Collector(collector) => collector.address(),
        }
    }

    /// Returns how many spans have arrived.
    pub(crate) fn spans(&self) -> u64 {
        match &self.mock {
            Mock::Agent(agent) => agent.span_count(),
            Mock::Collector(collector) => collector.span_count(),
        }
    }

    /// Sets the trouble of a round, counted from 0, and returns its name. Every other round has none.
    pub(crate) fn change(&self, round: u64) -> &'static str {
        match self.trouble {
            Trouble::None => return "none",
            Trouble::Away => return "away",
            Trouble::Changing => {}
        }
        let troubles = match &self.mock {
            Mock::Agent(_) => AGENT_TROUBLES,
            Mock::Collector(_) => COLLECTOR_TROUBLES,
        };
        let name = match round % 2 {
            0 => "none",
            _ => troubles[(round / 2) as usize % troubles.len()],
        };
        self.set_away(name == "away");
        let fault = match name {
            "busy" => Fault::status(503).header("Retry-After", "2"),
            "broken" => Fault::status(500),
            "reset" => Fault::reset(),
            "garbage" => Fault::garbage("no reply of HTTP"),
            "lossy" => Fault::drop(),
            "slow" => Fault::slow_reader(200_000),
            "late" => Fault::delay(Duration::from_millis(500)),
            "partial" => Fault::partial_success(1, "one too many"),
            _ => Fault::none(),
        };
        match &self.mock {
            Mock::Agent(agent) => agent.always(fault),
            Mock::Collector(collector) => collector.always(fault),
        }
        name
    }

    fn set_away(&self, is_away: bool) {
        let done = match (&self.mock, is_away) {
            (Mock::Agent(agent), true) => agent.stop(),
            (Mock::Agent(agent), false) => agent.restart(),
            (Mock::Collector(collector), true) => collector.stop(),
            (Mock::Collector(collector), false) => collector.restart(),
        };
        if let Err(error) = done {
            eprintln!("the receiver cannot leave or come back: {error}");
        }
    }
}

const AGENT_TROUBLES: &[&str] = &["away", "lossy", "slow"];

const COLLECTOR_TROUBLES: &[&str] = &[
    "away", "busy", "reset", "late", "broken", "garbage", "partial", "slow", "lossy",
];
