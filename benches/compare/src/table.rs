//! The results as Markdown: what `RESULTS.md` holds.

use std::borrow::Cow;
use std::fmt::Write;

use crate::arrivals;
use crate::contender::{self, NOTHING, TWO_FORMATS};
use crate::digits::{number, times};
use crate::figure::Quantity;
use crate::machine::machine;
use crate::markdown::{marks, print, row};
use crate::note::NOTES;
use crate::results::{Distance, Results};
use crate::rounds;
use crate::task::Task;
use crate::workload::Workload;

/// Renders all tables. `others` is the share of the machine that other programs took meanwhile, if it is known.
pub fn render(results: &Results, rounds: usize, others: Option<f64>) -> String {
    let mut text = format!(
        "# What spans cost\n\n\
        W1 to W7: ns of the program's thread for a piece of work. Medians of {rounds} interleaved rounds, {} for W8, W9 \
        and single calls; one process for each figure.\nMachine: {}{}.\nMade by `cargo run --release --manifest-path benches/compare/Cargo.toml`; \
        [`src/main.rs`](src/main.rs) tells what the work is.\n",
        rounds::long(rounds),
        machine(),
        others.map_or_else(String::new, |share| format!(
            ", of which other programs took {:.0} %",
            share * 100.0
        ))
    );
    for distance in Distance::ALL {
        let (count, round_trip) = results.round_trips(distance);
        let section = section(results, distance);
        if !section.is_empty() {
            let name = distance.name();
            let _ = write!(
                text,
                "\n## Cores {name}: a cache line takes {round_trip:.0} ns there and back ({count} processes)\n{section}"
            );
        }
    }
    arrivals::render(&mut text, results);
    text.push('\n');
    for (number, note) in (1..).zip(&NOTES) {
        let _ = writeln!(text, "{number}. {}", note.text);
    }
    text.push_str(EXPLANATIONS);
    text
}

/// Renders the tables of a distance, without those of which nothing was measured.
fn section(results: &Results, distance: Distance) -> String {
    let mut text = String::new();
    let (ours, _) = contender::ALL[0];
    let was_measured = |columns: &[Column]| {
        columns.iter().any(|column| {
            let Column { task, quantity, .. } = *column;
            results.median(ours, task, quantity, distance).is_some()
        })
    };
    let mut costs: Vec<Column> = Workload::ALL.into_iter().map(Column::of).collect();
    let behind_request = 1 + costs
        .iter()
        .take_while(|cost| cost.workload() != Some(Workload::Request))
        .count();
    costs.insert(behind_request, SWEPT);
    if was_measured(&costs) {
        bursts(&mut text, results, distance, &costs);
    }
    for (title, columns) in [
        ("W8 within the process, W9", &WITHIN[..]),
        (LATENCY_TITLE, &LATENCY),
    ] {
        if was_measured(columns) {
            let _ = write!(text, "\n### {title}, cores {}\n\n", distance.name());
            table(&mut text, results, distance, columns);
        }
    }
    text
}

/// Adds the table of W1 to W7, with the floors and ours as a multiple of them.
fn bursts(text: &mut String, results: &Results, distance: Distance, costs: &[Column]) {
    text.push('\n');
    table(text, results, distance, costs);
    let floor = |column: &Column| results.floor(column.workload()?).map(number);
    let cells = |cell: &dyn Fn(&Column) -> Option<String>| -> Vec<String> {
        costs
            .iter()
            .map(|cost| cell(cost).unwrap_or_default())
            .collect()
    };
    row(text, "*floor*", cells(&floor));
    let (ours, _) = contender::ALL[0];
    let ratio = |column: &Column| {
        let ratio = results.by_floor(ours, column.workload()?, Quantity::Time, distance);
        ratio.map(times)
    };
    row(text, &format!("*{ours} by floor*"), cells(&ratio));
    companies(text, results, distance);
}

