//! What the rounds have brought.

use crate::figure::{Figure, Quantity};
use crate::floor::Floors;
use crate::median::median;
use crate::task::Task;
use crate::workload::Workload;

/// How far the two cores are from each other. A virtual machine's cores move, at times to another die, and
/// whatever crosses between them costs several times as much there: only figures of one distance compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    Near,
    Far,
}

impl Distance {
    pub const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// By the round trip of a cache line, in ns: about 40 between cores that share one, 300 and more between dies.
    pub fn of(round_trip: f64) -> Self {
        if round_trip < 150.0 {
            Self::Near
        } else {
            Self::Far
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Far => "far",
        }
    }
}

#[derive(Default)]
pub struct Results {
    samples: Vec<Sample>,
    floors: Vec<Floors>,
}

struct Sample {
    contender: &'static str,
    task: Task,
    round_trip: f64,
    figures: Vec<Figure>,
}

impl Results {
    pub fn add(
        &mut self,
        contender: &'static str,
        task: Task,
        round_trip: f64,
        figures: Vec<Figure>,
    ) {
        self.samples.push(Sample {
            contender,
            task,
            round_trip,
            figures,
        });
    }

    pub fn add_floors(&mut self, floors: Floors) {
        self.floors.push(floors);
    }

    /// The median over the rounds. None where nothing was measured.
    pub fn median(
        &self,
        contender: &str,
        task: Task,
        quantity: Quantity,
        distance: Distance,
    ) -> Option<f64> {
        let samples = self.samples.iter().filter(|sample| {
            sample.contender == contender
                && sample.task == task
                && Distance::of(sample.round_trip) == distance
        });
        let figures = samples.flat_map(|sample| &sample.figures);
        let wanted = figures.filter(|(of, _)| *of == quantity);
        some_median(wanted.map(|(_, number)| *number))
    }

    /// The least that the work can take, where there is a sum for it.
    pub fn floor(&self, workload: Workload) -> Option<f64> {
        let floors = self.floors.iter();
        match workload {
            Workload::Root | Workload::Child | Workload::Trace => {
                some_median(floors.map(|floors| floors.f1))
            }
            Workload::Request => some_median(floors.map(|floors| floors.f3)),
            Workload::Unsampled => some_median(floors.map(|floors| floors.f4)),
            Workload::TwoThreads | Workload::Off => None,
        }
    }

    /// How many processes found the cores at that distance, and the median of what they found.
    pub fn round_trips(&self, distance: Distance) -> (usize, f64) {
        let all = self.samples.iter().map(|sample| sample.round_trip);
        let there: Vec<f64> = all.filter(|trip| Distance::of(*trip) == distance).collect();
        (there.len(), median(there))
    }
}

fn some_median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let median = median(values);
    (!median.is_nan()).then_some(median)
}
