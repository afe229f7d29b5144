//! Reporters: where finished spans go.
//!
//! # What happens to a span after `finish`?
//!
//! ```text
//!   your threads                  the worker's thread
//!
//!  span.finish() ─► thread queue ─┐
//!  span.finish() ─► thread queue ─┼─► worker ─► Reporter ─► batch ─► Sender ─► agent
//!  span.finish() ─► thread queue ─┘
//! ```
//!
//! 1. [`finish`](crate::span::Span::finish) writes the span, ready encoded, to a queue of its thread. It makes no
//!    system call and wakes no other thread, unless memory runs short. A span that finds no room is dropped and counted
//!    as `queue_full`; [`queue_size`](crate::tracer::TracerBuilder::queue_size) sets how much room there is. A span
//!    that is not sampled ends here.
//! 2. The worker, one background thread of the tracer (or a [task](crate::tracer::TracerBuilder#method.worker_on) of a
//!    tokio runtime), takes spans from these queues: every 20 ms under load, and once in a [flush
//!    interval](crate::tracer::TracerBuilder::flush_interval) while little is traced. It hands them to the tracer's
//!    [`Reporter`], one by one.
//! 3. A [`RemoteReporter`] packs spans into batches. A full batch goes to the [`Sender`](sender::Sender) at once, and
//!    what is left goes at the flush interval. While the sender has no room, spans wait in the queue.
//! 4. The sender tells which batches were lost. So every finished span is sent, dropped for a
//!    [cause](crate::metrics::DropCause), or still queued, and [`flush`](crate::JaegerTracer::flush) and
//!    [`close`](crate::JaegerTracer::close) return the counts. A line to standard error names the first loss of each
//!    cause.
//!
//! # Which reporter do I want?
//!
//! ```
//! use std::time::Duration;
//! use tracehound::prelude::*;
//! use tracehound::reporter::{CompositeReporter, InMemoryReporter, LoggingReporter};
//! use tracehound::sampler::ConstSampler;
//!
//! let spans = InMemoryReporter::new();
//! let both = CompositeReporter::new().member(LoggingReporter::new()).member(spans.clone());
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(both)
//!     .build()?;
//! tracer.start_span("checkout").finish();
//! assert_eq!(tracer.close(Duration::from_secs(5)).sent, 1);
//! assert_eq!(spans.spans()[0].operation_name, "checkout");
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! | reporter | what it does with a span |
//! |---|---|
//! | [`RemoteReporter`] | packs it for a [`Sender`](sender::Sender), such as the [`UdpSender`](sender::UdpSender) |
//! | [`InMemoryReporter`] | keeps it for the asserts of a test |
//! | [`LoggingReporter`] | writes a line |
//! | [`CompositeReporter`] | hands it to several reporters |
//! | [`NullReporter`] | nothing; a tracer has it until it gets another one |
//!
//! # How do I write a reporter?
//!
//! Only [`report`](Reporter::report) is required. It runs on the worker's thread, so a slow reporter does not slow the
//! program down, and the queue fills instead. No span starts in a call of a reporter, by any tracer: all are no-op spans,
//! because a span about reporting spans would have to be reported, too. To trace again what it takes, a reporter hands
//! it to another thread.
//!
//! ```
//! use std::sync::mpsc::{Sender, channel};
//! use std::time::Duration;
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::reporter::{FinishedSpan, Reporter};
//! use tracehound::sampler::ConstSampler;
//!
//! /// Passes on the operations that failed.
//! struct Failures(Sender<String>);
//!
//! impl Reporter for Failures {
//!     fn report(&mut self, span: &FinishedSpan<'_>) {
//!         if span.tags().any(|(key, _)| key == "error") {
//!             // The program may have stopped listening.
//!             let _ = self.0.send(span.operation_name().to_owned());
//!         }
//!     }
//! }
//!
//! let (sender, failures) = channel();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(Failures(sender))
//!     .build()?;
//! tracer.start_span("list").finish();
//! tracer.build_span("checkout").tag("error", true).start().finish();
//! tracer.flush(Duration::from_secs(1));
//! assert_eq!(failures.try_iter().collect::<Vec<_>>(), ["checkout"]);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! To send spans in a way of your own, write a [sender] and leave packing, splitting and counting to
//! [`RemoteReporter`].

