//! W9: finished spans to bytes.

use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Destination, Mode, Prepare};
use crate::cores::{Cores, go_to};
use crate::figure::{Figure, Quantity};
use crate::request::Request;
use crate::workload::Workload;

/// Measures the time of the encoding thread, in bursts of requests whose spans all arrive.
pub fn measure(prepare: Prepare, cores: Cores, time: Duration) -> Option<Vec<Figure>> {
    go_to(cores.reporter);
    let contender = prepare(Mode::Sampled, Destination::Bytes)?;
    let tally = contender.tally();
    let read = || (tally.encoding_ns(), tally.delivered());
    let produce = || {
        go_to(cores.program);
        let mut request = Request::new(true);
        let mut burst = || {
            Workload::Request.run(&*contender, &mut request);
            cores.visit_reporter(|| contender.flush());
        };
        (0..WARM_UP).for_each(|_| burst());
        let (ns, spans) = read();
        let end = Instant::now() + time;
        let mut bursts = 0;
        while Instant::now() < end || bursts < LEAST {
            burst();
            bursts += 1;
        }
        let (ns, spans) = (read().0 - ns, read().1 - spans);
        assert_eq!(
            spans,
            Workload::Request.spans() * bursts,
            "spans are missing"
        );
        ns as f64 / spans as f64
    };
    let ns = thread::scope(|scope| scope.spawn(produce).join().expect("it only counts"));
    Some(vec![(Quantity::Time, ns)])
}

const WARM_UP: usize = 4;
const LEAST: u64 = 8;
