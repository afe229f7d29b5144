mod guarded_sender;
mod in_flight;
mod losses;
mod outage;

use std::fmt;
use std::ops::Range;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{deadline_after, instant_now};
use crate::metrics::{Counter, DropCause, DropCounts};
use crate::model::Process;
use crate::record::FinishedSpan;
use crate::reporter::packet::{Numbers, Packet, Shrunk};
use crate::reporter::remote::guarded_sender::{GuardedSender, Limits};
use crate::reporter::remote::in_flight::InFlight;
use crate::reporter::remote::outage::Outage;
use crate::reporter::sender::{BatchFormat, SendOutcome, SendResult, Sender};
use crate::reporter::worker::{LOOK_FOR_ANSWERS, SHORTEST_PAUSE};
use crate::reporter::{MakeReporter, Reporter, Unsent, WorkerHandle};
use crate::services::Services;

/// A reporter that packs spans into batches for a [`Sender`] and counts what becomes of them.
///
/// A batch holds whole spans of this process and is never larger than the sender allows. It goes out when the next span
/// does not fit in, and at a flush. It carries its number and the losses so far (`seqNo` and `stats` of
/// `jaeger.thrift`), from which an agent computes what it missed.
///
/// A span that is too large for a batch of its own is made smaller: log records are left out, then values are cut, then
/// tags that no convention knows are left out. The tag `tracehound.degraded` says so. A span that is still too large is
/// lost as `too_large`. A batch that the sender refuses as too large is split and tried again.
///
/// The process is in each batch, too. If it leaves less than an eighth of the largest batch to spans, its largest tags
/// are left out until it leaves half, counted as `dropped_items` and told of in a line; the tag
/// `tracehound.dropped_items` of the process says how many are missing.
///
/// In a forked child the reporter starts anew if its [sender can](Sender::after_fork).
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
    sender: GuardedSender,
    format: BatchFormat,
    worker: WorkerHandle,
    packet: Packet,
    limits: Limits,
    /// The limit for which the process was made smaller, if it was.
    process_shrunk_for: usize,
    has_batch_numbers: bool,
    /// The sequence id of the next message.
    seqid: u32,
    /// The number of the next batch.
    seq_no: u64,
    /// Every span that was ever taken counts here, in `dropped`, in `in_flight`, or is in the packet.
    sent: u64,
    dropped: DropCounts,
    in_flight: InFlight,
    outage: Outage,
    pause: Option<Pause>,
}

/// A time in which the sender has no room for a batch.
#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    /// After the pause all spans go out, not only a full batch.
    is_flush: bool,
}

impl RemoteReporter {
    /// Makes a reporter that packs spans for `sender`.
    pub fn new(sender: impl Sender + 'static) -> Self {
        let format = sender.format();
        let worker = WorkerHandle::detached(Services::unattached());
        let sender = GuardedSender::new(Box::new(sender), worker.metrics().clone());
        Self {
            packet: new_packet(format, &sender, worker.process()),
            sender,
            format,
            worker,
            limits: Limits::default(),
            process_shrunk_for: 0,
            has_batch_numbers: true,
            seqid: 1,
            seq_no: 1,
            sent: 0,
            dropped: DropCounts::default(),
            in_flight: InFlight::default(),
            outage: Outage::default(),
            pause: None,
        }
    }

    /// Sets whether batches carry their number and the losses so far. Defaults to `true`.
    ///
    /// ```
    /// # #[cfg(feature = "udp")] {
    /// use tracehound::reporter::RemoteReporter;
    /// use tracehound::reporter::sender::{AgentAddress, UdpSender};
    ///
    /// // For a receiver that does not know these fields.
    /// let sender = UdpSender::new(AgentAddress::default());
    /// let reporter = RemoteReporter::new(sender).batch_numbers(false);
    /// # drop(reporter);
    /// # }
    /// ```
    #[must_use]
    pub fn batch_numbers(mut self, wanted: bool) -> Self {
        self.has_batch_numbers = wanted;
        self
    }

