//! The measurements on one gRPC call that its span tells at the end.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Buf;
use http::{HeaderMap, Method, Version, request};

use crate::middleware::GrpcDetails;
use crate::middleware::grpc::frames::Framing;
use crate::middleware::grpc::messages::Messages;
use crate::middleware::grpc::request::RequestMessages;
use crate::middleware::grpc::shared::{CUT, Direction, EndedBy, MALFORMED, SEEN, Shared};
use crate::middleware::grpc::status::{self, Code};
use crate::middleware::grpc::{deadline, web};
use crate::middleware::message_spans::MessageSpans;
use crate::middleware::pieces::each_piece;
use crate::middleware::side::Side;
use crate::span::Span;
use crate::tracer::Tracer;

/// A gRPC call, seen from the owner of its span.
pub(crate) struct Call {
    shared: Arc<Shared>,
    /// `None` before the head of the response, and if that is not gRPC or cannot be read.
    response: Option<Messages>,
    /// The framing of the request, and of the response if it is gRPC.
    framing: Framing,
    /// Starts the spans of messages.
    tracer: Arc<dyn Tracer>,
    /// The share of the messages that get a span, from 0 to 1.
    message_share: f64,
    deadline: Option<Duration>,
    /// The start of the call, in ticks of the tracer's clock.
    began: u64,
    ended_by: Option<EndedBy>,
    has_status: bool,
    /// Whether the body of the request can tell that the client has gone.
    tells_reset: bool,
}

impl Call {
    /// Begins to measure a request that says it is a gRPC call, perhaps of gRPC-Web.
    pub(crate) fn begin(
        details: GrpcDetails,
        side: Side,
        request: &request::Parts,
        span: &Span,
        tracer: &Arc<dyn Tracer>,
    ) -> Option<Self> {
        let framing = web::framing(&request.headers)?;
        let is_call = match framing {
            Framing::Grpc => status::is_call(request),
            Framing::Web | Framing::WebText => request.method == Method::POST,
        };
        if !is_call {
            return None;
        }
        let shared = Shared {
            span: span.downgrade(),
            side,
            message_events: details.message_events.into(),
            request: Direction::default(),
            response: Direction::default(),
            is_reset: AtomicBool::new(false),
            is_dropping: AtomicBool::new(false),
            is_open: AtomicBool::new(false),
        };
        // A response that does not come has no messages.
        shared.response.mark(SEEN);
        Some(Self {
            shared: Arc::new(shared),
            response: None,
            framing,
            tracer: tracer.clone(),
            message_share: details.message_share,
            deadline: deadline::timeout(&request.headers),
            began: ticks(span),
            ended_by: None,
            has_status: false,
            tells_reset: side == Side::Server && request.version == Version::HTTP_2,
        })
    }

    /// Returns the counter for the body of the request.
    pub(crate) fn request(&self) -> RequestMessages {
        self.shared.request.mark(SEEN);
        RequestMessages {
            messages: Messages::new(self.framing, self.message_spans(Side::Client)),
            shared: self.shared.clone(),
            tells_reset: self.tells_reset,
        }
    }

    /// Reads the head of the response.
    pub(crate) fn head(&mut self, headers: &HeaderMap) {
        let spans = self.message_spans(Side::Server);
        self.response = web::framing(headers).map(|framing| Messages::new(framing, spans));
    }

    /// Whether the response is gRPC-Web, which has its trailers in the body.
    pub(crate) fn is_web(&self) -> bool {
        self.framing != Framing::Grpc && self.response.is_some()
    }

    /// Counts messages of the response. `trailers` gets those of gRPC-Web.
    pub(crate) fn response(&mut self, data: &impl Buf, mut trailers: impl FnMut(HeaderMap)) {
        let Some(messages) = &mut self.response else {
            return;
        };
        let shared = &*self.shared;
        let is_whole = each_piece(data, |bytes| {
            messages.read(bytes, shared, &shared.response, |bytes| {
                trailers(web::trailers(bytes));
            });
        });
        if !is_whole {
            self.response = None;
            shared.response.unmark(SEEN);
        }
    }

    /// Notes that the service or the body is about to be dropped before its end.
    pub(crate) fn drops(&self) {
        self.shared.is_dropping.store(true, Ordering::Relaxed);
    }

