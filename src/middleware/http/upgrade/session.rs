//! Measurements on an upgraded connection, and the span that tells them.

use std::io;
use std::sync::Arc;
use std::thread;

use crate::middleware::error_log::log_error;
use crate::middleware::http::upgrade::ending::{Ending, Party, is_error_code};
use crate::middleware::http::upgrade::session_span::{Fate, SessionSpan};
use crate::middleware::http::upgrade::traffic::{Goodbye, Traffic};
use crate::middleware::message_spans::MessageSpans;
use crate::model::{field, tags};
use crate::redact;
use crate::span::Span;
use crate::tracer::Tracer;

/// The owner of a session's span. It belongs to the connection and ends the span when it is dropped.
#[derive(Debug)]
pub(super) struct Session {
    span: Span,
    handle: SessionSpan,
    /// `None` if the span does not record.
    measured: Option<Box<Measured>>,
}

/// The measurements that the span tells at its end. Times are in ticks of the tracer's clock.
#[derive(Debug)]
struct Measured {
    received: Traffic,
    sent: Traffic,
    last_bytes: u64,
    longest_silence: u64,
    /// The first sign of the end.
    first_sign: Option<Sign>,
    has_peer_ended: bool,
    has_shut_down: bool,
    failure: Option<Ending>,
    /// The first close frame.
    close_code: Option<u16>,
}

/// A sign that one of the parties wants to end the session.
#[derive(Clone, Copy, Debug)]
struct Sign {
    /// `None` if it cannot be told.
    party: Option<Party>,
    /// The time for which no bytes had passed before.
    silence: u64,
}

impl Session {
    /// Begins to measure. `is_websocket` says whether the connection carries frames of WebSocket, and `message_share`
    /// which share of its messages get a span.
    pub(super) fn new(
        span: Span,
        handle: SessionSpan,
        tracer: &Arc<dyn Tracer>,
        is_websocket: bool,
        message_share: f64,
    ) -> Self {
        let messages =
            |name| is_websocket.then(|| MessageSpans::new(tracer.clone(), name, message_share));
        let measured = span.is_recording().then(|| {
            Box::new(Measured {
                received: Traffic::new(messages("WebSocket receive")),
                sent: Traffic::new(messages("WebSocket send")),
                last_bytes: ticks(&span),
                longest_silence: 0,
                first_sign: None,
                has_peer_ended: false,
                has_shut_down: false,
                failure: None,
                close_code: None,
            })
        });
        handle.begin(&span);
        Self {
            span,
            handle,
            measured,
        }
    }

    /// Returns a session that nobody wants to know of.
    #[cfg(feature = "tungstenite")]
    pub(super) fn untraced() -> Self {
        Self {
            span: Span::noop(),
            handle: SessionSpan::default(),
            measured: None,
        }
    }

    /// Whether bytes need to be shown to the session.
    pub(super) fn is_measured(&self) -> bool {
        self.measured.is_some()
    }

    pub(super) fn handle(&self) -> &SessionSpan {
        &self.handle
    }

    /// Counts bytes from the peer. None at all are the end of the peer's stream.
    pub(super) fn received(&mut self, bytes: &[u8]) {
        let Some(measured) = &mut self.measured else {
            return;
        };
        if bytes.is_empty() {
            // After a failure, a stream ends too.
            let is_news = measured.failure.is_none() && !measured.has_peer_ended;
            if is_news {
                measured.has_peer_ended = true;
                measured.sign(&self.span, Some(Party::Peer));
                self.span.log_event("end_of_stream");
            }
            return;
        }
        let silence = measured.pass(&self.span);
        if let Some(goodbye) = measured.received.count(&self.span, bytes) {
            measured.goodbye(&self.span, Party::Peer, silence, &goodbye);
        }
    }

    /// Counts bytes to the peer.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        let Some(measured) = &mut self.measured else {
            return;
        };
        if bytes.is_empty() {
            return;
        }
        let silence = measured.pass(&self.span);
        if let Some(goodbye) = measured.sent.count(&self.span, bytes) {
            measured.goodbye(&self.span, Party::Local, silence, &goodbye);
        }
    }

    /// Notes that the program has ended its own stream.
    pub(super) fn shut_down(&mut self) {
        if let Some(measured) = &mut self.measured
            && !std::mem::replace(&mut measured.has_shut_down, true)
        {
            measured.sign(&self.span, Some(Party::Local));
            self.span.log_event("shut_down");
        }
    }

    /// Notes that reading or writing has failed. Only the first failure counts, and none after the peer of a WebSocket
    /// has gone, with or without a goodbye: it need not wait for ours.
    #[cold]
    pub(super) fn failed(&mut self, error: &io::Error) {
        let Some(measured) = &mut self.measured else {
            return;
        };
        let is_passing = matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
        );
        let is_gone = measured.received.is_closed()
            || measured.has_peer_ended && measured.received.frames.is_some();
        if is_passing || is_gone || measured.failure.is_some() {
            return;
        }
        let failure = Ending::of_error(error);
        measured.failure = Some(failure);
        measured.sign(&self.span, failure.party());
        log_error(&self.span, error);
    }

    fn end(&mut self) {
        let fate = if thread::panicking() {
            Some(Fate::Panicked)
        } else {
            self.handle.fate()
        };
        if let Some(measured) = &mut self.measured {
            let ending = measured.ending(fate);
            measured.sign(&self.span, ending.party());
            measured.tell(&self.span, ending);
        }
        if fate == Some(Fate::Panicked) {
            self.span.mark_panic();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
        std::mem::take(&mut self.span).finish();
    }
}

