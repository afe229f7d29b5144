//! The cost of middleware to a request: tracehound's layers beside those of other tracing crates, on the same requests.
//!
//! ```console
//! cargo run --release --manifest-path benches/compare/Cargo.toml -p layers
//! cargo run --release --manifest-path benches/compare/Cargo.toml -p layers -- --rounds 30
//! ```
//!
//! It needs valgrind, and takes some five minutes. It prints the tables, and writes them to `RESULTS.md` beside this
//! package's manifest.
//!
//! # Requests
//!
//! | | a request |
//! |---|---|
//! | axum | a browser's request to a router with one route, whose handler returns a text |
//! | reqwest | a client's request, answered by a middleware instead of the network, in a span of the caller |
//! | gRPC server | a unary call to a service of tower that answers with one message |
//! | gRPC client | a unary call of a client of tower, in a span of the caller |
//! | served | axum's request over loopback from another process; the handler writes a kilobyte of JSON |
//!
//! A layer takes the context of the caller out of `traceparent`, or puts its own one there, and makes a span with the
//! method, the route and the status. `sampled` and `unsampled` is the decision that the caller has sent; `off` is a
//! program without a tracer, a subscriber or a reporter.
//!
//! # Measured figures
//!
//! *Instructions* are those of the thread that answers the request, as valgrind counts them; they do not depend on how
//! busy the machine is. *Time* is the processor time of all threads of the process until the bytes of OTLP requests are
//! there, the median of processes that take turns, and *allocations* are those of all threads. Nothing is sent. Spans
//! are flushed after every 250 requests, and counted: a library that loses one stops the run. What the same requests
//! cost without the library is subtracted. In axum's rows that is a request through a layer that does nothing, because
//! axum boxes what passes a layer.
//!
//! A served request is measured by the processor time of the server's process. All servers run at once, and are asked
//! in turn, 2,000 requests a second for a quarter of a second each, over four connections that stay open. A figure is
//! the median, over the rounds, of the time by that of the server without a library in the same round.
//!
//! # What is not equal
//!
//! [`note`] holds the footnotes.

#[macro_use]
#[path = "../../src/encoder.rs"]
mod encoder;

mod allocations;
mod count;
mod library;
mod note;
mod open_telemetry;
mod pipeline;
mod request;
mod served;
mod start;
mod table;

#[expect(dead_code, reason = "other figures need more of it")]
#[path = "../../src/clocks.rs"]
mod clocks;
#[expect(dead_code, reason = "other tables need more of it")]
#[path = "../../src/digits.rs"]
mod digits;
#[path = "../../src/machine.rs"]
mod machine;
#[path = "../../src/median.rs"]
mod median;
#[path = "../../src/neighbours.rs"]
mod neighbours;
#[path = "../../../requests/mod.rs"]
mod requests;
#[path = "../../src/requests.rs"]
mod totals;

use std::path::Path;
use std::{env, fs};

use crate::library::{Library, Mode, Side};
use crate::neighbours::Account;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [what @ ("--time" | "--count"), side, library, mode, times] => {
            let times = times.parse().expect("a number of requests");
            request::run(
                Side::parse(side),
                Library::parse(library),
                Mode::parse(mode),
                times,
                what == "--time",
            );
        }
        ["--serve", library, mode] => served::serve(Library::parse(library), Mode::parse(mode)),
        ["--rounds", rounds] => measure(rounds.parse().expect("a number of rounds")),
        [] => measure(20),
        _ => panic!("usage: layers [--rounds 20]"),
    }
}

fn measure(rounds: usize) {
    let begin = Account::now();
    let served = served::measure(rounds);
    let others = Account::now()
        .zip(begin)
        .map(|(end, begin)| end.share_of_others_since(&begin));
    let table = table::render(&count::all(rounds), &served, rounds, others);
    print!("{table}");
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::write(package.join("RESULTS.md"), table).expect("the package can be written to");
}
