//! All contenders on all workloads, again and again: one process each, so that no threads, globals or heap of one
//! meet another's.

use std::env;
use std::process::Command;
use std::time::Duration;

use crate::contender;
use crate::cores::{Cores, go_to};
use crate::floor::Floors;
use crate::measure::{Figure, measure};
use crate::results::Results;
use crate::workload::Workload;

/// Interleaved, so that what the machine does meanwhile meets all of them; each round begins with another one.
pub fn run(rounds: usize, millis: &str) -> Results {
    let mut results = Results::default();
    for round in 0..rounds {
        eprintln!("round {} of {rounds}", round + 1);
        for workload in Workload::ALL {
            results.add_floors(in_process(&[FLOORS], floors));
            for at in 0..contender::ALL.len() {
                let (name, _) = contender::ALL[(round + at) % contender::ALL.len()];
                let sample = in_process(&[ONE, name, workload.key(), millis], sample);
                if let Some((round_trip, figure)) = sample {
                    results.add(name, workload, round_trip, figure);
                }
            }
        }
    }
    results
}

/// What such a process does. False if the arguments are not of one.
pub fn serve(arguments: &[&str]) -> bool {
    match arguments {
        [FLOORS] => {
            go_to(Cores::find().program);
            let Floors { f1, f3, f4 } = Floors::measure();
            println!("{f1} {f3} {f4}");
        }
        [ONE, name, workload, millis] => {
            let (_, prepare) = contender::ALL
                .into_iter()
                .find(|(known, _)| known == name)
                .expect("a name");
            let workload = Workload::find(workload).expect("a workload");
            let time = Duration::from_millis(millis.parse().expect("a number of milliseconds"));
            let cores = Cores::find();
            let round_trip = cores.round_trip();
            if let Some(figure) = measure(prepare, workload, cores, time) {
                println!(
                    "{round_trip} {} {}",
                    figure.ns,
                    figure.speedup.unwrap_or_default()
                );
            }
        }
        _ => return false,
    }
    true
}

fn in_process<T>(arguments: &[&str], read: impl FnOnce(&[f64]) -> T) -> T {
    let this = env::current_exe().expect("the system knows this program");
    let output = Command::new(this)
        .args(arguments)
        .output()
        .expect("this program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    let numbers = String::from_utf8_lossy(&output.stdout);
    let numbers = numbers
        .split_whitespace()
        .map(|number| number.parse().expect("a number"));
    read(&numbers.collect::<Vec<f64>>())
}

fn floors(numbers: &[f64]) -> Floors {
    match *numbers {
        [f1, f3, f4] => Floors { f1, f3, f4 },
        _ => panic!("three floors"),
    }
}

/// Nothing where the contender cannot do the work.
fn sample(numbers: &[f64]) -> Option<(f64, Figure)> {
    match *numbers {
        [round_trip, ns, speedup] => {
            let speedup = (speedup > 0.0).then_some(speedup);
            Some((round_trip, Figure { ns, speedup }))
        }
        _ => None,
    }
}

const FLOORS: &str = "floors";
const ONE: &str = "one";