    /// Begins the next message: asks the sender for its limits and writes everything but the spans.
    fn begin(&mut self) {
        if let Some(limits) = self.sender.limits() {
            self.limits = limits;
        }
        let numbers = self
            .has_batch_numbers
            .then(|| Numbers::new(self.seq_no, &self.worker.dropped(), &self.dropped));
        let limit = self.limits.batch;
        self.packet.begin(self.seqid, numbers.as_ref(), limit);
        if self.has_large_process() {
            self.shrink_process();
            self.packet.begin(self.seqid, numbers.as_ref(), limit);
        }
        self.packet.count_changes(self.worker.metrics());
    }

    /// Returns whether the process leaves less than an eighth of a batch to spans, and was not made smaller for that
    /// yet.
    fn has_large_process(&self) -> bool {
        let limit = self.limits.single;
        self.packet.envelope_size() > limit - limit / 8 && self.process_shrunk_for != limit
    }

    /// Sends the packet if it is full. Called for its first span and when the limit is near.
    #[cold]
    fn check_size(&mut self) {
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

    /// Sends the packet, which the last span has brought to its limit or beyond.
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

    /// Drops the packet if a caller who reports in spite of a pause has made it too large.
    fn lose_beyond_pause(&mut self) {
        if self.packet.size() > MAX_HELD_BYTES.max(2 * self.limits.batch) {
            let count = self.packet.len();
            self.dropped.add(DropCause::QueueFull, count as u64);
            self.packet.remove_first(count);
        }
    }

    fn send_or_give_up(&mut self, count: usize) {
        match self.outage.gives_up(instant_now()) {
            Some(cause) if count > 0 => {
                self.dropped.add(cause, count as u64);
                self.packet.remove_first(count);
                self.count_message();
            }
            _ => self.send(count, deadline_after(FULL_BATCH_TIMEOUT)),
        }
    }

    /// Sends the first `count` spans, in several batches if need be. Spans stay in the packet if the time is up or the
    /// sender has no room.
    fn send(&mut self, count: usize, deadline: Instant) {
        let (mut from, mut is_tried) = (0, false);
        let mut most = if self.outage.is_refused() { 1 } else { count };
        while from < count && (!is_tried || instant_now() < deadline) {
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
            is_tried = true;
            match self.transmit(from..to, deadline) {
                SendResult::TooLarge => {
                    self.begin();
                    self.warn_of_limit(size);
                    if !is_single {
                        most = (to - from) / 2;
                    } else if size <= self.limits.single {
                        // The sender has not lowered its limit, so there is nothing else to try.
                        self.lose_too_large(from);
                        from = to;
                    }
                }
                SendResult::Later(until) => {
                    let is_flush = false;
                    self.pause = Some(Pause { until, is_flush });
                    break;
                }
                SendResult::Lost(cause) if self.outage.is_refused() => {
                    // Another try now would be refused as well. The next one comes after a pause or with a flush.
                    self.dropped.add(cause, (count - to) as u64);
                    from = count;
                }
                SendResult::Sent | SendResult::InFlight | SendResult::Lost(_) => {
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
        if self.sender.is_closed() {
            self.dropped.add(DropCause::AfterShutdown, count);
            return SendResult::Lost(DropCause::AfterShutdown);
        }
        let batch = self.packet.batch(spans);
        let outcome = self.sender.send(&batch, deadline);
        self.packet.restore();
        self.account_for_earlier(&outcome);
        match outcome.this {
            SendResult::TooLarge | SendResult::Later(_) => {}
            SendResult::InFlight => {
                self.in_flight.taken += count;
                self.count_message();
            }
            SendResult::Sent => {
                self.sent += count;
                self.count_message();
                if outcome.earlier.total() == 0 {
                    self.note_sent();
                }
            }
            SendResult::Lost(cause) => {
                self.dropped.add(cause, count);
                self.count_message();
                self.note_loss(cause);
            }
        }
        outcome.this
    }

    /// Accounts for the spans of earlier batches: those that were counted as sent, and those in flight.
    fn account_for_earlier(&mut self, outcome: &SendOutcome) {
        let arrived = self.in_flight.answer(outcome.arrived);
        self.sent += arrived;
        if arrived > 0 {
            self.note_sent();
        }
        for (cause, spans) in outcome.failed.iter() {
            let spans = self.in_flight.answer(spans);
            self.dropped.add(cause, spans);
            self.note_loss(cause);
        }
        for (cause, spans) in outcome.earlier.iter() {
            let spans = spans.min(self.sent);
            self.sent -= spans;
            self.dropped.add(cause, spans);
            if cause == DropCause::AgentKernelDrops {
                // No outage: the agent is there, and the next datagram may find room.
                self.explain(cause);
            } else {
                self.note_loss(cause);
            }
        }
    }

    /// Moves on to the next numbers. A lost message has used its numbers too, from which an agent computes the loss.
    fn count_message(&mut self) {
        self.seqid = (self.seqid + 1) & i32::MAX as u32;
        self.seq_no += 1;
    }

    /// Returns whether the span fits into a batch of its own, after it was made smaller if need be.
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

    /// Sends every span, if need be after the pause that the sender asks for.
    fn send_all(&mut self, deadline: Instant) {
        self.pause = None;
        self.send(self.packet.len(), deadline);
        if let Some(pause) = &mut self.pause {
            pause.is_flush = true;
        }
    }

    fn unsent(&self) -> Unsent {
        let queued = self.packet.len() as u64 + self.in_flight.spans();
        Unsent::new(self.dropped, queued).with_in_flight(self.in_flight.flushed_spans())
    }
}

/// Returns an empty packet for a sender.
fn new_packet(format: BatchFormat, sender: &GuardedSender, process: &Process) -> Packet {
    let mut packet = Packet::new(format, process);
    if sender.reads_spans() {
        packet.keep_spans();
    }
    packet
}

impl Reporter for RemoteReporter {
    fn attach(&mut self, worker: &WorkerHandle) {
        // The packet is empty unless a caller has reported before.
        self.send(self.packet.len(), deadline_after(FULL_BATCH_TIMEOUT));
        let left = self.packet.len() as u64;
        self.dropped.add(DropCause::SendFailed, left);
        self.worker = worker.clone();
        self.packet = new_packet(self.format, &self.sender, worker.process());
        self.process_shrunk_for = 0;
        self.sender.attach(worker.services());
    }

    fn report(&mut self, span: &FinishedSpan<'_>) {
        if self.sender.is_closed() {
            self.dropped.add(DropCause::AfterShutdown, 1);
            return;
        }
        if self.packet.push(span) {
            self.check_size();
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
        self.sender.explain_wait()
    }

    fn flush(&mut self, deadline: Instant) -> Unsent {
        if self.pause.is_none_or(|pause| instant_now() >= pause.until) {
            self.send_all(deadline);
        } else if let Some(pause) = &mut self.pause {
            pause.is_flush = true;
        }
        self.in_flight.flushed = self.in_flight.taken;
        self.poll()
    }

    fn poll(&mut self) -> Unsent {
        if let Some(news) = self.sender.poll() {
            self.account_for_earlier(&news);
        }
        self.unsent()
    }

    fn close(&mut self, deadline: Instant) -> Unsent {
        let mut unsent = self.flush(deadline);
        // No later call sends what the sender has no room for yet, or hears what became of a batch.
        loop {
            let until = match self.pause {
                Some(pause) => pause.until,
                None if unsent.in_flight > 0 => instant_now() + LOOK_FOR_ANSWERS,
                None => break,
            };
            if until >= deadline {
                break;
            }
            let pause = until.saturating_duration_since(instant_now());
            thread::sleep(pause.max(SHORTEST_PAUSE));
            unsent = self.flush(deadline);
        }
        self.lose_unanswered();
        self.sender.close();
        self.unsent()
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        let make = self.sender.after_fork()?;
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

/// The longest time that sending a full batch may take.
const FULL_BATCH_TIMEOUT: Duration = Duration::from_millis(250);
/// The number of bytes that a caller may report during a pause before they are dropped.
const MAX_HELD_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
