mod outage;

use std::fmt;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::{Counter, DropCause, DropCounts};
use crate::record::FinishedSpan;
use crate::reporter::guarded::guarded;
use crate::reporter::packet::{Numbers, Packet, Shrunk};
use crate::reporter::remote::outage::Trouble;
use crate::reporter::sender::{Batch, BatchFormat, SendOutcome, SendResult, Sender};
use crate::reporter::worker::SHORTEST_PAUSE;
use crate::reporter::{MakeReporter, Reporter, Unsent, WorkerHandle};
use crate::services::Services;

/// Packs spans for a [`Sender`] and keeps account of them.
///
/// A batch holds whole spans of this process and is never larger than the sender says. It goes out when the next
/// span does not fit in, and at a flush. It carries a number and what has been lost so far (`seqNo` and
/// `stats`), from which an agent tells what it missed.
///
/// A span that is too large alone is made smaller (log records left out, then values cut, then tags left out
/// that no convention knows) and marked with the tag `tracehound.degraded`; one that cannot be is lost as
/// `too_large`. A batch that the sender refuses as too large is split and tried again.
///
/// In the child of a `fork` it begins anew, where its [sender can](Sender::after_fork).
///
/// ```
/// use std::time::{Duration, Instant};
/// use tracehound::model::{Process, SpanId, TraceId};
/// use tracehound::reporter::sender::{Batch, BatchFormat, SendOutcome, Sender};
/// use tracehound::reporter::{OwnedSpan, RemoteReporter, Reporter, WorkerHandle};
/// use tracehound::services::Services;
///
/// struct Counting;
///
/// impl Sender for Counting {
///     fn format(&self) -> BatchFormat {
///         BatchFormat::Compact
///     }
///     fn max_bytes(&self) -> usize {
///         1_400
///     }
///     fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
///         assert_eq!(batch.span_count, 1);
///         SendOutcome::default()
///     }
/// }
///
/// let mut reporter = RemoteReporter::new(Counting);
/// let services = Services::detached(Process::new("shop", vec![]));
/// reporter.attach(&WorkerHandle::detached(services));
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// OwnedSpan::new(trace_id, span_id, "checkout").view(|span| reporter.report(span));
/// let unsent = reporter.flush(Instant::now() + Duration::from_secs(1));
/// assert_eq!(unsent.dropped.total(), 0);
/// ```
pub struct RemoteReporter {
    /// None after `close`.
    sender: Option<Box<dyn Sender>>,
    format: BatchFormat,
    worker: WorkerHandle,
    packet: Packet,
    limits: Limits,
    has_batch_numbers: bool,
    /// Of the next message.
    seqid: u32,
    seq_no: u64,
    /// With `dropped` and what is in the packet, every span that was ever taken.
    sent: u64,
    dropped: DropCounts,
    trouble: Trouble,
    pause: Option<Pause>,
}

/// The sender has no room for a batch.
#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    /// Everything is to go then, not only a full batch.
    is_flush: bool,
}

/// What the sender takes, in bytes.
#[derive(Clone, Copy, Default)]
struct Limits {
    batch: usize,
    single: usize,
}

impl RemoteReporter {
    /// Packs for that sender.
    pub fn new(sender: impl Sender + 'static) -> Self {
        let format = sender.format();
        let worker = WorkerHandle::detached(Services::unattached());
        Self {
            packet: Packet::new(format, worker.process()),
            sender: Some(Box::new(sender)),
            format,
            worker,
            limits: Limits::default(),
            has_batch_numbers: true,
            seqid: 1,
            seq_no: 1,
            sent: 0,
            dropped: DropCounts::default(),
            trouble: Trouble::default(),
            pause: None,
        }
    }

    /// Whether batches carry their number and what has been lost so far. They do unless this says `false`.
    #[must_use]
    pub fn batch_numbers(mut self, wanted: bool) -> Self {
        self.has_batch_numbers = wanted;
        self
    }

    /// Prepares the next message: asks for its limits and fixes what it says beside the spans.
    fn begin(&mut self) {
        if let Some(sender) = &self.sender {
            let ask = || Limits {
                batch: sender.max_bytes(),
                single: sender.max_single_bytes().max(sender.max_bytes()),
            };
            if let Some(limits) = guarded(self.worker.metrics(), ask) {
                self.limits = limits;
            }
        }
        let numbers = self
            .has_batch_numbers
            .then(|| Numbers::new(self.seq_no, &self.worker.dropped(), &self.dropped));
        let limit = self.limits.batch;
        self.packet.begin(self.seqid, numbers.as_ref(), limit);
        self.packet.count_changes(self.worker.metrics());
    }