/// Adds the table of W1 to W5 by company.
fn companies(text: &mut String, results: &Results, distance: Distance) {
    let _ = write!(
        text,
        "\n### W1 to W5 alone on the physical core; sharing it, cores {}\n\n",
        distance.name()
    );
    let columns = BURSTS.map(Column::of);
    head(text, &columns);
    let both = |of: &dyn Fn(Quantity) -> Option<f64>, print: fn(f64) -> String| {
        [Quantity::Alone, Quantity::Shared]
            .map(|quantity| of(quantity).map_or_else(|| "–".to_owned(), print))
            .join("; ")
    };
    for (name, _) in contender::ALL {
        let cells = columns.iter().map(|column| {
            let median = |quantity| results.median(name, column.task, quantity, distance);
            both(&median, number) + &marks(name, column.task, column.quantity)
        });
        row(text, name, cells);
    }
    let floor = |workload| both(&|quantity| results.floor_of(workload, quantity), number);
    row(text, "*floor*", BURSTS.map(floor));
    let (ours, _) = contender::ALL[0];
    let ratio = |workload| {
        let ratio = |quantity| results.by_floor(ours, workload, quantity, distance);
        both(&ratio, times)
    };
    row(text, &format!("*{ours} by floor*"), BURSTS.map(ratio));
}

/// Adds a table with a line for each contender, and one for the harness if it is part of the figures.
fn table(text: &mut String, results: &Results, distance: Distance, columns: &[Column]) {
    head(text, columns);
    for (name, _) in contender::ALL {
        let cells = columns
            .iter()
            .map(|column| cell(results, name, column, distance));
        row(text, name, cells);
    }
    if columns.iter().any(|column| column.task.variant().is_some()) {
        let (name, _) = TWO_FORMATS;
        let cells = columns.iter().map(|column| match column.task.variant() {
            Some(_) => cell(results, name, column, distance),
            None => String::new(),
        });
        row(text, name, cells);
    }
    if columns.iter().any(|column| column.task.floor().is_some()) {
        let (name, _) = NOTHING;
        let cells = columns.iter().map(|column| {
            let median = results.median(name, column.task, column.quantity, distance);
            let median = median.filter(|_| column.task.floor().is_some());
            median.map_or_else(String::new, |median| print(column.quantity, median))
        });
        row(text, &format!("*{name} alone*"), cells);
    }
}

fn head(text: &mut String, columns: &[Column]) {
    row(
        text,
        "",
        columns.iter().map(|column| column.title.to_string()),
    );
    row(text, "---", columns.iter().map(|_| "--:".to_owned()));
}

struct Column {
    title: Cow<'static, str>,
    task: Task,
    quantity: Quantity,
}

impl Column {
    fn of(workload: Workload) -> Self {
        Self {
            title: format!("{} {}", workload.key(), workload.title()).into(),
            task: Task::Burst(workload),
            quantity: Quantity::Time,
        }
    }

    const fn new(title: &'static str, task: Task, quantity: Quantity) -> Self {
        Self {
            title: Cow::Borrowed(title),
            task,
            quantity,
        }
    }

    /// The workload of a burst.
    fn workload(&self) -> Option<Workload> {
        match self.task {
            Task::Burst(workload) => Some(workload),
            _ => None,
        }
    }
}

const SWEPT: Column = Column::new("W3 swept", Task::Swept, Quantity::Time);

const BURSTS: [Workload; 5] = [
    Workload::Root,
    Workload::Child,
    Workload::Request,
    Workload::Unsampled,
    Workload::Trace,
];

const WITHIN: [Column; 3] = [
    Column::new(
        "flood within the process: M spans/s arrive",
        Task::FloodWithin,
        Quantity::Delivered,
    ),
    Column::new("do not arrive", Task::FloodWithin, Quantity::Missing),
    Column::new("W9 encoding, ns a span", Task::Encoding, Quantity::Time),
];