impl Measured {
    /// Notes that bytes pass now, and returns how long none had passed.
    fn pass(&mut self, span: &Span) -> u64 {
        let now = ticks(span);
        let silence = now.saturating_sub(self.last_bytes);
        self.longest_silence = self.longest_silence.max(silence);
        self.last_bytes = now;
        silence
    }

    /// Notes a sign of the end that is no bytes.
    fn sign(&mut self, span: &Span, party: Option<Party>) {
        if self.first_sign.is_none() {
            let silence = ticks(span).saturating_sub(self.last_bytes);
            self.longest_silence = self.longest_silence.max(silence);
            self.first_sign = Some(Sign { party, silence });
        }
    }

    /// Notes a close frame, which came after so long a silence.
    fn goodbye(&mut self, span: &Span, party: Party, silence: u64, goodbye: &Goodbye) {
        if self.first_sign.is_none() {
            self.first_sign = Some(Sign {
                party: Some(party),
                silence: if goodbye.has_company { 0 } else { silence },
            });
        }
        let is_first = !(self.received.is_closed() && self.sent.is_closed());
        let reason = String::from_utf8_lossy(&goodbye.reason);
        let reason = redact::text(&reason);
        let reason = (!reason.is_empty()).then_some(&*reason);
        if is_first {
            // RFC 6455 has this code for a frame that holds none.
            let code = goodbye.code.unwrap_or(1005);
            self.close_code = Some(code);
            span.set_tag("websocket.close_code", code)
                .set_tag("websocket.close_reason", reason);
        }
        let event = match party {
            Party::Local => "close_sent",
            Party::Peer => "close_received",
        };
        span.log([
            field(tags::EVENT, event),
            field("websocket.close_code", goodbye.code),
            field("websocket.close_reason", reason),
        ]);
    }

    fn ending(&self, fate: Option<Fate>) -> Ending {
        if let Some(failure) = self.failure {
            return failure;
        }
        let is_closed = match &self.received.frames {
            Some(_) => self.received.is_closed() || self.sent.is_closed(),
            None => self.has_peer_ended || self.has_shut_down,
        };
        match fate {
            _ if is_closed => Ending::Closed,
            _ if self.has_peer_ended => Ending::EndOfStream,
            Some(Fate::Panicked) => Ending::Panic,
            Some(Fate::Aborted) => Ending::Aborted,
            None => Ending::Dropped,
        }
    }

    fn tell(&self, span: &Span, ending: Ending) {
        let is_error = ending.is_error()
            || self.close_code.is_some_and(is_error_code)
            || self.received.is_nonsense();
        span.set_tag("session.ending", ending.as_str())
            .set_tag("session.bytes_received", self.received.bytes)
            .set_tag("session.bytes_sent", self.sent.bytes)
            .set_tag(
                "session.longest_silence_ms",
                self.longest_silence / 1_000_000,
            );
        if let Some(Sign { party, silence }) = self.first_sign {
            span.set_tag("session.ended_by", party.map(Party::as_str))
                .set_tag("session.last_silence_ms", silence / 1_000_000);
        }
        if is_error {
            span.set_tag(tags::ERROR, true);
        }
        if let (Some(received), Some(sent)) = (&self.received.frames, &self.sent.frames) {
            span.set_tag("websocket.messages_received", received.messages)
                .set_tag("websocket.messages_sent", sent.messages)
                .set_tag("websocket.pings_received", received.pings)
                .set_tag("websocket.pings_sent", sent.pings)
                .set_tag("websocket.pongs_received", received.pongs)
                .set_tag("websocket.pongs_sent", sent.pongs);
            if received.is_nonsense || sent.is_nonsense {
                let party = match received.is_nonsense {
                    true => Party::Peer,
                    false => Party::Local,
                };
                span.set_tag("websocket.malformed_by", party.as_str());
            }
        }
    }
}

/// Returns the time by the clock of the span's tracer, in nanoseconds.
pub(super) fn ticks(span: &Span) -> u64 {
    span.slot().map_or(0, |slot| slot.recorder.clock.now())
}
