//! The tables of W8: where the spans of each load end up, for each sink.

use std::fmt::Write;

use crate::contender;
use crate::figure::Quantity;
use crate::markdown::{marks, print, row};
use crate::results::{Distance, Results};
use crate::sink::Reader;
use crate::task::Task;

/// Adds a table for each load and sink that was measured.
pub fn render(text: &mut String, results: &Results) {
    let (ours, _) = contender::ALL[0];
    let mut title = "\n## W8: out of the program\n";
    for reader in Reader::ALL {
        for load in LOADS {
            let arrivals = Arrivals {
                results,
                task: (load.task)(reader),
                costs: load.costs,
            };
            if results.middle(ours, arrivals.task).is_some() {
                text.push_str(title);
                title = "";
                let _ = write!(text, "\n### {}, {} sink\n\n", load.title, reader.name());
                arrivals.render(text);
            }
        }
    }
}

struct Load {
    title: &'static str,
    task: fn(Reader) -> Task,
    costs: &'static [Column],
}

type Column = (&'static str, Quantity);

struct Arrivals<'a> {
    results: &'a Results,
    task: Task,
    costs: &'static [Column],
}

impl Arrivals<'_> {
    fn render(&self, text: &mut String) {
        let titles = COUNTS.iter().chain(self.costs).map(|(title, _)| *title);
        row(text, "", titles.clone().map(str::to_owned));
        row(text, "---", titles.map(|_| "--:".to_owned()));
        let [(ours, _), others @ ..] = contender::ALL;
        row(text, ours, self.cells(ours));
        for (name, _) in self.task.variant().into_iter().chain(others) {
            row(text, name, self.cells(name));
        }
        if let Some((name, _)) = self.task.floor() {
            let counts = COUNTS.map(|_| String::new());
            let costs = self.costs.iter().map(|(_, cost)| self.medians(name, *cost));
            row(
                text,
                &format!("*{name} alone*"),
                counts.into_iter().chain(costs),
            );
        }
    }

    fn cells(&self, contender: &str) -> impl Iterator<Item = String> {
        let counts = COUNTS
            .iter()
            .map(|(_, quantity)| (*quantity, self.count(contender, *quantity)));
        let costs = self
            .costs
            .iter()
            .map(|(_, quantity)| (*quantity, self.medians(contender, *quantity)));
        counts
            .chain(costs)
            .map(|(quantity, cell)| cell + &marks(contender, self.task, quantity))
    }

    fn count(&self, contender: &str, quantity: Quantity) -> String {
        let Some(figures) = self.results.middle(contender, self.task) else {
            return UNKNOWN.to_owned();
        };
        match figures.iter().find(|(of, _)| *of == quantity) {
            Some((_, count)) => print(quantity, *count),
            None if matches!(quantity, Quantity::Sent | Quantity::Dropped) => "nothing".to_owned(),
            None => UNKNOWN.to_owned(),
        }
    }

    /// Prints a median for each distance of the cores.
    fn medians(&self, contender: &str, quantity: Quantity) -> String {
        let medians = Distance::ALL.map(|distance| {
            let median = self
                .results
                .median(contender, self.task, quantity, distance);
            median.map_or_else(|| UNKNOWN.to_owned(), |median| print(quantity, median))
        });
        medians.join("; ")
    }
}

const COUNTS: [Column; 6] = [
    ("spans made", Quantity::Made),
    ("arrive", Quantity::Arrived),
    ("do not arrive", Quantity::Missing),
    ("it says: sent", Quantity::Sent),
    ("it says: dropped", Quantity::Dropped),
    ("kernel dropped, datagrams", Quantity::KernelDrops),
];

const LOADS: [Load; 2] = [
    Load {
        title: "At a pace",
        task: Task::Paced,
        costs: &[
            ("CPU, µs a span: near; far", Quantity::Cpu),
            (
                "of it in the background: near; far",
                Quantity::BackgroundCpu,
            ),
        ],
    },
    Load {
        title: "In a flood",
        task: Task::Flood,
        costs: &[
            ("M spans/s arrive: near; far", Quantity::Delivered),
            ("memory, MB: near; far", Quantity::Memory),
        ],
    },
];

const UNKNOWN: &str = "–";
