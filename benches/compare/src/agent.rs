//! W8: spans on their way out of the program.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::clocks::{peak_memory, process_cpu, thread_cpu};
use crate::contender::{Batches, Contender, Destination, Mode, Prepare};
use crate::figure::{Figure, Quantity};
use crate::request::Request;
use crate::sink::Sink;

/// 20 requests every millisecond, from one thread that sleeps meanwhile. All spans are to arrive.
pub fn paced(prepare: Prepare) -> Option<Vec<Figure>> {
    let mut sink = Sink::start();
    let contender = leak(prepare(
        Mode::Sampled,
        Destination::Network(sink.addresses, Batches::Usual),
    )?);
    let mut request = Request::new(true);
    let mut program = program(move |ticks: u32| {
        let (begin, cpu) = (Instant::now(), thread_cpu());
        for tick in 1..=ticks {
            contender.requests(REQUESTS, &mut request);
            thread::sleep((TICK * tick).saturating_sub(begin.elapsed()));
        }
        thread_cpu() - cpu
    });
    let mut run = |ticks| {
        let cpu = program(ticks);
        contender.flush();
        (cpu, 2 * REQUESTS * u64::from(ticks))
    };
    let (_, warm) = run(WARM_UP);
    sink.wait_for(warm);
    let cpu = process_cpu();
    let (program_cpu, made) = run(TICKS);
    // Contenders whose flush returns before everything has been sent have the time that this takes.
    thread::sleep(Duration::from_millis(20));
    let cpu = process_cpu() - cpu;
    let delivered = sink.wait_for(warm + made);
    check_account(contender, warm + made, delivered);
    let for_a_span = |time: Duration| time.as_secs_f64() * 1e6 / made as f64;
    Some(vec![
        (Quantity::Cpu, for_a_span(cpu)),
        (
            Quantity::BackgroundCpu,
            for_a_span(cpu.saturating_sub(program_cpu)),
        ),
        (Quantity::Missing, missing(delivered, warm + made)),
    ])
}

/// As many requests as one thread can do, into a sink in another process.
pub fn flood(prepare: Prepare) -> Option<Vec<Figure>> {
    let mut sink = Sink::start();
    let contender = leak(prepare(
        Mode::Sampled,
        Destination::Network(sink.addresses, Batches::Large),
    )?);
    let flood = run_flood(contender, || sink.delivered());
    let delivered = if flood.is_over {
        sink.wait_for(flood.made)
    } else {
        sink.delivered()
    };
    Some(flood.figures(contender, delivered))
}

/// The same into a sink in this process.
pub fn flood_within(prepare: Prepare) -> Option<Vec<Figure>> {
    let contender = leak(prepare(Mode::Sampled, Destination::Memory)?);
    let tally = contender.tally();
    let flood = run_flood(contender, || tally.delivered());
    Some(flood.figures(contender, tally.delivered()))
}

struct Flood {
    made: u64,
    /// Nothing waits in the contender.
    is_over: bool,
    /// A second, in millions.
    rate: f64,
    /// In MB.
    memory: f64,
}

/// What waits when the time is up has some more to arrive.
fn run_flood(contender: &'static dyn Contender, mut delivered: impl FnMut() -> u64) -> Flood {
    let mut request = Request::new(true);
    let mut program = program(move |time| {
        let mut made = 0;
        let begin = Instant::now();
        while begin.elapsed() < time {
            contender.requests(FLOOD_BURST, &mut request);
            made += 2 * FLOOD_BURST;
        }
        made
    });
    let begin = Instant::now();
    let made = program(FLOOD);
    let rate = delivered() as f64 / begin.elapsed().as_secs_f64() / 1e6;
    let (done, is_done) = channel();
    thread::spawn(move || {
        contender.flush();
        let _ = done.send(());
    });
    // One that holds without end what it cannot send would need minutes.
    let is_over = is_done.recv_timeout(GRACE).is_ok();
    Flood {
        made,
        is_over,
        rate,
        memory: peak_memory(),
    }
}

impl Flood {
    fn figures(&self, contender: &dyn Contender, delivered: u64) -> Vec<Figure> {
        if self.is_over {
            check_account(contender, self.made, delivered);
        }
        vec![
            (Quantity::Delivered, self.rate),
            (Quantity::Missing, missing(delivered, self.made)),
            (Quantity::Memory, self.memory),
        ]
    }
}

/// A thread that does what it is told to and then waits, until the caller is let go: what a thread has left where it
/// alone can take it from is lost with some contenders when it ends.
fn program<T: Send + 'static, R: Send + 'static>(
    mut work: impl FnMut(T) -> R + Send + 'static,
) -> impl FnMut(T) -> R {
    let (orders, taken) = channel();
    let (done, results) = channel();
    thread::spawn(move || {
        for order in taken {
            done.send(work(order)).expect("the one who ordered waits");
        }
    });
    move |order| {
        orders.send(order).expect("it waits for orders");
        results.recv().expect("it only counts")
    }
}

/// Some contenders' threads go on until the process ends.
fn leak(contender: Box<dyn Contender>) -> &'static dyn Contender {
    Box::leak(contender)
}

/// Who keeps one has every span in it, and none arrives that was not sent.
fn check_account(contender: &dyn Contender, made: u64, delivered: u64) {
    if let Some(account) = contender.account() {
        assert_eq!(account.finished, made, "finished");
        assert_eq!(account.sent + account.lost, made, "sent and lost");
        assert!(delivered <= account.sent, "arrived, and not sent");
    }
}

fn missing(delivered: u64, made: u64) -> f64 {
    1.0 - delivered as f64 / made as f64
}

const TICK: Duration = Duration::from_millis(1);
const REQUESTS: u64 = 20;
const WARM_UP: u32 = 50;
const TICKS: u32 = 500;

const FLOOD: Duration = Duration::from_secs(1);
const FLOOD_BURST: u64 = 50;
const GRACE: Duration = Duration::from_millis(500);
