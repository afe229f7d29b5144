use crate::contender::{Contender, Mode};
use crate::request::Request;

/// A workload; the page of `main.rs` describes each.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    Root,
    Child,
    Request,
    Unsampled,
    Trace,
    TwoThreads,
    Off,
}

impl Workload {
    pub const ALL: [Self; 7] = [
        Self::Root,
        Self::Child,
        Self::Request,
        Self::Unsampled,
        Self::Trace,
        Self::TwoThreads,
        Self::Off,
    ];

    pub fn key(self) -> &'static str {
        match self {
            Self::Root => "W1",
            Self::Child => "W2",
            Self::Request => "W3",
            Self::Unsampled => "W4",
            Self::Trace => "W5",
            Self::TwoThreads => "W6",
            Self::Off => "W7",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Child => "child",
            Self::Request => "request",
            Self::Unsampled => "unsampled",
            Self::Trace => "trace, per span",
            Self::TwoThreads => "2 threads",
            Self::Off => "off",
        }
    }

    pub fn mode(self) -> Mode {
        match self {
            Self::Unsampled => Mode::Unsampled,
            Self::Off => Mode::Off,
            Self::Root | Self::Child | Self::Request | Self::Trace | Self::TwoThreads => {
                Mode::Sampled
            }
        }
    }

    /// Runs a burst of some hundred microseconds, which every contender has room for.
    pub fn run(self, contender: &dyn Contender, request: &mut Request) {
        match self {
            Self::Root => contender.roots(BURST),
            Self::Child => contender.children(BURST),
            Self::Request | Self::Unsampled | Self::TwoThreads => {
                contender.requests(BURST, request)
            }
            Self::Trace => (0..TRACES).for_each(|_| contender.children(CHILDREN)),
            Self::Off => contender.off(OFF_BURST),
        }
    }

    /// Returns how many pieces of work a burst has. The time of a burst is divided by it.
    pub fn pieces(self) -> u64 {
        match self {
            Self::Trace => TRACES * (CHILDREN + 1),
            Self::Off => OFF_BURST,
            _ => BURST,
        }
    }

    /// Returns how many spans of a burst the sink must see.
    pub fn spans(self) -> u64 {
        match self {
            Self::Root => BURST,
            Self::Child => BURST + 1,
            Self::Request | Self::TwoThreads => 2 * BURST,
            Self::Trace => TRACES * (CHILDREN + 1),
            Self::Unsampled | Self::Off => 0,
        }
    }
}

const BURST: u64 = 1_000;
/// A shorter burst would be too short for the clock.
const OFF_BURST: u64 = 20_000;
const TRACES: u64 = 10;
const CHILDREN: u64 = 100;