mod composite;
mod forest;
#[cfg(feature = "_thrift")]
mod from_thrift;
mod guarded;
mod in_memory;
mod logging;
mod null;
mod packet;
mod remote;
pub mod sender;
mod worker;

use std::time::Instant;

pub use composite::CompositeReporter;
#[cfg(feature = "testkit")]
pub(crate) use forest::{Planted, forest};
#[cfg(any(feature = "dev", feature = "testkit"))]
pub(crate) use from_thrift::from_wire;
pub use in_memory::InMemoryReporter;
pub use logging::LoggingReporter;
pub use null::NullReporter;
pub use remote::RemoteReporter;
pub use worker::WorkerHandle;
#[cfg(feature = "tokio")]
pub(crate) use worker::task;
pub(crate) use worker::{SpawnWorker, Worker, WorkerOptions, thread};

pub use crate::record::{FinishedSpan, LogView, Logs, OwnedSpan, References, Tags};

use crate::metrics::DropCounts;

/// A receiver of finished spans. The worker calls it, never a thread of the program.
///
/// The worker catches a panic in any method, and counts the span that was reported as lost. The
/// [module's page](crate::reporter) shows how to write a reporter.
///
/// ```
/// use std::io::Write;
/// use std::time::{Duration, Instant};
/// use tracehound::metrics::{DropCause, DropCounts};
/// use tracehound::reporter::{FinishedSpan, MakeReporter, Reporter, Unsent, WorkerHandle};
///
/// /// Collects names, and writes them at each flush.
/// #[derive(Default)]
/// struct Names<W> {
///     waiting: Vec<String>,
///     dropped: DropCounts,
///     to: W,
///     paused_until: Option<Instant>,
/// }
///
/// impl<W: Write + Send + Default + 'static> Reporter for Names<W> {
///     fn attach(&mut self, worker: &WorkerHandle) {
///         worker.diagnostics().say("names go to a file");
///     }
///
///     fn report(&mut self, span: &FinishedSpan<'_>) {
///         self.waiting.push(span.operation_name().to_owned());
///     }
///
///     fn paused_until(&self) -> Option<Instant> {
///         self.paused_until
///     }
///
///     fn resume(&mut self) {
///         self.paused_until = None;
///     }
///
///     fn explain_pause(&self) -> Option<String> {
///         Some("the disk is slow; use another one".to_owned())
///     }
///
///     fn flush(&mut self, _deadline: Instant) -> Unsent {
///         for name in self.waiting.drain(..) {
///             if writeln!(self.to, "{name}").is_err() {
///                 self.dropped.add(DropCause::SendFailed, 1);
///                 self.paused_until = Some(Instant::now() + Duration::from_secs(1));
///             }
///         }
///         Unsent::new(self.dropped, 0)
///     }
///
///     fn poll(&mut self) -> Unsent {
///         Unsent::new(self.dropped, self.waiting.len() as u64) // nothing is in flight
///     }
///
///     fn close(&mut self, deadline: Instant) -> Unsent {
///         self.flush(deadline)
///     }
///
///     fn after_fork(&self) -> Option<MakeReporter> {
///         Some(Box::new(|| Box::new(Self::default())))
///     }
/// }
///
/// # use tracehound::model::{SpanId, TraceId};
/// # use tracehound::reporter::OwnedSpan;
/// # let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// # let checkout = OwnedSpan::new(trace_id, span_id, "checkout");
/// let mut reporter = Names::<Vec<u8>>::default();
/// checkout.view(|span| reporter.report(span));
/// assert_eq!(reporter.poll().queued, 1);
/// assert_eq!(reporter.close(Instant::now()).queued, 0);
/// assert_eq!(reporter.to, b"checkout\n");
/// ```
pub trait Reporter: Send {
    /// Takes a handle to the worker: the tracer's [`Services`](crate::services::Services), and a way to ask for all
    /// finished spans now. The worker calls it once, before anything else. A composite passes it on to its members.
    ///
    /// By default it does nothing.
    fn attach(&mut self, _worker: &WorkerHandle) {}

