//! The results as Markdown.

use std::fmt::Write;
use std::process::Command;
use std::{env, fs, thread};

use crate::contender;
use crate::results::{Distance, Results};
use crate::workload::Workload;

/// With the share of the machine that other programs took meanwhile, if it is known.
pub fn render(results: &Results, rounds: usize, others: Option<f64>) -> String {
    let mut text = format!(
        "# What spans cost\n\n\
        ns of the program's thread for a piece of work, medians of {rounds} interleaved rounds, one process for each \
        figure.\nMachine: {}{}.\nMade by `cargo run --release --manifest-path benches/compare/Cargo.toml`; \
        [`src/main.rs`](src/main.rs) tells what the work is.\n",
        machine(),
        others.map_or_else(String::new, |share| format!(
            ", of which other programs took {:.0} %",
            share * 100.0
        ))
    );
    for distance in Distance::ALL {
        let (count, round_trip) = results.round_trips(distance);
        if count > 0 {
            let name = distance.name();
            let _ = write!(
                text,
                "\n## Cores {name}: a cache line takes {round_trip:.0} ns there and back ({count} processes)\n\n"
            );
            section(&mut text, results, distance);
        }
    }
    text.push('\n');
    for (number, note) in (1..).zip(&NOTES) {
        let _ = writeln!(text, "{number}. {}", note.text);
    }
    text.push_str(FLOORS);
    text
}

fn section(text: &mut String, results: &Results, distance: Distance) {
    let row = |name: &str, cell: &dyn Fn(Workload) -> String| {
        let cells: Vec<String> = Workload::ALL.into_iter().map(cell).collect();
        format!("| {name} | {} |\n", cells.join(" | "))
    };
    let heading = |workload: Workload| format!("{} {}", workload.key(), workload.title());
    text.push_str(&row("", &heading));
    text.push_str(&row("---", &|_| "--:".to_owned()));
    for (name, _) in contender::ALL {
        text.push_str(&row(name, &|workload| {
            cell(results, name, workload, distance)
        }));
    }
    let floor = |workload| results.floor(workload).map_or_else(String::new, number);
    text.push_str(&row("*floor*", &floor));
    let (ours, _) = contender::ALL[0];
    let ratio = |workload| {
        let ns = results.ns(ours, workload, distance);
        let ratio = ns
            .zip(results.floor(workload))
            .map(|(ns, floor)| ns / floor);
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2} ×"))
    };
    text.push_str(&row(&format!("*{ours} by floor*"), &ratio));
}

fn cell(results: &Results, contender: &str, workload: Workload, distance: Distance) -> String {
    let ns = results.ns(contender, workload, distance);
    let mut cell = ns.map_or_else(|| "–".to_owned(), number);
    if let Some(speedup) = results.speedup(contender, workload, distance) {
        let _ = write!(cell, " ({speedup:.2} ×)");
    }
    let marks = (1..)
        .zip(&NOTES)
        .filter(|(_, note)| note.is_about(contender, workload));
    let marks: Vec<String> = marks.map(|(number, _)| number.to_string()).collect();
    if !marks.is_empty() {
        let _ = write!(cell, " <sup>{}</sup>", marks.join(","));
    }
    cell
}

/// Three digits, as far as they mean anything.
pub fn number(ns: f64) -> String {
    match ns {
        ..10.0 => format!("{ns:.1}"),
        _ => format!("{ns:.0}"),
    }
}

fn machine() -> String {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let arch = env::consts::ARCH.replace('_', "-");
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let kind = if cpu.contains("hypervisor") {
        " virtual machine"
    } else {
        ""
    };
    let rustc = Command::new("rustc")
        .arg("--version")
        .output()
        .expect("cargo found it");
    let rustc = String::from_utf8_lossy(&rustc.stdout);
    let version = rustc.split(" (").next().unwrap_or_default().trim();
    format!("{cores}-core {arch}{kind}, {version}, release build")
}

/// Where a contender does less than the others, or more.
struct Note {
    contenders: &'static [&'static str],
    workloads: &'static [Workload],
    text: &'static str,
}

impl Note {
    fn is_about(&self, contender: &str, workload: Workload) -> bool {
        self.contenders.contains(&contender) && self.workloads.contains(&workload)
    }
}

const REQUESTS: &[Workload] = &[Workload::Request, Workload::Unsampled, Workload::TwoThreads];

const NOTES: [Note; 6] = [
    Note {
        contenders: &["rustracing_jaeger"],
        workloads: &[Workload::Unsampled],
        text: "Less work: a span that is not sampled has no context, so the next service is told nothing.",
    },
    Note {
        contenders: &["fastrace", "minitrace"],
        workloads: REQUESTS,
        text: "Less work: no baggage is looked for, and no sampler asked. More: numbers are formatted, for every \
            value is a string.",
    },
    Note {
        contenders: &["minitrace"],
        workloads: &[Workload::Unsampled],
        text: "It has no word for a trace that is not kept.",
    },
    Note {
        contenders: &["tracing-opentelemetry"],
        workloads: &[
            Workload::Root,
            Workload::Child,
            Workload::Request,
            Workload::Unsampled,
            Workload::Trace,
            Workload::TwoThreads,
        ],
        text: "More work: spans carry their thread and place in the source as well, and are seen by a subscriber.",
    },
    Note {
        contenders: &["tracing-opentelemetry", "rustracing_jaeger"],
        workloads: &[Workload::Off],
        text: "Less work: `tracing` without a subscriber looks at one static number and never sees the tag; \
            `rustracing` has no tracer that is off, but a span that is.",
    },
    Note {
        contenders: &["opentelemetry", "tracing-opentelemetry"],
        workloads: REQUESTS,
        text: "Less work: the propagator for baggage is another one and is not installed.",
    },
];

const FLOORS: &str = "\n\
    *Floors*: W1, W2, W5: two time stamps. W3: looking a header up among nine, parsing it, two ids, printing a header and \
    putting it into a map, looking through all names for baggage, five time stamps, 400 bytes copied. W4: the same with two \
    time stamps and nothing copied. W6 has, in brackets, how many times the work of one thread two threads do; \
    contenders' own threads share the second core with the second thread.\n\n\
    tracehound's background thread also packs spans for an agent; the other contenders' hand them to a sink that reads \
    them.\n";
