//! The lines of a tracer that meets every trouble all the time.

use std::collections::BTreeMap;
use std::fmt;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::model::display;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;
use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};

use crate::support::{LONG, number, rubbish};

/// The most open spans that record. The scene has more of them now and then.
const MOST_OPEN: usize = 1_000;

/// Runs for a second; `--seconds 120` looks at the lines of two minutes.
pub(super) fn no_cause_has_more_than_one_line_in_ten_seconds_under_any_trouble() {
    let seconds = number("--seconds").unwrap_or(1) as u64;
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
    let agent = nobody.local_addr().expect("bound");
    // Its datagrams are refused, and no other program gets its port.
    nobody.connect(agent).expect("it is there");
    let (tracer, lines) = tracer(UdpSender::new(agent));
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut troubles = 0_u64;
    let mut open = Vec::new();
    while Instant::now() < end {
        troubles += 1;
        assert!(tracer.extract(&rubbish()).is_err());
        let span = tracer.start_span("refused");
        span.set_tag("large", "x".repeat(900))
            .set_tag("shown", display(&Panics))
            .set_baggage_item("k", &"v".repeat(100_000));
        open.push(span);
        // A sampler that has panicked a hundred times is not asked any more.
        if troubles < 50 {
            drop(tracer.start_span("asks"));
        }
        if troubles.is_multiple_of(MOST_OPEN as u64 + 100) {
            open.clear();
        }
        if troubles.is_multiple_of(50) {
            tracer.flush(Duration::from_millis(20));
        }
    }
    tracer.close(LONG);
    let mut kinds = BTreeMap::<String, u64>::new();
    for line in lines.try_iter() {
        *kinds.entry(kind(&line)).or_default() += 1;
    }
    println!("{troubles} rounds of troubles in {seconds} s: {kinds:#?}");
    assert!(kinds.len() >= 4, "there was trouble of every kind");
    // One at once, one in each ten seconds after it, and one at the end of a flush or of the tracer.
    let most = 1 + seconds / 10 + 1;
    assert!(kinds.values().all(|count| *count <= most));
}

/// Returns the line without its numbers.
fn kind(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn tracer(sender: UdpSender) -> (JaegerTracer, Receiver<String>) {
    let (said, lines) = channel();
    let diagnostics = Diagnostics::with_handler(move |line| {
        let _ = said.send(line.to_owned());
    });
    let tracer = JaegerTracer::builder("test")
        .sampler(Moody(ConstSampler::new(true)))
        .reporter(RemoteReporter::new(sender))
        .diagnostics(diagnostics)
        .queue_size(500)
        .max_open_spans(MOST_OPEN)
        .build()
        .expect("named");
    (tracer, lines)
}

/// A value whose text cannot be made.
struct Panics;

impl fmt::Display for Panics {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(panic = "abort") {
            return Ok(());
        }
        std::panic::resume_unwind(Box::new(()));
    }
}

/// A sampler that panics at one of its operations.
struct Moody(ConstSampler);

impl Sampler for Moody {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if span.operation_name == "asks" && !cfg!(panic = "abort") {
            std::panic::resume_unwind(Box::new(()));
        }
        self.0.on_create_span(span)
    }
}