    /// The first span has come, or the limit is near.
    #[cold]
    fn look_at_size(&mut self) {
        if self.packet.len() == 1 {
            self.begin();
        }
        if self.packet.size() >= self.limits.batch {
            if self.pause.is_some() {
                self.lose_beyond_pause();
            } else {
                self.send_full();
            }
        }
    }

    /// The packet has reached its limit, by the span that came last.
    fn send_full(&mut self) {
        let count = self.packet.len();
        let is_exact = self.packet.size() == self.limits.batch;
        let full = if is_exact { count } else { count - 1 };
        self.send_or_give_up(full);
        if !self.packet.is_empty() && self.pause.is_none() {
            self.begin();
            if self.packet.size() > self.limits.batch {
                self.send_or_give_up(self.packet.len());
            }
        }
    }

    /// A caller goes on to report during a pause: what is held does not grow without bound.
    fn lose_beyond_pause(&mut self) {
        if self.packet.size() > MOST_HELD_BYTES.max(2 * self.limits.batch) {
            let count = self.packet.len();
            self.dropped.add(DropCause::QueueFull, count as u64);
            self.packet.remove_first(count);
        }
    }

    fn send_or_give_up(&mut self, count: usize) {
        match self.trouble.gives_up(instant_now()) {
            Some(cause) if count > 0 => {
                self.dropped.add(cause, count as u64);
                self.packet.remove_first(count);
                self.count_message();
            }
            _ => self.send(count, deadline_after(FULL_BATCH_TIMEOUT)),
        }
    }

    /// Sends the first `count` spans, in several batches if need be. Those stay for which the time is too short or the
    /// sender has no room.
    fn send(&mut self, count: usize, deadline: Instant) {
        let mut from = 0;
        let mut most = if self.trouble.is_away() { 1 } else { count };
        while from < count && (from == 0 || instant_now() < deadline) {
            self.begin();
            let end = count.min(from + most);
            let to = self.packet.fitting(from, end, self.limits.batch);
            let is_single = to - from == 1;
            if is_single && !self.make_fit(from) {
                self.lose_too_large(from);
                from = to;
                continue;
            }
            let size = self.packet.size_of(from..to);
            match self.transmit(from..to, deadline) {
                SendResult::TooLarge => {
                    self.begin();
                    self.say_limit(size);
                    if !is_single {
                        most = (to - from) / 2;
                    } else if size <= self.limits.single {
                        // The sender has not learnt anything, so nothing else is to be tried.
                        self.lose_too_large(from);
                        from = to;
                    }
                }
                SendResult::Later(until) => {
                    let is_flush = false;
                    self.pause = Some(Pause { until, is_flush });
                    break;
                }
                SendResult::Lost(cause) if self.trouble.is_away() => {
                    // Another try would tell the same; the next one is made after a pause, or by the next flush.
                    self.dropped.add(cause, (count - to) as u64);
                    from = count;
                }
                SendResult::Sent | SendResult::Lost(_) => {
                    from = to;
                    most = count;
                }
            }
        }
        self.packet.remove_first(from);
    }

    /// Hands one batch to the sender and accounts for its spans, unless it was too large.
    fn transmit(&mut self, spans: Range<usize>, deadline: Instant) -> SendResult {
        let count = spans.len() as u64;
        let Some(sender) = &mut self.sender else {
            self.dropped.add(DropCause::AfterShutdown, count);
            return SendResult::Lost(DropCause::AfterShutdown);
        };
        let batch = Batch::new(self.packet.message(spans), count);
        let outcome = guarded(self.worker.metrics(), || sender.send(&batch, deadline));
        self.packet.restore();
        let outcome =
            outcome.unwrap_or_else(|| SendOutcome::new(SendResult::Lost(DropCause::InternalError)));
        self.account_for_earlier(&outcome);
        match outcome.this {
            SendResult::TooLarge | SendResult::Later(_) => {}
            SendResult::Sent => {
                self.sent += count;
                self.count_message();
                if outcome.earlier.total() == 0 {
                    self.went_well();
                }
            }
            SendResult::Lost(cause) => {
                self.dropped.add(cause, count);
                self.count_message();
                self.went_wrong(cause);
            }
        }
        outcome.this
    }

