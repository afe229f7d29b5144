//! The results of the rounds.

use crate::figure::{Figure, Quantity};
use crate::floor::Floors;
use crate::median::median;
use crate::task::Task;
use crate::times::Medians;
use crate::workload::Workload;

/// The distance of the two cores. A virtual machine's cores move, at times to another die, and everything that crosses
/// between them costs several times as much there. Only figures of one distance compare.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Distance {
    Near,
    Far,
}

impl Distance {
    pub const ALL: [Self; 2] = [Self::Near, Self::Far];

    /// Tells the distance by the round trip of a cache line, in ns: about 40 on one die, 300 and more between two.
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

    /// Returns the median over the rounds, or `None` if nothing was measured.
    pub fn median(
        &self,
        contender: &str,
        task: Task,
        quantity: Quantity,
        distance: Distance,
    ) -> Option<f64> {
        let samples = self
            .samples_of(contender, task)
            .filter(|sample| Distance::of(sample.round_trip) == distance);
        let figures = samples.flat_map(|sample| sample.figures.iter().copied());
        some_median(figures, quantity)
    }

    /// Returns the figures of the process in the middle by the share of spans that arrived, at any distance. They add
    /// up; medians need not.
    pub fn middle(&self, contender: &str, task: Task) -> Option<&[Figure]> {
        let samples = self.samples_of(contender, task);
        let mut samples: Vec<(f64, &[Figure])> = samples
            .filter_map(|sample| Some((sample.missing()?, &*sample.figures)))
            .collect();
        samples.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        samples.get(samples.len() / 2).map(|(_, figures)| *figures)
    }

    /// Returns the least time that the work can take, if there is a sum for it.
    pub fn floor(&self, workload: Workload) -> Option<f64> {
        self.floor_of(workload, Quantity::Time)
    }

    /// Like [`floor`](Self::floor), but also for [`Quantity::Alone`] and [`Quantity::Shared`].
    pub fn floor_of(&self, workload: Workload, quantity: Quantity) -> Option<f64> {
        let sums = self.floors.iter().filter_map(|floors| match workload {
            Workload::Root | Workload::Child | Workload::Trace => Some(floors.f1),
            Workload::Request => Some(floors.f3),
            Workload::Unsampled => Some(floors.f4),
            Workload::TwoThreads | Workload::Off => None,
        });
        some_median(sums.flat_map(Medians::figures), quantity)
    }

    /// Returns a contender's time as a multiple of the floor.
    pub fn by_floor(
        &self,
        contender: &str,
        workload: Workload,
        quantity: Quantity,
        distance: Distance,
    ) -> Option<f64> {
        let time = self.median(contender, Task::Burst(workload), quantity, distance)?;
        Some(time / self.floor_of(workload, quantity)?)
    }

    /// Returns how many processes found the cores at that distance, and the median of their round trips.
    pub fn round_trips(&self, distance: Distance) -> (usize, f64) {
        let all = self.samples.iter().map(|sample| sample.round_trip);
        let there: Vec<f64> = all.filter(|trip| Distance::of(*trip) == distance).collect();
        (there.len(), median(there))
    }

    fn samples_of(&self, contender: &str, task: Task) -> impl Iterator<Item = &Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.contender == contender && sample.task == task)
    }
}

impl Sample {
    fn missing(&self) -> Option<f64> {
        let mut figures = self.figures.iter();
        figures
            .find(|(quantity, _)| *quantity == Quantity::Missing)
            .map(|(_, share)| *share)
    }
}

fn some_median(figures: impl Iterator<Item = Figure>, quantity: Quantity) -> Option<f64> {
    let wanted = figures.filter(|(of, _)| *of == quantity);
    let median = median(wanted.map(|(_, number)| number));
    (!median.is_nan()).then_some(median)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::Reader;

    #[test]
    fn the_middle_is_the_process_whose_share_is_in_the_middle() {
        let task = Task::Flood(Reader::Slow);
        let mut results = Results::default();
        for (missing, made, round_trip) in [(0.5, 7.0, 40.0), (0.1, 9.0, 400.0), (0.3, 8.0, 40.0)] {
            let figures = vec![(Quantity::Missing, missing), (Quantity::Made, made)];
            results.add("one", task, round_trip, figures);
        }
        let made = |contender| {
            let figures = results.middle(contender, task)?;
            some_median(figures.iter().copied(), Quantity::Made)
        };
        assert_eq!(made("one"), Some(8.0));
        assert_eq!(made("another"), None);
    }
}