const LATENCY: [Column; 4] = [
    Column::new("half", Task::Latency, Quantity::P50),
    Column::new("99 %", Task::Latency, Quantity::P99),
    Column::new("99.9 %", Task::Latency, Quantity::P999),
    Column::new("99.99 %", Task::Latency, Quantity::P9999),
];

const LATENCY_TITLE: &str = "A root with five tags: the longest of the fastest calls, in ns";

fn cell(results: &Results, contender: &str, column: &Column, distance: Distance) -> String {
    let median = |quantity| results.median(contender, column.task, quantity, distance);
    let mut cell = median(column.quantity)
        .map_or_else(|| "–".to_owned(), |median| print(column.quantity, median));
    if let Some(speedup) = median(Quantity::Speedup) {
        let _ = write!(cell, " ({speedup:.2} ×)");
    }
    cell + &marks(contender, column.task, column.quantity)
}

const EXPLANATIONS: &str = "\n\
    *Floors*: W1, W2, W5: two time stamps. W3: looking a header up among nine, parsing it, two ids, printing a header and \
    putting it into a map, looking through all names for baggage, five time stamps, 400 bytes copied. W4: like W3, but with \
    two time stamps and nothing copied. W6 has, in brackets, how many times the work of one thread two threads do: the sum of \
    what each takes alone by what it takes beside the other, since cores are not equally fast at all times; contenders' own \
    threads share the second core with the second thread.\n\n\
    *Swept*: one request of W3 at a time, after a walk through memory of four times the largest cache, which is not timed. \
    The bursts of W3 find everything in the first caches; a program that does other work between two requests does not. \
    The harness alone is one look at the clock, which is part of each figure.\n\n\
    *Physical core*: a virtual core may be one of two threads of a physical one, and while another machine works on the \
    other, what keeps the core busy takes up to twice as long; that comes and goes within \
    milliseconds, and is not the program's doing. Two short loops before and after each burst tell it: one that keeps the \
    core busy then takes longer beside one that waits for each of its results. The first number is of bursts that were \
    alone at both ends, the second of bursts that shared the core at both; a dash is where no process had twenty of \
    them.\n\n\
    tracehound's background thread also packs spans for an agent; the other contenders' hand them to a sink that reads \
    them.\n\n\
    *W8*: one thread makes requests of W3, two spans each. The sink is a process on this host that counts the spans of \
    datagrams and of OTLP requests. The *fast sink* only counts, and asks for a receive buffer of 4 MiB, of which the system \
    grants up to `net.core.rmem_max`. The *slow sink* spins 2 ns for each byte of a datagram before it reads the next one, \
    and for each byte of an OTLP request before it answers; it keeps the receive buffer that the system gives \
    (`net.core.rmem_default`). *At a pace*: 40 000 spans a second. *In a flood*: as many as the thread can make in a second; \
    spans that wait then have half a second more to arrive. In the flood OpenTelemetry's requests have up to 4096 spans \
    instead of 512. *Within the process*: into the sink of W1 to W7. Up to 16 384 spans may wait where a contender lets \
    that be set. By default tracehound sends a burst of up to 8 MiB and then 20 MB a second; it drops spans that find its \
    queue full, and counts them.\n\n\
    *Spans made* to *kernel dropped* are the counts of one run: the one in the middle by the share of spans that arrived. \
    The other columns are medians, first with the cores near, then with the cores far. *It says* is what a program can read \
    of the contender without its log: counters and return values. *Kernel dropped* is the kernel's count of datagrams for \
    which the sink's receive buffer had no room (`/proc/net/udp`); a dash stands where no datagram came, or where the \
    kernel does not tell. The run stops if tracehound's account leaves out a span that was made, or if more spans arrive \
    than it counts as sent.\n\n\
    *Calls*: 50 000 a second on each of two threads, at fixed times. The harness alone shows what the machine adds: \
    other programs on it stop calls, too.\n";