    /// Moves spans that were counted as sent to the losses.
    fn account_for_earlier(&mut self, outcome: &SendOutcome) {
        for (cause, spans) in outcome.earlier.iter() {
            let spans = spans.min(self.sent);
            self.sent -= spans;
            self.dropped.add(cause, spans);
            if cause == DropCause::AgentKernelDrops {
                // The agent is there, and the next datagram may find room: nothing to recover from.
                self.explain(cause);
            } else {
                self.went_wrong(cause);
            }
        }
    }

    /// A message that was lost has used up its numbers: that is how an agent knows.
    fn count_message(&mut self) {
        self.seqid = (self.seqid + 1) & i32::MAX as u32;
        self.seq_no += 1;
    }

    /// Whether that span alone is a batch that the sender takes; makes it smaller if it must.
    fn make_fit(&mut self, span: usize) -> bool {
        if self.packet.size_of(span..span + 1) <= self.limits.single {
            return true;
        }
        let shrunk = self.packet.shrink(span, self.limits.single);
        self.packet.count_changes(self.worker.metrics());
        if shrunk == Shrunk::First {
            self.worker.metrics().add(Counter::DegradedSpans, 1);
        }
        shrunk != Shrunk::No
    }

    fn lose_too_large(&mut self, span: usize) {
        self.dropped.add(DropCause::TooLarge, 1);
        let (size, envelope) = (
            self.packet.size_of(span..span + 1),
            self.packet.envelope_size(),
        );
        let (packet, limit) = (&self.packet, self.limits.single);
        let diagnostics = self.worker.diagnostics();
        diagnostics.warn(DropCause::TooLarge.name(), || {
            if envelope >= limit {
                return format!(
                    "the service's name and tags take {envelope} bytes where {limit} are possible; spans are lost"
                );
            }
            let name = packet.operation_name(span).into_iter();
            let name: String = name.flat_map(str::chars).take(64).collect();
            format!(
                "span {name:?} takes {size} bytes where {limit} are possible, even made smaller; it is lost"
            )
        });
    }

    fn say_limit(&self, refused: usize) {
        let Some(sender) = &self.sender else { return };
        let limit = self.limits.single;
        self.worker.diagnostics().warn("batch_too_large", || {
            let destination = guarded(self.worker.metrics(), || sender.destination()).unwrap_or_default();
            format!(
                "the system refused a batch of {refused} bytes to {destination}; from now on they have at most {limit}"
            )
        });
    }

    fn went_wrong(&mut self, cause: DropCause) {
        let Some(sender) = &self.sender else { return };
        let pause = guarded(self.worker.metrics(), || sender.retry_after()).unwrap_or_default();
        let waits = Trouble::makes_wait(cause) && !pause.is_zero();
        let retry_at = waits.then(|| deadline_after(pause));
        self.trouble.went_wrong(cause, retry_at);
        self.explain(cause);
    }

    fn explain(&self, cause: DropCause) {
        let Some(sender) = &self.sender else { return };
        self.worker.diagnostics().warn(cause.name(), || {
            if cause == DropCause::InternalError {
                "the sender of spans panicked; its batch is lost".to_owned()
            } else {
                guarded(self.worker.metrics(), || sender.explain(cause)).unwrap_or_default()
            }
        });
    }

    fn went_well(&mut self) {
        let Some(sender) = &self.sender else { return };
        let worker = &self.worker;
        let pause = || guarded(worker.metrics(), || sender.retry_after()).unwrap_or_default();
        for cause in self.trouble.went_well(|| deadline_after(pause())) {
            worker.diagnostics().recovered(cause.name(), || {
                let destination =
                    guarded(worker.metrics(), || sender.destination()).unwrap_or_default();
                format!("spans reach {destination} again")
            });
        }
    }

    /// Sends every span, now or after the pause that the sender asks for.
    fn send_all(&mut self, deadline: Instant) {
        self.pause = None;
        self.send(self.packet.len(), deadline);
        if let Some(pause) = &mut self.pause {
            pause.is_flush = true;
        }
    }

    fn unsent(&self) -> Unsent {
        Unsent::new(self.dropped, self.packet.len() as u64)
    }
}

