//! The cost of spans to a program: tracehound beside other tracing crates, on equal work, on the same cores and in the
//! same minutes.
//!
//! ```console
//! cargo run --release --manifest-path benches/compare/Cargo.toml
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- --rounds 40 --millis 300
//! cargo run --release --manifest-path benches/compare/Cargo.toml -- --only W8
//! ```
//!
//! It takes some six minutes on a machine that should do nothing else. It prints the table, and writes it to `RESULTS.md`
//! and a picture of it to `chart.svg` beside this package's manifest. With `--only` it measures one of `W1` to `W9`,
//! `W3s` or `latency`, and only prints the table.
//!
//! # Workloads
//!
//! | | a piece of work |
//! |---|---|
//! | W1 | a root span: start and finish, no tags |
//! | W2 | a child of an open span: start and finish, no tags |
//! | W3 | a request: the context out of one of nine headers, a server span with six tags (two numbers, two fixed strings, two strings of the request's), a log of two fields, a client span whose context goes into the headers of the next request; both finished |
//! | W3s | W3, one request at a time, each after the caches were swept |
//! | W4 | W3, but not sampled: the decision still has to reach the next service |
//! | W5 | traces of a root and 100 children, per span |
//! | W6 | W3 on two threads |
//! | W7 | a span with one tag where tracing is off |
//! | W8 | W3 with an agent or a collector in another process, on this host, that reads fast or slowly: 20 000 requests a second, and as many as one thread can make |
//! | W9 | making bytes of the spans of W3, and nothing else |
//! | latency | a root span with five tags, started and finished 50 000 times a second on each of two threads |
//!
//! # What is measured
//!
//! W1 to W7: the time of the program's thread, while finished spans have room to wait. The thread stays on one core. A
//! contender's background threads stay on the other one and take all spans to a sink that reads them; a span that does
//! not arrive stops the run. The cost of that depends on the distance of the two cores, so each process measures the
//! distance first, and its figures are filed under it. A floor is the sum of the parts that no tracer can leave out. Each run
//! measures its own floors.
//!
//! W3s: the same time, but of single requests. Before each, untimed, the thread walks through memory of four times the
//! largest cache, as a program does that works on its own data between two requests. A look at the clock is part of the
//! figure; the harness is measured alone to show it.
//!
//! A core of a virtual machine may be one of two threads of a physical core. While another machine works on the other
//! one, what keeps the core busy takes up to twice as long, for milliseconds or for minutes, and that is not the
//! program's doing. [`company`] tells it by two short loops, right before and after each burst and each round of a
//! floor's part; W1 to W5 and the floors have figures of their own for bursts alone on the physical core and for bursts
//! that shared it.
//!
//! W8: how many spans are made, how many arrive at the sink, how many the contender says it sent and dropped, and how
//! many datagrams the kernel drops because the sink does not read fast enough. At a pace, also the time that all threads
//! of the program are on a core, and how much of it in the background; in a flood, how many spans a second arrive, and the
//! most memory that is held. No thread is bound to a core. An account that a contender keeps must agree with the spans
//! that were made and that have arrived. tracehound has its default limits; into the fast sink it is measured a second
//! time with a higher limit of bytes a second.
//!
//! W9: the time that the encoding thread is on a core. Latency: the longest of the fastest 50 %, 99 %, 99.9 % and 99.99 %
//! of the calls. For it and for W8 at a pace the harness is measured alone first, since it is part of the figures.
//!
//! # What is not equal
//!
//! Contenders do equal work as far as they can. If one does less, or cannot help doing more, the table has a footnote;
//! [`note`] holds them.
//!
//! tracehound reads and writes Jaeger's headers alone, since each of the others has one format. By default it also reads
//! and writes W3C's: W3, W3s, W4 and W6 have a line for that.

mod agent;
mod arrivals;
mod chart;
mod clocks;
mod company;
mod contender;
mod cores;
mod digits;
mod encoding;
mod figure;
mod floor;
mod latency;
mod machine;
mod markdown;
mod measure;
mod median;
mod neighbours;
mod note;
mod request;
mod results;
mod rounds;
mod sink;
mod sweep;
mod table;
mod task;
mod times;
mod workload;

use std::path::Path;
use std::{env, fs};

use crate::neighbours::Account;
use crate::task::Task;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if rounds::serve(&arguments) {
        return;
    }
    let (mut rounds, mut millis, mut only) = (10, "100", None);
    for option in arguments.chunks(2) {
        match option {
            ["--rounds", number] => rounds = number.parse().expect("a number of rounds"),
            ["--millis", number] => millis = number,
            ["--only", workload] if Task::all().any(|task| task.workload() == *workload) => {
                only = Some(*workload);
            }
            _ => panic!("usage: compare [--rounds 10] [--millis 100] [--only W8]"),
        }
    }
    let begin = Account::now();
    let results = rounds::run(rounds, millis, only);
    let end = Account::now();
    let others = end
        .zip(begin)
        .map(|(end, begin)| end.share_of_others_since(&begin));
    let table = table::render(&results, rounds, others);
    print!("{table}");
    if only.is_some() {
        return;
    }
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::write(package.join("RESULTS.md"), table).expect("the package can be written to");
    fs::write(package.join("chart.svg"), chart::render(&results))
        .expect("the package can be written to");
}
