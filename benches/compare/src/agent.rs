//! W8: spans that leave the program.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::clocks::{peak_memory, process_cpu, thread_cpu};
use crate::contender::{Account, Batches, Contender, Destination, Mode, Prepare};
use crate::figure::{Figure, Quantity};
use crate::request::Request;
use crate::sink::{Reader, Sink};

/// Makes 20 requests every millisecond, from a thread that sleeps meanwhile.
pub fn paced(prepare: Prepare, reader: Reader) -> Option<Vec<Figure>> {
    let mut sink = Sink::start(reader);
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
    let for_a_span = |time: Duration| time.as_secs_f64() * 1e6 / made as f64;
    let made = warm + made;
    let delivered = sink.wait_for(made);
    let account = contender.account();
    check_account(&account, made, delivered);
    let mut figures = vec![
        (Quantity::Cpu, for_a_span(cpu)),
        (
            Quantity::BackgroundCpu,
            for_a_span(cpu.saturating_sub(program_cpu)),
        ),
    ];
    figures.extend(ledger(made, delivered, &account, sink.kernel_drops()));
    Some(figures)
}

/// Makes as many requests as one thread can, into a sink in another process.
pub fn flood(prepare: Prepare, reader: Reader) -> Option<Vec<Figure>> {
    let mut sink = Sink::start(reader);
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
    Some(flood.figures(contender, delivered, sink.kernel_drops()))
}

/// Makes as many requests as one thread can, into a sink in this process.
pub fn flood_within(prepare: Prepare) -> Option<Vec<Figure>> {
    let contender = leak(prepare(Mode::Sampled, Destination::Memory)?);
    let tally = contender.tally();
    let flood = run_flood(contender, || tally.delivered());
    Some(flood.figures(contender, tally.delivered(), None))
}

struct Flood {
    made: u64,
    /// Whether the contender has sent or dropped everything.
    is_over: bool,
    /// Spans that arrive, in millions a second.
    rate: f64,
    /// The most memory held, in MB.
    memory: f64,
}

/// Runs a flood. Spans that wait when the time is up have some more time to arrive.
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
    // A contender without a bound on its queue would need minutes.
    let is_over = is_done.recv_timeout(GRACE).is_ok();
    Flood {
        made,
        is_over,
        rate,
        memory: peak_memory(),
    }
}

impl Flood {
    fn figures(
        &self,
        contender: &dyn Contender,
        delivered: u64,
        kernel_drops: Option<u64>,
    ) -> Vec<Figure> {
        let account = contender.account();
        if self.is_over {
            check_account(&account, self.made, delivered);
        }
        let mut figures = vec![
            (Quantity::Delivered, self.rate),
            (Quantity::Memory, self.memory),
        ];
        figures.extend(ledger(self.made, delivered, &account, kernel_drops));
        figures
    }
}

/// Starts a thread that does what the caller orders and then waits. It does not end before the caller: when a thread
/// ends, some contenders lose the spans that it keeps in its own memory.
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

/// Keeps a contender until the process ends, because some contenders' threads do not stop before.
fn leak(contender: Box<dyn Contender>) -> &'static dyn Contender {
    Box::leak(contender)
}

/// Checks that an account has every span in it, and that no span arrives that the contender does not count as sent.
fn check_account(account: &Account, made: u64, delivered: u64) {
    if let Some(finished) = account.finished {
        assert_eq!(finished, made, "finished");
    }
    if let Some((sent, dropped)) = account.sent.zip(account.dropped) {
        assert_eq!(sent + dropped, made, "sent and dropped");
    }
    if let Some(sent) = account.sent {
        assert!(delivered <= sent, "arrived, and not sent");
    }
}

/// Returns how many spans were made and arrived, and what the contender and the kernel say about the others.
fn ledger(
    made: u64,
    arrived: u64,
    account: &Account,
    kernel_drops: Option<u64>,
) -> impl Iterator<Item = Figure> {
    let counts = [
        (Quantity::Made, Some(made)),
        (Quantity::Arrived, Some(arrived)),
        (Quantity::Sent, account.sent),
        (Quantity::Dropped, account.dropped),
        (Quantity::KernelDrops, kernel_drops),
    ];
    let known = |(quantity, count): (Quantity, Option<u64>)| Some((quantity, count? as f64));
    let missing = 1.0 - arrived as f64 / made as f64;
    counts
        .into_iter()
        .filter_map(known)
        .chain([(Quantity::Missing, missing)])
}

const TICK: Duration = Duration::from_millis(1);
const REQUESTS: u64 = 20;
const WARM_UP: u32 = 50;
const TICKS: u32 = 500;

const FLOOD: Duration = Duration::from_secs(1);
const FLOOD_BURST: u64 = 50;
const GRACE: Duration = Duration::from_millis(500);
