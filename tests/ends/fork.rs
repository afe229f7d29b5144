//! Spans and the worker after a fork.

use std::io::{PipeWriter, Read as _, Write as _, pipe};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::{Counter, DropCause, FlushReport, InMemoryMetrics};
use tracehound::model::SpanKind;
use tracehound::observer::{RedMetrics, RpcMetrics};
use tracehound::prelude::*;
use tracehound::reporter::sender::UdpSender;
use tracehound::reporter::{FinishedSpan, InMemoryReporter, RemoteReporter, Reporter, Unsent};
use tracehound::sampler::{ConstSampler, KeepSampler};

use crate::process::{fork, fork_here, in_child, numbers, say};
use crate::support::{LONG, builder, names, recording, until};

/// A socket in the place of an agent. A thread of the parent reads it all the time.
pub(crate) struct Agent {
    address: SocketAddr,
    heard: mpsc::Receiver<Vec<u8>>,
    datagrams: Vec<Vec<u8>>,
}

impl Agent {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
        let address = socket.local_addr().expect("bound");
        let (say, heard) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 65_536];
            // Ends when the scene drops the receiver.
            while let Ok(len) = socket.recv(&mut buffer) {
                if say.send(buffer[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            heard,
            datagrams: Vec::new(),
        }
    }

    /// Returns a tracer that sends to this agent.
    pub(crate) fn tracer(&self, flush_interval: Duration) -> JaegerTracer {
        builder(RemoteReporter::new(UdpSender::new(self.address)))
            .flush_interval(flush_interval)
            .build()
            .expect("named")
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many datagrams so far contain a text. The texts of these scenes are in one span each.
    fn count(&mut self, text: &str) -> usize {
        self.datagrams.extend(self.heard.try_iter());
        let has = |datagram: &&Vec<u8>| {
            let mut pieces = datagram.windows(text.len());
            pieces.any(|piece| piece == text.as_bytes())
        };
        self.datagrams.iter().filter(has).count()
    }

    pub(crate) fn wait_for(&mut self, text: &str) {
        until(text, || self.count(text) > 0);
    }
}

const SELDOM: Duration = Duration::from_secs(3_600);
const OFTEN: Duration = Duration::from_millis(5);

fn dropped(report: &FlushReport, cause: DropCause) -> u64 {
    report.dropped.get(cause)
}

pub(super) fn a_forked_child_sends_its_spans_by_a_worker_of_its_own() {
    let mut agent = Agent::start();
    let tracer = agent.tracer(OFTEN);
    tracer.start_span("of the parent").finish();
    agent.wait_for("of the parent");
    let active = tracer.start_span("request");
    let parent = active.context();
    let scope = active.activate();
    let (mut heard, until_heard) = pipe().expect("a pipe");
    let mut until_heard = Some(until_heard);
    let child = fork(|output| {
        drop(until_heard.take());
        let before = Instant::now();
        let span = tracer.start_span("of the child");
        let took = before.elapsed();
        assert_eq!(span.context().trace_id(), parent.trace_id());
        assert_eq!(span.context().parent_id(), parent.span_id());
        span.finish();
        say(output, took.as_micros() as u64);
        // No flush: the worker sends on its own while the process lives.
        assert_eq!(heard.read(&mut [0]).expect("a pipe"), 0);
    });
    agent.wait_for("of the child");
    drop(until_heard);
    let micros = numbers(&child.wait())[0];
    println!("the first span of the child took {micros} us to start");
    assert!(micros < 200_000, "{micros} us");
    drop(scope);
    active.finish();
    let report = tracer.flush(LONG);
    assert_eq!((report.finished, report.sent), (2, 2), "{report}");
    agent.wait_for("request");
    for name in ["of the parent", "of the child", "request"] {
        assert_eq!(agent.count(name), 1, "{name}");
    }
}

pub(super) fn waiting_and_open_spans_are_sent_once_after_a_fork() {
    let mut agent = Agent::start();
    let tracer = agent.tracer(SELDOM);
    let waiting: Vec<_> = (0..10).map(|n| format!("waiting {n};")).collect();
    for name in &waiting {
        tracer.start_span(name.clone()).finish();
    }
    // A value that the child takes stays in place in the parent.
    let mut open = Some(tracer.start_span("open at the fork"));
    let mut shared = Some(tracer.start_span("shared at the fork"));
    let mut copy = shared.clone();
    in_child(|| {
        let open = open.take().expect("there");
        assert_eq!(tracer.metrics().get(Counter::StartedSpansSampled), 0);
        open.set_tag("late", 1).log_event("late");
        assert!(open.context().is_sampled());
        open.clone().finish();
        assert!(!open.is_recording());
        open.finish();
        drop(shared.take());
        drop(copy.take());
        let report = tracer.report();
        assert_eq!(dropped(&report, DropCause::Forked), 12, "{report}");
        tracer.start_span("new in the child").finish();
        let report = tracer.flush(LONG);
        assert_eq!(dropped(&report, DropCause::Forked), 12, "{report}");
        assert_eq!((report.finished, report.sent), (13, 1), "{report}");
        assert_eq!(tracer.metrics().get(Counter::FinishedSpansSampled), 1);
        let report = tracer.close(LONG);
        assert_eq!((report.sent, report.queued), (1, 0), "{report}");
    });
    agent.wait_for("new in the child");
    assert_eq!(agent.count("waiting"), 0, "the child has sent none of them");
    drop(open);
    drop(shared);
    copy.expect("there").finish();
    let report = tracer.close(LONG);
    assert_eq!((report.finished, report.sent), (12, 12), "{report}");
    agent.wait_for("shared at the fork");
    for name in waiting.iter().map(String::as_str) {
        assert_eq!(agent.count(name), 1, "{name}");
    }
    for name in ["open at the fork", "shared at the fork", "new in the child"] {
        assert_eq!(agent.count(name), 1, "{name}");
    }
}

pub(super) fn a_forked_child_of_a_forked_child_traces_too() {
    let mut agent = Agent::start();
    let tracer = agent.tracer(SELDOM);
    tracer.start_span("generation 0").finish();
    fn descend(tracer: &JaegerTracer, generation: u64) {
        in_child(|| {
            let name = format!("generation {generation}");
            let open = tracer.start_span("open");
            // Starts the worker of this child. It then does nothing on its own for an hour.
            tracer.flush(LONG);
            tracer.start_span(name).finish();
            if generation < 5 {
                descend(tracer, generation + 1);
            }
            open.finish();
            let report = tracer.flush(LONG);
            assert_eq!((report.sent, report.queued), (2, 0), "{report}");
            // The span of the generation before, which that one had not sent yet.
            assert_eq!(dropped(&report, DropCause::Forked), 1, "{report}");
        });
    }
    descend(&tracer, 1);
    // The generation between does not trace.
    in_child(|| {
        in_child(|| {
            tracer.start_span("grandchild").finish();
            let report = tracer.flush(LONG);
            assert_eq!(dropped(&report, DropCause::Forked), 1, "{report}");
            assert_eq!(report.sent, 1, "{report}");
        });
    });
    assert_eq!(tracer.close(LONG).sent, 1);
    agent.wait_for("generation 0");
    for generation in 0..=5 {
        assert_eq!(agent.count(&format!("generation {generation}")), 1);
    }
    assert_eq!(agent.count("grandchild"), 1);
}

pub(super) fn threads_of_a_forked_child_trace_too() {
    let agent = Agent::start();
    let tracer = agent.tracer(OFTEN);
    let shared = tracer.start_span("shared");
    for _ in 0..10 {
        in_child(|| {
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for n in 0..100 {
                            shared.set_tag("n", n);
                            tracer.build_span("s").child_of(&shared).start().finish();
                        }
                        tracer.flush(LONG);
                    });
                }
            });
            let report = tracer.close(LONG);
            assert_eq!((report.finished, report.sent), (400, 400), "{report}");
            assert_eq!(tracer.metrics().get(Counter::FinishedSpansSampled), 400);
        });
    }
    shared.finish();
    assert_eq!(tracer.close(LONG).sent, 1);
}

