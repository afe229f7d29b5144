//! Signals that end a process.

use std::collections::HashSet;
use std::env;
use std::io;
#[cfg(feature = "signals")]
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, UdpSocket};
#[cfg(feature = "signals")]
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
#[cfg(feature = "signals")]
use std::time::Instant;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;

use crate::exits::{BOUND, oldest_lost};
use crate::support::{LONG, builder};

const AGENT: &str = "--agent";

pub(crate) fn tracer(agent: SocketAddr) -> JaegerTracer {
    builder(RemoteReporter::new(UdpSender::new(agent)))
        .build()
        .expect("named")
}

/// Sends a signal to a process.
fn kill(process: u32, signal: libc::c_int) {
    let process = libc::pid_t::try_from(process).expect("a process id");
    // SAFETY: the call takes numbers. The process is a child that was not waited for.
    #[expect(unsafe_code, reason = "the standard library sends only SIGKILL")]
    let result = unsafe { libc::kill(process, signal) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

/// Runs the scene again, as a process of its own.
pub(crate) fn start_again(scene: &str, agent: SocketAddr) -> Child {
    Command::new(env::current_exe().expect("the path of this test"))
        .args(["--scene", scene, AGENT, &agent.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs")
}

/// Returns the agent's address if this is the process that a scene has started.
pub(crate) fn given_agent() -> Option<SocketAddr> {
    let arguments: Vec<_> = env::args().collect();
    let [.., flag, address] = &arguments[..] else {
        return None;
    };
    (flag == AGENT).then(|| address.parse().expect("an address"))
}

/// Finishes spans with a pause behind each, and says its number.
pub(crate) fn trace(tracer: &JaegerTracer, pause: Duration, spans: u64) {
    for n in 0..spans {
        tracer.build_span(format!("n{n:09}.")).start().finish();
        println!("{n}");
        thread::sleep(pause);
    }
}

/// Finishes spans as [`trace`] does, until a signal comes.
fn trace_for_ever(tracer: &JaegerTracer, pause: Duration) -> ! {
    trace(tracer, pause, u64::MAX);
    unreachable!("a signal comes before");
}

/// Takes datagrams until the process has ended and none is left. Returns the numbers of the spans in them.
pub(crate) fn received(socket: &UdpSocket, is_over: &AtomicBool) -> HashSet<u64> {
    let pause = Some(Duration::from_millis(10));
    socket.set_read_timeout(pause).expect("not zero");
    let mut numbers = HashSet::new();
    let mut datagram = vec![0; 70_000];
    loop {
        let was_over = is_over.load(Ordering::Acquire);
        match socket.recv(&mut datagram) {
            Ok(size) => numbers.extend(numbers_in(&datagram[..size])),
            Err(_) if was_over => return numbers,
            Err(_) => {}
        }
    }
}

/// Returns the numbers in the operation names of a datagram.
fn numbers_in(datagram: &[u8]) -> impl Iterator<Item = u64> + '_ {
    datagram.windows(11).filter_map(|name| {
        let number = name.strip_prefix(b"n")?.strip_suffix(b".")?;
        str::from_utf8(number).ok()?.parse().ok()
    })
}

/// Starts a process that traces, ends it by a signal once it has said `count` numbers, and returns how it ended, how
/// long that took, the last number that it had said before, and the numbers of the spans that came.
#[cfg(feature = "signals")]
fn end_one(
    scene: &str,
    signal: libc::c_int,
    count: u64,
) -> (std::process::ExitStatus, Duration, u64, HashSet<u64>) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
    let mut child = start_again(scene, socket.local_addr().expect("bound"));
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let numbers = scope.spawn(|| received(&socket, &is_over));
        let mut last = 0;
        for _ in 0..=count {
            let line = said.next().expect("it goes on").expect("text");
            last = line.parse().expect("a number");
        }
        let told = Instant::now();
        kill(child.id(), signal);
        let status = child.wait().expect("a child");
        let took = told.elapsed();
        is_over.store(true, Ordering::Release);
        (status, took, last, numbers.join().expect("no panic"))
    })
}

/// Numbers of spans before the signal: the first one, less than a batch, and many batches.
#[cfg(feature = "signals")]
const COUNTS: [u64; 8] = [0, 1, 7, 100, 1_000, 3_000, 5_000, 10_000];

