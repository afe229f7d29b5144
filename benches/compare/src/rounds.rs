//! Rounds of all contenders on all workloads. Each runs in a process of its own, so that contenders share no threads,
//! globals or heap.

use std::env;
use std::process::Command;
use std::time::Duration;

use crate::company::Probe;
use crate::contender::{self, NOTHING, RAISED, TWO_FORMATS};
use crate::cores::{Cores, go_to};
use crate::figure::{Figure, Quantity};
use crate::floor::Floors;
use crate::results::Results;
use crate::sink::{self, Reader, SINK};
use crate::task::Task;
use crate::times::Medians;

/// Runs the contenders in turn, so that a disturbance of the machine meets all of them. Each round begins with another
/// contender. With `only`, runs the tasks of that workload alone.
pub fn run(rounds: usize, millis: &str, only: Option<&str>) -> Results {
    let mut results = Results::default();
    let least = in_process(&[CALIBRATION], |line| line.trim().to_owned());
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        let wanted = |task: &Task| only.is_none_or(|only| task.workload() == only);
        for task in Task::all().filter(wanted) {
            if task.is_long() && round % LONG_EVERY > 0 {
                continue;
            }
            results.add_floors(in_process(&[FLOORS, &least], floors));
            let rotated = contender::ALL.into_iter().cycle().skip(round);
            let entries = rotated.take(contender::ALL.len());
            let others = task.floor().into_iter().chain(task.variant());
            for (name, _) in others.chain(entries) {
                let sample = in_process(&[ONE, name, task.key(), millis, &least], sample);
                if let Some((round_trip, figures)) = sample {
                    results.add(name, task, round_trip, figures);
                }
            }
        }
    }
    results
}

/// Returns how many of the rounds measure everything.
pub fn long(rounds: usize) -> usize {
    rounds.div_ceil(LONG_EVERY)
}

/// Does the work of a process of a round. Returns false if the arguments are not for such a process.
pub fn serve(arguments: &[&str]) -> bool {
    match arguments {
        [SINK, reader] => sink::serve(Reader::find(reader).expect("a reader")),
        [CALIBRATION] => {
            go_to(Cores::find().program);
            println!("{}", Probe::calibrate().least);
        }
        [FLOORS, least] => {
            go_to(Cores::find().program);
            let Floors { f1, f3, f4 } = Floors::measure(probe(least));
            for Medians { all, alone, shared } in [f1, f3, f4] {
                println!("{all} {alone} {shared}");
            }
        }
        [ONE, name, task, millis, least] => {
            let (_, prepare) = contender::ALL
                .into_iter()
                .chain([NOTHING, RAISED, TWO_FORMATS])
                .find(|(known, _)| known == name)
                .expect("a name");
            let task = Task::find(task).expect("a task");
            let time = Duration::from_millis(millis.parse().expect("a number of milliseconds"));
            let cores = Cores::find();
            let round_trip = cores.round_trip();
            if let Some(figures) = task.run(prepare, cores, probe(least), time) {
                println!("{round_trip}");
                for (quantity, number) in figures {
                    println!("{quantity:?} {number}");
                }
            }
        }
        _ => return false,
    }
    true
}

fn in_process<T>(arguments: &[&str], read: impl FnOnce(&str) -> T) -> T {
    let this = env::current_exe().expect("the system knows this program");
    let output = Command::new(this)
        .args(arguments)
        .output()
        .expect("this program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    read(&String::from_utf8_lossy(&output.stdout))
}

fn probe(least: &str) -> Probe {
    Probe {
        least: number(least),
    }
}

fn floors(lines: &str) -> Floors {
    let sums: Vec<Medians> = lines.lines().map(medians).collect();
    match *sums {
        [f1, f3, f4] => Floors { f1, f3, f4 },
        _ => panic!("three floors"),
    }
}

fn medians(line: &str) -> Medians {
    let numbers: Vec<f64> = line.split_whitespace().map(number).collect();
    match *numbers {
        [all, alone, shared] => Medians { all, alone, shared },
        _ => panic!("three medians"),
    }
}

/// Reads the figures of a process. Returns `None` if the contender cannot do the work.
fn sample(lines: &str) -> Option<(f64, Vec<Figure>)> {
    let mut lines = lines.lines();
    let round_trip = number(lines.next()?);
    let figures = lines.map(|line| {
        let (name, value) = line.split_once(' ').expect("a name and a number");
        (Quantity::find(name).expect("a quantity"), number(value))
    });
    Some((round_trip, figures.collect()))
}

fn number(text: &str) -> f64 {
    text.parse().expect("a number")
}

const CALIBRATION: &str = "calibration";
const FLOORS: &str = "floors";
const ONE: &str = "one";
/// Long tasks run in every fourth round: in three of ten.
const LONG_EVERY: usize = 4;