pub(super) fn a_forked_child_without_an_agent_ends_by_its_deadline() {
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
    let address = nobody.local_addr().expect("bound");
    drop(nobody);
    let tracer = builder(RemoteReporter::new(UdpSender::new(address)))
        .build()
        .expect("named");
    tracer.start_span("s").finish();
    tracer.flush(LONG);
    let timeout = Duration::from_millis(200);
    for _ in 0..5 {
        in_child(|| {
            tracer.start_span("s").finish();
            let before = Instant::now();
            let flushed = tracer.flush(timeout);
            let report = tracer.close(timeout);
            let took = before.elapsed();
            assert!(took < 2 * timeout + Duration::from_secs(2), "{took:?}");
            assert_eq!(flushed.finished, 1, "{flushed}");
            assert_eq!(report.sent, 0, "{report}");
        });
    }
}

/// A reporter that keeps nothing and cannot be made again after a fork.
struct Lost;

impl Reporter for Lost {
    fn report(&mut self, _: &FinishedSpan<'_>) {}
}

pub(super) fn a_forked_child_says_that_its_reporter_cannot_be_made_again() {
    let (lines, said) = mpsc::channel();
    let tracer = builder(Lost)
        .diagnostics(tracehound::diagnostics::Diagnostics::with_handler(
            move |line| {
                let _ = lines.send(line.to_owned());
            },
        ))
        .build()
        .expect("named");
    tracer.start_span("s").finish();
    assert_eq!(tracer.flush(LONG).sent, 1);
    in_child(|| {
        for _ in 0..3 {
            tracer.start_span("s").finish();
        }
        let report = tracer.flush(LONG);
        assert_eq!(dropped(&report, DropCause::NoWorker), 3, "{report}");
        assert_eq!((report.sent, report.queued), (0, 0), "{report}");
        let report = tracer.close(LONG);
        assert_eq!(dropped(&report, DropCause::NoWorker), 3, "{report}");
        let line = said.recv_timeout(LONG).expect("a line");
        assert!(line.contains("forked"), "{line}");
        assert!(said.try_recv().is_err(), "one line is enough");
    });
}

pub(super) fn a_forked_child_that_never_traces_has_no_second_thread() {
    let agent = Agent::start();
    let mut tracer = Some(agent.tracer(OFTEN));
    let mut open = tracer.as_ref().map(|tracer| tracer.start_span("open"));
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task");
        tasks.map_or(1, Iterator::count)
    };
    in_child(|| {
        let (tracer, span) = (tracer.take().expect("there"), open.take().expect("there"));
        let _ = span.context();
        drop(span.clone());
        assert_eq!(tracer.flush(LONG).queued, 0);
        span.finish();
        assert_eq!(tracer.close(LONG).queued, 0);
        drop(tracer);
        assert_eq!(threads(), 1);
    });
    in_child(|| {
        drop(tracer.take());
        drop(open.take());
        assert_eq!(threads(), 1);
    });
    in_child(|| {
        let tracer = tracer.as_ref().expect("there");
        tracer.start_span("one").finish();
        assert!(threads() <= 2 && tracer.close(LONG).sent == 1);
    });
}