impl Reporter for RemoteReporter {
    fn attach(&mut self, worker: &WorkerHandle) {
        // Empty, unless somebody reported before.
        self.send(self.packet.len(), deadline_after(FULL_BATCH_TIMEOUT));
        let left = self.packet.len() as u64;
        self.dropped.add(DropCause::SendFailed, left);
        self.worker = worker.clone();
        self.packet = Packet::new(self.format, worker.process());
        if let Some(sender) = &mut self.sender {
            guarded(worker.metrics(), || sender.attach(worker.services()));
        }
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        if self.sender.is_none() {
            self.dropped.add(DropCause::AfterShutdown, 1);
            return;
        }
        if self.packet.push(span) {
            self.look_at_size();
        }
    }

    fn paused_until(&self) -> Option<Instant> {
        self.pause.map(|pause| pause.until)
    }

    fn resume(&mut self) {
        if self.pause.take().is_some_and(|pause| pause.is_flush) {
            self.send_all(deadline_after(FULL_BATCH_TIMEOUT));
        } else if !self.packet.is_empty() {
            self.begin();
            if self.packet.size() >= self.limits.batch {
                self.send_full();
            }
        }
    }

    fn explain_pause(&self) -> Option<String> {
        let sender = self.sender.as_ref()?;
        guarded(self.worker.metrics(), || sender.explain_wait()).flatten()
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        if self.pause.is_none_or(|pause| instant_now() >= pause.until) {
            self.send_all(deadline);
        } else if let Some(pause) = &mut self.pause {
            pause.is_flush = true;
        }
        if let Some(sender) = &mut self.sender
            && let Some(news) = guarded(self.worker.metrics(), || sender.poll())
        {
            self.account_for_earlier(&news);
        }
        self.unsent()
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        let mut unsent = self.flush(deadline);
        // Nobody else comes to send what the sender has no room for yet.
        while let Some(Pause { until, .. }) = self.pause
            && until < deadline
        {
            let pause = until.saturating_duration_since(instant_now());
            thread::sleep(pause.max(SHORTEST_PAUSE));
            unsent = self.flush(deadline);
        }
        let sender = self.sender.take();
        guarded(self.worker.metrics(), || drop(sender));
        unsent
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        let make = self.sender.as_ref()?.after_fork()?;
        let has_batch_numbers = self.has_batch_numbers;
        Some(Box::new(move || {
            Box::new(Self::new(make()).batch_numbers(has_batch_numbers))
        }))
    }
}

impl fmt::Debug for RemoteReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteReporter")
            .field("sent", &self.sent)
            .field("unsent", &self.unsent())
            .finish_non_exhaustive()
    }
}

/// The longest that a full batch may keep the worker.
const FULL_BATCH_TIMEOUT: Duration = Duration::from_millis(250);
/// What a caller may report during a pause before it is lost.
const MOST_HELD_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender as Queue, channel};

    use super::*;
    use crate::model::{SpanId, TraceId};
    use crate::reporter::OwnedSpan;

    struct Seqids(Queue<Vec<u8>>);

    impl Sender for Seqids {
        fn format(&self) -> BatchFormat {
            BatchFormat::Binary
        }

        fn max_bytes(&self) -> usize {
            1_000
        }

        fn send(&mut self, batch: &Batch<'_>, _: Instant) -> SendOutcome {
            self.0.send(batch.bytes[17..21].to_vec()).expect("received");
            SendOutcome::default()
        }
    }

    #[test]
    fn sequence_ids_begin_again_where_the_wire_ends() {
        let (queue, seqids) = channel();
        let mut reporter = RemoteReporter::new(Seqids(queue));
        let trace_id = TraceId::new(0, 1).expect("not zero");
        let span = OwnedSpan::new(trace_id, SpanId::new(1).expect("not zero"), "x");
        let mut send = |seqid: Option<u32>| {
            reporter.seqid = seqid.unwrap_or(reporter.seqid);
            span.view(|span| reporter.report(span));
            reporter.flush(instant_now());
            seqids.recv().expect("sent")
        };
        assert_eq!(send(None), [0, 0, 0, 1]);
        assert_eq!(send(Some(i32::MAX as u32)), [0x7f, 0xff, 0xff, 0xff]);
        assert_eq!(send(None), [0, 0, 0, 0]);
    }
}
