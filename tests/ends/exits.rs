//! Ends of a process that run no destructors.

use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::signals::{given_agent, received, start_again, trace, tracer};

/// Returns the time between the oldest lost span of a scene's process and its end. The process says its numbers, and
/// ends by itself or, once it has traced for three seconds, by `end`.
pub(crate) fn oldest_lost(scene: &str, end: impl FnOnce(&mut Child)) -> Duration {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
    let mut child = start_again(scene, socket.local_addr().expect("bound"));
    let said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let numbers = scope.spawn(|| received(&socket, &is_over));
        // When each number was said.
        let (mut times, start) = (Vec::new(), Instant::now());
        let mut end = Some(end);
        for line in said {
            assert_eq!(line.expect("text"), times.len().to_string());
            times.push(Instant::now());
            if start.elapsed() >= Duration::from_secs(3)
                && let Some(end) = end.take()
            {
                end(&mut child);
            }
        }
        let ended = Instant::now();
        child.wait().expect("a child");
        is_over.store(true, Ordering::Release);
        let numbers = numbers.join().expect("no panic");
        assert!(!numbers.is_empty() && !times.is_empty());
        let lost = (0..times.len()).filter(|n| !numbers.contains(&(*n as u64)));
        let lost: Vec<_> = lost.map(|n| ended - times[n]).collect();
        let oldest = lost.iter().max().copied().unwrap_or_default();
        let (all, few) = (times.len(), lost.len());
        eprintln!("  {few} of {all} spans lost, the oldest {oldest:?} before the end");
        oldest
    })
}

/// An interval of one second, and more for a machine that is busy.
pub(crate) const BOUND: Duration = Duration::from_millis(2_500);

/// The spans that a process finishes before it ends by itself, one in a millisecond or more.
const SPANS: u64 = 2_500;

pub(super) fn a_process_that_exits_loses_no_span_older_than_the_flush_interval() {
    if let Some(agent) = given_agent() {
        let tracer = tracer(agent);
        trace(&tracer, Duration::from_millis(1), SPANS);
        std::process::exit(0);
    }
    let scene = "a_process_that_exits_loses_no_span_older_than_the_flush_interval";
    let oldest = oldest_lost(scene, |_| {});
    assert!(oldest < BOUND, "lost after {oldest:?}");
}

pub(super) fn a_process_that_becomes_another_program_loses_no_span_older_than_the_flush_interval() {
    if let Some(agent) = given_agent() {
        let tracer = tracer(agent);
        trace(&tracer, Duration::from_millis(1), SPANS);
        let error = Command::new("true").exec();
        unreachable!("{error}");
    }
    let scene =
        "a_process_that_becomes_another_program_loses_no_span_older_than_the_flush_interval";
    let oldest = oldest_lost(scene, |_| {});
    assert!(oldest < BOUND, "lost after {oldest:?}");
}