pub(super) fn a_closed_tracer_stays_closed_in_a_forked_child() {
    let (tracer, _) = recording();
    let open = tracer.start_span("open");
    tracer.start_span("s").finish();
    tracer.close(LONG);
    in_child(|| {
        open.clone().finish();
        tracer.start_span("late").finish();
        thread::scope(|scope| {
            scope.spawn(|| tracer.start_span("late").finish());
        });
        let report = tracer.flush(LONG);
        assert_eq!(dropped(&report, DropCause::AfterShutdown), 2, "{report}");
        assert_eq!(dropped(&report, DropCause::Forked), 1, "{report}");
        assert_eq!(report.finished, 3, "{report}");
        assert_eq!(tracer.close(LONG), report);
    });
}

pub(super) fn spans_that_wait_for_a_decision_of_the_parent_are_counted_in_a_forked_child() {
    let spans = InMemoryReporter::new();
    let keep = KeepSampler::new(ConstSampler::new(false));
    let tracer = builder(spans.clone()).sampler(keep).build().expect("named");
    let root = tracer.start_span("root");
    in_child(|| {
        let child = tracer.build_span("waits").child_of(&root).start();
        child.finish();
        assert_eq!(
            tracer.flush(LONG).dropped.total(),
            0,
            "it may be decided yet"
        );
        root.clone().finish();
        let report = tracer.flush(LONG);
        assert_eq!(dropped(&report, DropCause::Delayed), 1, "{report}");
        assert_eq!(report.finished, 1, "{report}");
        assert!(names(&spans).is_empty());
    });
    root.set_tag("error", true);
    drop(root);
    assert_eq!(names(&spans), ["root"], "the parent decides for itself");
}

