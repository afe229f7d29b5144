//! Tasks: what a process can measure of a contender.

use std::time::Duration;

use crate::company::Probe;
use crate::contender::{Entry, NOTHING, Prepare, RAISED, TWO_FORMATS};
use crate::cores::Cores;
use crate::figure::Figure;
use crate::sink::Reader;
use crate::workload::Workload;
use crate::{agent, encoding, latency, measure};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The cost of spans to the program, in bursts.
    Burst(Workload),
    /// The cost of a request to the program after the caches were swept.
    Swept,
    /// Spans to an agent in another process, at a pace.
    Paced(Reader),
    /// Spans to an agent in another process, as fast as the program can.
    Flood(Reader),
    /// Spans to a sink in this process, as fast as the program can.
    FloodWithin,
    /// Spans to bytes.
    Encoding,
    /// The time of single calls.
    Latency,
}

impl Task {
    pub fn all() -> impl Iterator<Item = Self> {
        let bursts = Workload::ALL.into_iter().map(Self::Burst);
        bursts.chain([Self::Swept]).chain(Self::LONG)
    }

    pub fn key(self) -> &'static str {
        match self {
            Self::Burst(workload) => workload.key(),
            Self::Swept => SWEPT,
            Self::Paced(Reader::Fast) => "paced",
            Self::Paced(Reader::Slow) => "paced-slow",
            Self::Flood(Reader::Fast) => "flood",
            Self::Flood(Reader::Slow) => "flood-slow",
            Self::FloodWithin => "flood-within",
            Self::Encoding => "encoding",
            Self::Latency => "latency",
        }
    }

    pub fn find(key: &str) -> Option<Self> {
        Self::all().find(|task| task.key() == key)
    }

    /// Returns the name of its workload, as the table has it.
    pub fn workload(self) -> &'static str {
        match self {
            Self::Burst(workload) => workload.key(),
            Self::Swept => SWEPT,
            Self::Paced(_) | Self::Flood(_) | Self::FloodWithin => "W8",
            Self::Encoding => "W9",
            Self::Latency => "latency",
        }
    }

    /// Returns whether the task takes too long to be part of every round.
    pub fn is_long(self) -> bool {
        Self::LONG.contains(&self)
    }

    /// Returns the entry that measures the harness alone, if the harness is part of the figures.
    pub fn floor(self) -> Option<Entry> {
        matches!(self, Self::Swept | Self::Paced(_) | Self::Latency).then_some(NOTHING)
    }

    /// Returns tracehound with other settings, if they matter.
    pub fn variant(self) -> Option<Entry> {
        match self {
            Self::Paced(Reader::Fast) | Self::Flood(Reader::Fast) => Some(RAISED),
            Self::Swept => Some(TWO_FORMATS),
            Self::Burst(Workload::Request | Workload::Unsampled | Workload::TwoThreads) => {
                Some(TWO_FORMATS)
            }
            _ => None,
        }
    }

    /// Measures. Returns `None` if the contender cannot do the task.
    pub fn run(
        self,
        prepare: Prepare,
        cores: Cores,
        probe: Probe,
        time: Duration,
    ) -> Option<Vec<Figure>> {
        match self {
            Self::Burst(workload) => measure::measure(prepare, workload, cores, probe, time),
            Self::Swept => measure::measure_swept(prepare, cores, probe, time),
            Self::Paced(reader) => agent::paced(prepare, reader),
            Self::Flood(reader) => agent::flood(prepare, reader),
            Self::FloodWithin => agent::flood_within(prepare),
            Self::Encoding => encoding::measure(prepare, cores, time),
            Self::Latency => latency::measure(prepare, cores),
        }
    }

    const LONG: [Self; 7] = [
        Self::Paced(Reader::Fast),
        Self::Paced(Reader::Slow),
        Self::Flood(Reader::Fast),
        Self::Flood(Reader::Slow),
        Self::FloodWithin,
        Self::Encoding,
        Self::Latency,
    ];
}

const SWEPT: &str = "W3s";