#[cfg(feature = "signals")]
pub(super) fn every_span_that_has_finished_is_sent_before_a_signal_ends_the_process() {
    if let Some(agent) = given_agent() {
        let tracer = tracer(agent);
        tracer.close_on_terminate(LONG).expect("a thread");
        tracer.close_on_interrupt(LONG).expect("a thread");
        trace_for_ever(&tracer, Duration::ZERO);
    }
    let scene = "every_span_that_has_finished_is_sent_before_a_signal_ends_the_process";
    for (n, count) in COUNTS.into_iter().enumerate() {
        let signal = [libc::SIGTERM, libc::SIGINT][n % 2];
        let (status, took, last, numbers) = end_one(scene, signal, count);
        assert_eq!(status.signal(), Some(signal), "{status}");
        let missing: Vec<_> = (0..=last).filter(|n| !numbers.contains(n)).collect();
        assert!(
            missing.is_empty(),
            "{} of {last}: {missing:?}",
            missing.len()
        );
        assert!(took < LONG, "{took:?}");
        eprintln!("  signal {signal} behind {last} spans: all sent, {took:?}");
    }
}

pub(super) fn a_killed_process_loses_no_span_older_than_the_flush_interval() {
    if let Some(agent) = given_agent() {
        let tracer = tracer(agent);
        // A flood would show how busy the machine is, and not how old a span gets.
        trace_for_ever(&tracer, Duration::from_millis(1));
    }
    let scene = "a_killed_process_loses_no_span_older_than_the_flush_interval";
    let oldest = oldest_lost(scene, |child| kill(child.id(), libc::SIGKILL));
    assert!(oldest < BOUND, "lost after {oldest:?}");
}

#[cfg(feature = "signals")]
pub(super) fn a_forked_child_ends_by_the_signal_at_once_and_its_parent_goes_on() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
    let tracer = tracer(socket.local_addr().expect("bound"));
    tracer.close_on_terminate(LONG).expect("a thread");
    for watches_too in [false, true] {
        let mut child = crate::process::fork(|output| {
            if watches_too {
                tracer.close_on_terminate(LONG).expect("a thread");
                tracer.start_span("n000000042.").finish();
            }
            crate::process::say(output, 1);
            loop {
                thread::park();
            }
        });
        io::Read::read_exact(child.output(), &mut [0; 8]).expect("it is ready");
        kill(child.id().unsigned_abs(), libc::SIGTERM);
        assert_eq!(child.wait_for_signal(), Some(libc::SIGTERM));
        let numbers = received(&socket, &AtomicBool::new(true));
        assert_eq!(numbers.contains(&42), watches_too);
        tracer.start_span("s").finish();
        let report = tracer.flush(LONG);
        assert!(report.is_complete(), "the parent goes on: {report}");
    }
}

/// Blocks for ever.
#[cfg(feature = "signals")]
struct Hung;

#[cfg(feature = "signals")]
impl tracehound::reporter::Reporter for Hung {
    fn report(&mut self, _: &tracehound::reporter::FinishedSpan<'_>) {
        loop {
            thread::park();
        }
    }
}

#[cfg(feature = "signals")]
pub(super) fn a_tracer_that_hangs_takes_no_time_from_another_one_at_a_signal() {
    if let Some(agent) = given_agent() {
        let hung = builder(Hung).build().expect("named");
        hung.close_on_terminate(GRACE).expect("a thread");
        hung.start_span("s").finish();
        let tracer = tracer(agent);
        tracer.close_on_terminate(GRACE).expect("a thread");
        trace_for_ever(&tracer, Duration::ZERO);
    }
    let scene = "a_tracer_that_hangs_takes_no_time_from_another_one_at_a_signal";
    let (status, took, last, numbers) = end_one(scene, libc::SIGTERM, 200);
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{status}");
    assert!((0..=last).all(|n| numbers.contains(&n)), "{last}");
    // Not before the grace of the one that hangs, and soon after it.
    assert!((GRACE..GRACE + LONG).contains(&took), "{took:?}");
}

/// Time enough for the other tracer on a busy machine.
#[cfg(feature = "signals")]
const GRACE: Duration = Duration::from_secs(3);
