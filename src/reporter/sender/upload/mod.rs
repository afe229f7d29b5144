//! Uploads: batches that go out in requests, each with an answer.
//!
//! ```text
//!  worker's thread                           upload thread
//!
//!  Sender::send ─► Upload::send ─► waiting ─► running ─► Exchange ─► collector
//!  Sender::poll ◄─ Upload::poll ◄────── news ◄────────── Answer  ◄─┘
//! ```
//!
//! An [`Upload`] copies a batch, and a thread of its own sends it, so a slow collector does not stop the worker. At
//! most one request runs and at most one batch waits behind it. Spans behind these wait in the reporter and in the
//! queue, whose memory is bounded.
//!
//! An [`Exchange`] is one request and its [`Answer`]. A batch that may be tried again is tried three times in all. What
//! the collector asks for with `Retry-After` comes first: up to ten seconds everything waits; if it asks for longer,
//! batches are lost until then, as spans are not kept for so long.
//!
//! The thread starts with the first batch. It never keeps the process from ending, and no user code runs on it.

mod exchange;
mod gzip;
mod http;
mod options;
mod otlp_reply;
mod protobuf;
mod retry_after;
mod setters;
mod state;
#[cfg(test)]
mod tests;
mod thread;
mod uploader;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(all(feature = "grpc", any(feature = "collector", feature = "otlp")))]
pub(super) use self::{
    exchange::Answer,
    options::UploadOptions,
    otlp_reply::answer_of_reply,
    protobuf::{Malformed, Value, read_fields},
    uploader::{Protocol, Uploader},
};
#[cfg(all(tracehound_fuzz, feature = "otlp", not(feature = "grpc")))]
pub(super) use exchange::Answer;
pub(super) use exchange::Exchange;
pub(super) use http::{HttpProtocol, HttpUpload, http_sender};
#[cfg(any(feature = "otlp", feature = "zipkin"))]
pub(super) use setters::gzip_setter;
pub(super) use setters::upload_setters;
pub(super) use uploader::upload_sender;

use crate::clock::{deadline_after, instant_now};
use crate::metrics::DropCause;
use crate::reporter::sender::upload::state::{Request, Shared, Taken};
use crate::reporter::sender::{Batch, SendOutcome, SendResult};
use crate::sync::generation;

/// The batches on their way to one collector, and their thread.
pub(super) struct Upload {
    /// Never sends anything itself. A thread gets a renewed one.
    exchange: Box<dyn Exchange>,
    timeout: Duration,
    destination: String,
    shared: Arc<Shared>,
    has_thread: bool,
    /// The number of times in a row that there was no room for a batch.
    refusals: u32,
    generation: u32,
}

impl Upload {
    /// Makes one that gives a batch `timeout` in all and takes batches of up to `max_bytes`, but fewer if the collector
    /// does. Starts no thread.
    pub(super) fn new(
        exchange: Box<dyn Exchange>,
        destination: String,
        timeout: Duration,
        max_bytes: usize,
    ) -> Self {
        Self {
            exchange,
            timeout,
            destination,
            shared: Arc::new(Shared::new(max_bytes)),
            has_thread: false,
            refusals: 0,
            generation: generation(),
        }
    }

    /// Copies a batch, if there is room, and tells what became of earlier ones.
    pub(super) fn send(&mut self, batch: &Batch<'_>) -> SendOutcome {
        // News first: this batch may be answered at once, before the caller knows that it is in flight.
        let news = self.poll();
        let this = self.take(batch);
        SendOutcome { this, ..news }
    }

    /// Tells what became of batches in flight.
    pub(super) fn poll(&mut self) -> SendOutcome {
        self.shared.take_news()
    }

    /// Returns up to how many bytes a batch may have.
    pub(super) fn max_bytes(&self) -> usize {
        self.shared.max_bytes()
    }

    /// Returns a line about the latest loss for this cause.
    pub(super) fn explain(&self, cause: DropCause) -> String {
        let destination = &self.destination;
        match self.shared.reason(cause) {
            Some(reason) => format!("spans do not reach {destination}: {reason}"),
            None if cause == DropCause::NoWorker => {
                format!("spans do not reach {destination}: no thread can be started to send them")
            }
            None => format!("spans do not reach {destination}: {cause}"),
        }
    }

    /// Returns a line about batches that wait, if the last one found no room or a request hangs.
    pub(super) fn explain_wait(&self) -> Option<String> {
        self.line_about_wait(instant_now())
    }

    fn line_about_wait(&self, now: Instant) -> Option<String> {
        let destination = &self.destination;
        if let Some(left) = self.shared.hold_left(now) {
            let seconds = left.as_secs() + 1;
            return Some(format!(
                "{destination} has asked for a pause, for {seconds} s more; give it more room, or sample less"
            ));
        }
        let unanswered = self.shared.unanswered_for(now).unwrap_or_default();
        match unanswered.as_secs() {
            0 if self.refusals == 0 => None,
            0 => Some(format!(
                "{destination} takes batches more slowly than spans come; give it more room, or sample less"
            )),
            seconds => Some(format!(
                "{destination} has taken a request and not answered it for {seconds} s; see whether it hangs, or a \
                 proxy before it"
            )),
        }
    }

    fn take(&mut self, batch: &Batch<'_>) -> SendResult {
        if !self.ensure_thread() {
            return SendResult::Lost(DropCause::NoWorker);
        }
        let taken = self.shared.offer(|| Request {
            bytes: batch.bytes.to_vec(),
            spans: batch.span_count,
        });
        match taken {
            Taken::Yes => {
                self.refusals = 0;
                SendResult::InFlight
            }
            Taken::HeldUntil(until) => SendResult::Later(until),
            Taken::HeldTooLong => SendResult::Lost(DropCause::Backoff),
            Taken::NoRoom => {
                let pause = SHORTEST_WAIT.saturating_mul(1 << self.refusals.min(5));
                self.refusals = self.refusals.saturating_add(1);
                SendResult::Later(deadline_after(pause))
            }
        }
    }

    /// Starts the thread if there is none. Returns false if none can be started.
    fn ensure_thread(&mut self) -> bool {
        if !self.has_thread {
            let exchange = self.exchange.renewed();
            self.has_thread = thread::spawn(&self.shared, exchange, self.timeout);
        }
        self.has_thread
    }
}

impl Drop for Upload {
    /// Ends the request that runs. Waits for nothing.
    fn drop(&mut self) {
        // In a forked child a thread that it does not have may hold the lock.
        if self.generation == generation() {
            self.shared.close();
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({})", self.destination)
    }
}

/// The time that a batch first waits for the one before it. The wait doubles up to 32 times this.
const SHORTEST_WAIT: Duration = Duration::from_millis(2);