    /// Notes that the call is dropped, and returns its code.
    pub(crate) fn cancelled(&mut self) -> Code {
        let by = match self.shared.side {
            Side::Client => Some(EndedBy::Client),
            Side::Server => self.who_dropped(),
        };
        let is_late = self.is_deadline_over();
        self.ended_by = if is_late { Some(EndedBy::Deadline) } else { by };
        match is_late {
            true => Code::DEADLINE_EXCEEDED,
            false => Code::CANCELED,
        }
    }

    /// Notes that the service or the body has failed with this code.
    pub(crate) fn failed(&mut self, code: Code) {
        self.ended_by = match code {
            Code::DEADLINE_EXCEEDED => Some(EndedBy::Deadline),
            // The connection may have failed.
            Code::UNAVAILABLE => None,
            _ => Some(EndedBy::Server),
        };
    }

    /// Notes that this program has panicked.
    pub(crate) fn panicked(&mut self) {
        self.ended_by = Some(match self.shared.side {
            Side::Client => EndedBy::Client,
            Side::Server => EndedBy::Server,
        });
    }

    /// Whether the server has sent no status yet.
    pub(crate) fn lacks_status(&self) -> bool {
        !self.has_status
    }

    /// Notes the status that the server has sent.
    pub(crate) fn answered(&mut self, code: Code) {
        self.has_status = true;
        if code == Code::DEADLINE_EXCEEDED {
            self.ended_by = Some(EndedBy::Deadline);
        } else if code != Code::OK && self.shared.side == Side::Server {
            // A handler that reads from a stream which is reset answers with an error.
            self.ended_by = self.who_dropped();
        }
    }

    /// Sets the tags of a call that has ended.
    pub(crate) fn record(self, span: &Span) {
        let shared = &*self.shared;
        if self.response.as_ref().is_some_and(Messages::is_inside) {
            shared.response.mark(CUT);
        }
        let (sent, received) = match shared.side {
            Side::Client => (&shared.request, &shared.response),
            Side::Server => (&shared.response, &shared.request),
        };
        let mut unlogged = 0;
        for (key, direction) in [
            ("grpc.messages_sent", sent),
            ("grpc.messages_received", received),
        ] {
            if direction.has(SEEN) {
                let messages = direction.messages.load(Ordering::Relaxed);
                span.set_tag(key, messages);
                unlogged += messages.saturating_sub(shared.message_events);
            }
        }
        if shared.message_events > 0 && unlogged > 0 {
            span.set_tag("grpc.messages_unlogged", unlogged);
        }
        span.set_tag("grpc.cut_by", shared.party_with(CUT))
            .set_tag("grpc.malformed_by", shared.party_with(MALFORMED));
        let deadline = self.deadline.map(|deadline| deadline.as_millis());
        let deadline = deadline.and_then(|millis| u64::try_from(millis).ok());
        span.set_tag("grpc.deadline_millis", deadline)
            .set_tag("grpc.ended_by", self.ended_by.map(EndedBy::as_str));
    }

    /// Returns the spans of the messages that one side sends, if they are asked for.
    fn message_spans(&self, from: Side) -> Option<MessageSpans> {
        let name = match self.shared.side == from {
            true => "gRPC send",
            false => "gRPC receive",
        };
        let share = self.message_share;
        (share > 0.0).then(|| MessageSpans::new(self.tracer.clone(), name, share))
    }

    /// Returns who has dropped a call on its server, if that can be told: a request that has ended tells nothing.
    fn who_dropped(&self) -> Option<EndedBy> {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        if is(&self.shared.is_reset) {
            Some(EndedBy::Client)
        } else {
            is(&self.shared.is_open).then_some(EndedBy::Server)
        }
    }

    /// Whether the deadline is over, or so nearly that the client, whose clock began at another time and may round, has
    /// ended the call by it.
    fn is_deadline_over(&self) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        let slack = (deadline / 20).max(Duration::from_millis(2));
        let elapsed = ticks(&self.shared.span).saturating_sub(self.began);
        Duration::from_nanos(elapsed) + slack >= deadline
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

/// Returns the time by the clock of the span's tracer, in nanoseconds.
fn ticks(span: &Span) -> u64 {
    span.slot().map_or(0, |slot| slot.recorder.clock.now())
}
