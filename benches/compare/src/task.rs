//! What one process measures of one contender.

use std::time::Duration;

use crate::company::Probe;
use crate::contender::{NOTHING, Prepare};
use crate::cores::Cores;
use crate::figure::Figure;
use crate::workload::Workload;
use crate::{agent, encoding, latency, measure};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// What spans cost the program, one burst after the other.
    Burst(Workload),
    /// To an agent in another process, at a pace.
    Paced,
    /// To an agent, as fast as it goes.
    Flood,
    /// The same to a sink in this process.
    FloodWithin,
    Encoding,
    /// What single calls take.
    Latency,
}

impl Task {
    pub fn all() -> impl Iterator<Item = Self> {
        Workload::ALL.into_iter().map(Self::Burst).chain(Self::LONG)
    }

    pub fn key(self) -> &'static str {
        match self {
            Self::Burst(workload) => workload.key(),
            Self::Paced => "paced",
            Self::Flood => "flood",
            Self::FloodWithin => "flood-within",
            Self::Encoding => "encoding",
            Self::Latency => "latency",
        }
    }

    pub fn find(key: &str) -> Option<Self> {
        Self::all().find(|task| task.key() == key)
    }

    /// The name of its workload, as the table has it.
    pub fn workload(self) -> &'static str {
        match self {
            Self::Burst(workload) => workload.key(),
            Self::Paced | Self::Flood | Self::FloodWithin => "W8",
            Self::Encoding => "W9",
            Self::Latency => "latency",
        }
    }

    /// Whether it takes so much longer than a burst that it is not part of every round.
    pub fn is_long(self) -> bool {
        Self::LONG.contains(&self)
    }

    /// Who shows what the harness costs itself, where that is part of the figures.
    pub fn floor(self) -> Option<(&'static str, Prepare)> {
        matches!(self, Self::Paced | Self::Latency).then_some(NOTHING)
    }

    /// Nothing where the contender cannot do it.
    pub fn run(
        self,
        prepare: Prepare,
        cores: Cores,
        probe: Probe,
        time: Duration,
    ) -> Option<Vec<Figure>> {
        match self {
            Self::Burst(workload) => measure::measure(prepare, workload, cores, probe, time),
            Self::Paced => agent::paced(prepare),
            Self::Flood => agent::flood(prepare),
            Self::FloodWithin => agent::flood_within(prepare),
            Self::Encoding => encoding::measure(prepare, cores, time),
            Self::Latency => latency::measure(prepare, cores),
        }
    }

    const LONG: [Self; 5] = [
        Self::Paced,
        Self::Flood,
        Self::FloodWithin,
        Self::Encoding,
        Self::Latency,
    ];
}