    /// Takes one span, which can be read during the call only.
    fn report(&mut self, span: &FinishedSpan<'_>);

    /// Returns until when the reporter takes no more spans, because their receiver has no room.
    ///
    /// The worker asks after each span. During a pause it leaves spans in the queue, whose memory is bounded and whose
    /// losses are counted, and it calls [`resume`](Self::resume) after the pause. By default there is no pause.
    fn paused_until(&self) -> Option<Instant> {
        None
    }

    /// Tries again to send. The worker calls it when the time of [`paused_until`](Self::paused_until) has come.
    ///
    /// By default it does nothing.
    fn resume(&mut self) {}

    /// Returns a line to the user about a pause that has made the queue overflow: what is slow, and how to mend it.
    ///
    /// By default there is none, and the line names a larger queue.
    fn explain_pause(&self) -> Option<String> {
        None
    }

    /// Sends the spans that the reporter holds, until `deadline`. The worker calls it at every flush interval and for
    /// [`JaegerTracer::flush`](crate::JaegerTracer::flush).
    ///
    /// A reporter that has to wait starts a [pause](Self::paused_until) and returns. If a caller waits for the flush,
    /// the worker calls it again after the pause, until `deadline`.
    ///
    /// Returns how many of all spans taken so far were lost or still wait. The others count as sent, so a reporter that
    /// loses nothing need not write this method.
    fn flush(&mut self, _deadline: Instant) -> Unsent {
        Unsent::default()
    }

    /// Looks for news of spans in flight, and returns what [`flush`](Self::flush) returns.
    ///
    /// If a caller waits for a flush that has left spans [in flight](Unsent::in_flight), the worker calls it every
    /// millisecond or so until there are none, or until the deadline. Meanwhile it hands further spans over. It does
    /// not call it for a reporter that never has spans in flight.
    fn poll(&mut self) -> Unsent {
        Unsent::default()
    }

    /// Sends the spans that the reporter holds and lets go of sockets and files. May wait until `deadline`. No call
    /// follows this one.
    ///
    /// By default it flushes.
    fn close(&mut self, deadline: Instant) -> Unsent {
        self.flush(deadline)
    }

    /// Returns a function that makes the reporter of a forked child process; the worker asks once, in the process that
    /// has built the tracer, before it calls [`attach`](Self::attach).
    ///
    /// A forked child has no worker thread, and it cannot use the parent's reporter, which may have been in the middle
    /// of anything. The first span that starts in the child calls the function.
    ///
    /// By default there is none, and spans that finish in a forked child are lost as `no_worker`.
    fn after_fork(&self) -> Option<MakeReporter> {
        None
    }
}

/// Makes the reporter of a forked child process: see [`Reporter::after_fork`].
///
/// It should make sockets and files anew, and must not wait for a lock that a thread of the parent may have held.
///
/// The example of [`Reporter`] returns one.
pub type MakeReporter = Box<dyn Fn() -> Box<dyn Reporter> + Send + Sync>;

impl Reporter for Box<dyn Reporter> {
    fn attach(&mut self, worker: &WorkerHandle) {
        (**self).attach(worker);
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        (**self).report(span);
    }

    fn paused_until(&self) -> Option<Instant> {
        (**self).paused_until()
    }

    fn resume(&mut self) {
        (**self).resume();
    }

    fn explain_pause(&self) -> Option<String> {
        (**self).explain_pause()
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        (**self).flush(deadline)
    }

    fn poll(&mut self) -> Unsent {
        (**self).poll()
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        (**self).close(deadline)
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        (**self).after_fork()
    }
}

/// The spans that a reporter has taken since its beginning and has not sent.
///
/// ```
/// use tracehound::metrics::{DropCause, DropCounts};
/// use tracehound::reporter::Unsent;
///
/// let mut dropped = DropCounts::default();
/// dropped.add(DropCause::Refused, 3);
/// let unsent = Unsent::new(dropped, 2).with_in_flight(1);
/// assert_eq!((unsent.dropped.total(), unsent.queued, unsent.in_flight), (3, 2, 1));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsent {
    /// How many are lost, by cause.
    pub dropped: DropCounts,
    /// The number that still waits to be sent, or for an answer.
    pub queued: u64,
    /// The number of those that the last flush had sent and that wait for an answer.
    pub in_flight: u64,
}

impl Unsent {
    /// Joins the lost and the waiting spans.
    pub fn new(dropped: DropCounts, queued: u64) -> Self {
        Self {
            dropped,
            queued,
            in_flight: 0,
        }
    }

    /// Sets how many of the waiting spans had been sent by the last flush and wait for an answer.
    #[must_use]
    pub fn with_in_flight(mut self, spans: u64) -> Self {
        self.in_flight = spans;
        self
    }
}