pub(super) fn an_in_memory_reporter_begins_anew_in_a_forked_child() {
    let (tracer, spans) = recording();
    tracer.start_span("before").finish();
    assert_eq!(names(&spans), ["before"]);
    in_child(|| {
        assert!(names(&spans).is_empty());
        tracer.start_span("child").finish();
        assert_eq!(names(&spans), ["child"]);
        in_child(|| {
            tracer.start_span("grandchild").finish();
            assert_eq!(names(&spans), ["grandchild"]);
        });
        assert_eq!(spans.take().len(), 1);
        // A tracer that is built in the child is independent of the parent.
        let (tracer, spans) = recording();
        tracer.start_span("own").finish();
        assert_eq!(names(&spans), ["own"]);
        assert!(tracer.close(LONG).is_complete());
    });
    tracer.start_span("after").finish();
    assert_eq!(names(&spans), ["after", "before"]);
}

pub(super) fn a_reporter_may_fork() {
    /// Forks at the second span, and continues in the child as if it were the parent.
    struct Forks(u32, PipeWriter);
    impl Reporter for Forks {
        fn report(&mut self, _: &FinishedSpan<'_>) {
            self.0 += 1;
            self.1.write_all(b"r").expect("heard");
            if self.0 == 2 {
                fork_here();
            }
        }

        fn flush(&mut self, _: Instant) -> Unsent {
            self.1.write_all(b"f").expect("heard");
            fork_here();
            Unsent::default()
        }
    }
    let (mut heard, say) = pipe().expect("a pipe");
    let tracer = builder(Forks(0, say))
        .flush_interval(SELDOM)
        .build()
        .expect("named");
    for _ in 0..5 {
        tracer.start_span("s").finish();
    }
    let report = tracer.close(LONG);
    assert_eq!((report.finished, report.sent), (5, 5), "{report}");
    drop(tracer);
    // Waits for all processes. A child that has no line here did nothing twice.
    let mut said = Vec::new();
    heard.read_to_end(&mut said).expect("a pipe");
    // The worker flushes before it closes, which is another flush here.
    assert_eq!(said, b"rrrrrff");
}

pub(super) fn a_forked_child_counts_operations_and_metrics_from_zero() {
    let (red, library) = (RedMetrics::new(), InMemoryMetrics::new());
    let spans = InMemoryReporter::new();
    let builder = builder(spans)
        .observer(red.clone())
        .observer(RpcMetrics::new(library.clone()));
    let tracer = builder
        .metrics_factory(library.clone())
        .build()
        .expect("named");
    let pay = || tracer.build_span("pay").tag("span.kind", "server").start();
    let counted = |n: u64| {
        tracer.flush(LONG);
        let operation = red.get("pay", Some(SpanKind::Server));
        assert_eq!(operation.map_or(0, |it| it.count()), n);
        let labels = [
            ("component", "jaeger"),
            ("endpoint", "pay"),
            ("error", "false"),
        ];
        assert_eq!(library.counter_value("jaeger_rpc_requests", &labels), n);
        let sampled = [("sampled", "y")];
        let finished = library.counter_value("jaeger_tracer_finished_spans", &sampled);
        assert_eq!(finished, n);
    };
    for _ in 0..3 {
        pay().finish();
    }
    counted(3);
    let open = pay();
    let open_in_child = open.clone();
    in_child(|| {
        counted(0);
        pay().finish();
        thread::scope(|scope| {
            scope.spawn(|| pay().finish());
        });
        counted(2);
        // The parent counts the span that was open at the fork.
        open_in_child.finish();
        counted(2);
    });
    open.finish();
    counted(4);
}
