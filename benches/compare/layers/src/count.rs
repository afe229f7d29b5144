//! Instructions, processor time and allocations, of processes of this program.

use std::env;
use std::process::{Command, Output};

use crate::library::{Library, Mode, Side};
use crate::median::median;
use crate::request::BATCH;

/// The cost of a request.
#[derive(Clone, Copy, Default)]
pub struct Counts {
    /// Instructions of the thread that answers the request.
    pub instructions: f64,
    /// Processor time of all threads, in ns.
    pub time: f64,
    /// Allocations of all threads.
    pub allocations: f64,
}

/// What a layer adds to a request.
pub struct Added {
    pub side: Side,
    pub library: Library,
    pub mode: Mode,
    pub counts: Counts,
}

/// Measures each layer in that many rounds, and subtracts what the request costs without it.
pub fn all(rounds: usize) -> Vec<Added> {
    let mut all = Vec::new();
    for side in Side::ALL {
        let with = Mode::ALL.into_iter().flat_map(|mode| {
            let libraries = side.libraries().iter();
            libraries.map(move |&library| (library, mode))
        });
        let rows: Vec<_> = [(Library::Nothing, Mode::Sampled)]
            .into_iter()
            .chain(with)
            .collect();
        let mut costs: Vec<(Vec<f64>, Vec<f64>)> = vec![Default::default(); rows.len()];
        for _ in 0..rounds {
            for (&(library, mode), (times, allocations)) in rows.iter().zip(&mut costs) {
                let [time, count] = cost(side, library, mode);
                times.push(time);
                allocations.push(count);
            }
        }
        let mut rows = rows.into_iter().zip(costs).map(|((library, mode), costs)| {
            let counts = Counts {
                instructions: instructions(side, library, mode),
                time: median(costs.0),
                allocations: median(costs.1),
            };
            (library, mode, counts)
        });
        let (_, _, without) = rows.next().expect("the row without a library");
        all.extend(rows.map(|(library, mode, with)| Added {
            side,
            library,
            mode,
            counts: Counts {
                instructions: with.instructions - without.instructions,
                time: with.time - without.time,
                allocations: with.allocations - without.allocations,
            },
        }));
    }
    all
}

/// Returns the processor time and the allocations of a request in a new process.
fn cost(side: Side, library: Library, mode: Mode) -> [f64; 2] {
    let program = env::current_exe().expect("this program");
    let output = one(Command::new(program), "--time", side, library, mode, MANY);
    let text = String::from_utf8(output.stdout).expect("numbers");
    let mut numbers = text.split_whitespace().map(|number| {
        let number: f64 = number.parse().expect("a number");
        number / MANY as f64
    });
    [0; 2].map(|_| numbers.next().expect("two numbers"))
}

/// Returns the instructions of a request, as valgrind counts them.
fn instructions(side: Side, library: Library, mode: Mode) -> f64 {
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(CALLGRIND)
        .arg(env::current_exe().expect("this program"));
    let output = one(valgrind, "--count", side, library, mode, FEW);
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, rest) = text.split_once("Collected :").expect("a count");
    let digits = rest.split_whitespace().next().expect("a count");
    digits.parse::<f64>().expect("a count") / FEW as f64
}

fn one(
    mut program: Command,
    what: &str,
    side: Side,
    library: Library,
    mode: Mode,
    times: u64,
) -> Output {
    let arguments = [side.key(), library.key(), mode.key(), &times.to_string()];
    let output = program.arg(what).args(arguments).output();
    let output = output.expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {text}");
    output
}

const FEW: u64 = 2 * BATCH;
const MANY: u64 = 40 * BATCH;

const CALLGRIND: [&str; 3] = [
    "--tool=callgrind",
    "--callgrind-out-file=/dev/null",
    "--toggle-collect=*counted_requests*",
];
