//! Flush and close from everywhere, with every kind of receiver.
//!
//! `cargo test --release --all-features --test ends in_every_place -- --runs 10000` tries each combination so many
//! times.

use std::env;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::panic;
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;
use tracehound::JaegerTracer;
use tracehound::metrics::FlushReport;
use tracehound::prelude::*;
use tracehound::reporter::sender::UdpSender;
use tracehound::reporter::{FinishedSpan, RemoteReporter, Reporter};
use tracehound::tracer::TracerBuilder;

use crate::block_on::block_on;
use crate::support::{LONG, builder};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Flush,
    Close,
    FlushAsync,
    CloseAsync,
    /// The drop of the last clone, which has a second.
    Drop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A plain thread. If the worker is a task, nobody drives its runtime.
    NoRuntime,
    OneThread,
    OneWorker,
    LocalSet,
    /// Another executor on the only thread of a runtime.
    Nested,
    /// A destructor in a runtime of one thread.
    Destructor,
    PanicHook,
    /// A thread that has just dropped the runtime.
    AfterRuntime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Receiver {
    Agent,
    /// No program listens on the port.
    Refused,
    /// A collector that takes the connection and never answers.
    #[cfg(feature = "collector")]
    Hung,
    /// A reporter that blocks.
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    Thread,
    #[cfg(feature = "tokio")]
    Task,
}

const CALLS: [Call; 5] = [
    Call::Flush,
    Call::Close,
    Call::FlushAsync,
    Call::CloseAsync,
    Call::Drop,
];
const PLACES: [Place; 8] = [
    Place::NoRuntime,
    Place::OneThread,
    Place::OneWorker,
    Place::LocalSet,
    Place::Nested,
    Place::Destructor,
    Place::PanicHook,
    Place::AfterRuntime,
];
const RECEIVERS: &[Receiver] = &[
    Receiver::Agent,
    Receiver::Refused,
    #[cfg(feature = "collector")]
    Receiver::Hung,
    Receiver::Stuck,
];
const WORKERS: &[Worker] = &[
    Worker::Thread,
    #[cfg(feature = "tokio")]
    Worker::Task,
];

/// The timeout with a receiver that never answers.
const SHORT: Duration = Duration::from_millis(15);
/// The time by which a call may be late, on a machine that does much else.
const SLACK: Duration = Duration::from_secs(5);

/// Blocks until the test lets it go.
struct Stuck(mpsc::Receiver<()>);

impl Reporter for Stuck {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        let _ = self.0.recv();
    }
}

/// Calls a function when it is dropped.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The receivers of all runs.
struct Receivers {
    agent: UdpSocket,
    /// Refuses all datagrams but its own.
    deaf: UdpSocket,
    #[cfg_attr(
        not(feature = "collector"),
        expect(dead_code, reason = "nobody asks it")
    )]
    hung: TcpListener,
}

impl Receivers {
    fn new() -> Self {
        let deaf = UdpSocket::bind("127.0.0.1:0").expect("a port of loopback");
        let address = deaf.local_addr().expect("bound");
        deaf.connect(address).expect("it is there");
        Self {
            agent: UdpSocket::bind("127.0.0.1:0").expect("a port of loopback"),
            deaf,
            hung: TcpListener::bind("127.0.0.1:0").expect("a port of loopback"),
        }
    }

    /// Returns a builder with the receiver's reporter, and what lets a stuck one go when it is dropped.
    fn builder(&self, receiver: Receiver) -> (TracerBuilder, Option<Sender<()>>) {
        let udp = |address: SocketAddr| builder(RemoteReporter::new(UdpSender::new(address)));
        match receiver {
            Receiver::Agent => {
                let mut datagram = [0; 1];
                self.agent.set_nonblocking(true).expect("a socket");
                while self.agent.recv(&mut datagram).is_ok() {}
                (udp(self.agent.local_addr().expect("bound")), None)
            }
            Receiver::Refused => (udp(self.deaf.local_addr().expect("bound")), None),
            #[cfg(feature = "collector")]
            Receiver::Hung => {
                let address = self.hung.local_addr().expect("bound");
                let endpoint = format!("http://{address}/api/traces");
                let sender = tracehound::reporter::sender::HttpSender::new(&endpoint);
                (
                    builder(RemoteReporter::new(sender.expect("an endpoint"))),
                    None,
                )
            }
            Receiver::Stuck => {
                let (release, wait) = mpsc::channel();
                (builder(Stuck(wait)), Some(release))
            }
        }
    }
}

/// Makes the call. Returns how long it took, and its report. A drop has none.
async fn make(
    call: Call,
    tracer: JaegerTracer,
    timeout: Duration,
) -> (Duration, Option<FlushReport>) {
    let start = Instant::now();
    let report = match call {
        Call::Flush => tracer.flush(timeout),
        Call::Close => tracer.close(timeout),
        Call::FlushAsync => tracer.flush_async(timeout).await,
        Call::CloseAsync => tracer.close_async(timeout).await,
        Call::Drop => {
            drop(tracer);
            return (start.elapsed(), None);
        }
    };
    let took = start.elapsed();
    if report.queued > 0 {
        // A drop without a close would wait for a second.
        tracer.close(Duration::ZERO);
    }
    (took, Some(report))
}

fn runtime_of(place: Place) -> Runtime {
    let mut builder = match place {
        Place::OneWorker => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let runtime = builder.worker_threads(1).enable_all().build();
    runtime.expect("a runtime")
}

fn run(
    (call, place, receiver, worker): (Call, Place, Receiver, Worker),
    receivers: &Receivers,
) -> Duration {
    let runtime = runtime_of(place);
    let (builder, release) = receivers.builder(receiver);
    let builder = match worker {
        Worker::Thread => builder,
        #[cfg(feature = "tokio")]
        Worker::Task => builder.worker_on(runtime.handle().clone()),
    };
    let tracer = builder.build().expect("named");
    for _ in 0..3 {
        tracer.start_span("s").finish();
    }
    let answers = [Receiver::Agent, Receiver::Refused].contains(&receiver);
    let timeout = match call {
        Call::Drop => Duration::from_secs(1),
        _ if answers => LONG,
        _ => SHORT,
    };
    let made = make(call, tracer, timeout);
    let (took, report) = match place {
        Place::NoRuntime => block_on(made),
        Place::OneThread => runtime.block_on(made),
        Place::OneWorker => runtime.block_on(async { tokio::spawn(made).await.expect("no panic") }),
        Place::LocalSet => LocalSet::new().block_on(&runtime, async {
            tokio::task::spawn_local(made).await.expect("no panic")
        }),
        Place::Nested => runtime.block_on(async { block_on(made) }),
        Place::Destructor => runtime.block_on(async {
            let (mut made, mut result) = (Some(made), None);
            drop(OnDrop(|| result = made.take().map(block_on)));
            result.expect("dropped")
        }),
        Place::PanicHook => in_panic_hook(move || block_on(made)),
        Place::AfterRuntime => {
            runtime.shutdown_background();
            block_on(made)
        }
    };
    drop(release);
    if let Some(report) = report {
        assert_eq!(report.finished, 3, "{report}");
        let known = report.sent + report.dropped.total() + report.queued;
        assert_eq!(known, 3, "{report}");
        match receiver {
            Receiver::Agent => assert!(report.is_complete(), "{report}"),
            Receiver::Refused => assert_eq!(report.queued, 0, "{report}"),
            _ => {}
        }
    }
    assert!(took < timeout + SLACK, "it took {took:?}");
    if answers {
        assert!(took < SLACK, "it took {took:?}");
    }
    took.saturating_sub(timeout)
}

/// Runs `work` in the panic hook of a thread that panics.
fn in_panic_hook<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let work = Mutex::new(Some(work));
    let (say, hear) = mpsc::channel();
    panic::set_hook(Box::new(move |_| {
        if let Some(work) = work.lock().expect("not poisoned").take() {
            let _ = say.send(work());
        }
    }));
    let _ = thread::spawn(|| panic!("for the hook")).join();
    let _ = panic::take_hook();
    hear.recv().expect("the hook ran")
}

/// Returns how often each combination is tried.
fn runs() -> u32 {
    let mut arguments = env::args().skip_while(|argument| argument != "--runs");
    let runs = arguments.nth(1).and_then(|runs| runs.parse().ok());
    runs.unwrap_or(2)
}

/// Returns whether a combination can keep its time.
fn is_promised((call, place, receiver, worker): (Call, Place, Receiver, Worker)) -> bool {
    let is_stuck = receiver == Receiver::Stuck;
    match worker {
        // A panic would end the process.
        _ if place == Place::PanicHook && cfg!(panic = "abort") => false,
        // A drop has a second of its own.
        _ if call == Call::Drop => [Receiver::Agent, Receiver::Refused].contains(&receiver),
        Worker::Thread => true,
        // A reporter that blocks the only thread of a runtime blocks everything on it.
        #[cfg(feature = "tokio")]
        Worker::Task => !is_stuck || [Place::NoRuntime, Place::AfterRuntime].contains(&place),
    }
}

pub(super) fn flush_and_close_end_in_time_in_every_place_with_every_receiver() {
    let receivers = Receivers::new();
    let (mut slowest, mut late, mut count) = (Duration::ZERO, 0, 0);
    for &worker in WORKERS {
        for &receiver in RECEIVERS {
            for place in PLACES {
                for call in CALLS {
                    let combination = (call, place, receiver, worker);
                    if !is_promised(combination) {
                        continue;
                    }
                    for _ in 0..runs() {
                        let note = OnDrop(|| {
                            if thread::panicking() {
                                eprintln!("{combination:?}");
                            }
                        });
                        let over = run(combination, &receivers);
                        drop(note);
                        count += 1;
                        late += u32::from(over > Duration::from_millis(50));
                        if over > slowest {
                            slowest = over;
                            eprintln!("  {combination:?}: {over:?}");
                        }
                    }
                }
            }
        }
    }
    println!("{count} calls, {late} ended over 50 ms after their timeout, at most {slowest:?}");
}
