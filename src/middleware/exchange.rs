//! One request and its answer, as far as its span is concerned: the one thing that knows how a span ends.

use std::fmt::Display;

use http::{HeaderMap, Method, StatusCode};

use crate::middleware::claim::Claim;
use crate::middleware::failure::log_error;
use crate::middleware::grpc::{self, Code};
use crate::middleware::hooks::{Hooks, SpanEnd};
use crate::middleware::record::{self, Protocol, Side};
use crate::model::tags;
use crate::span::Span;

/// Owns the span of a request. It goes from the future of the response to the body of the response, and ends the span
/// once; one that is dropped before that was cancelled, or was in the way of a panic.
#[derive(Debug)]
pub(super) struct Exchange {
    /// No-op once it has ended.
    span: Span,
    side: Side,
    answer: Answer,
    /// What is to be borne out by the answer of a server.
    claim: Option<Box<Claim>>,
    /// Whether a client has a reply over HTTP, and nobody has looked into its body yet.
    is_unread: bool,
    /// Bytes of the response's body so far.
    bytes: u64,
}

/// What is awaited.
#[derive(Debug)]
enum Answer {
    Http {
        /// By its method the response has no body, whatever its headers say.
        is_bodiless: bool,
    },
    Grpc {
        /// The code, should the response end without one.
        missing: Code,
        progress: Progress,
    },
}

/// How far a gRPC call is known to have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Unanswered,
    /// Somebody has answered by gRPC, who need not be a method: a layer before it, say.
    Answered,
    /// The answer has a body or trailers, so a method was at work.
    Reached,
}

impl Exchange {
    pub(super) fn new(span: Span, side: Side, protocol: Protocol, method: &Method) -> Self {
        Self {
            span,
            side,
            answer: match protocol {
                Protocol::Http => Answer::Http {
                    // What follows the answer to a CONNECT is a tunnel.
                    is_bodiless: matches!(*method, Method::HEAD | Method::CONNECT),
                },
                Protocol::Grpc => Answer::Grpc {
                    missing: Code::UNKNOWN,
                    progress: Progress::Unanswered,
                },
            },
            claim: None,
            is_unread: false,
            bytes: 0,
        }
    }

    /// Says that the request is gRPC's only by its own word.
    pub(super) fn claimed(mut self, claim: Option<Claim>) -> Self {
        self.claim = claim.map(Box::new);
        self
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn is_over(&self) -> bool {
        self.span.is_noop()
    }

    /// Whether the announced length of the body tells when it is over.
    pub(super) fn has_length(&self) -> bool {
        matches!(self.answer, Answer::Http { .. })
    }

    /// Runs a piece of the work with the span active. A panic ends the span at once, because whoever catches it may keep
    /// what is left of the request.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let mut guard = EndsOnPanic(Some(self));
        let result = {
            let _scope = guard
                .0
                .as_ref()
                .map(|exchange| exchange.span.activate_lent());
            work()
        };
        guard.0 = None;
        result
    }

    /// Takes note of the head of the response.
    pub(super) fn head<Req, Res>(
        &mut self,
        hooks: &Hooks<Req, Res>,
        status: StatusCode,
        headers: &HeaderMap,
        response: &Res,
    ) {
        if let Answer::Grpc { missing, progress } = &mut self.answer {
            *missing = Code::from_http(status);
            if grpc::is_answer(headers) {
                *progress = Progress::Answered;
            } else if let Some(claim) = self.claim.take() {
                claim.refute(&self.span);
                self.answer = Answer::Http { is_bodiless: false };
            } else {
                record::status(&self.span, status, false);
            }
        }
        let span = &self.span;
        let is_all = match &mut self.answer {
            Answer::Http { is_bodiless } => {
                record::status(span, status, hooks.is_error(status));
                hooks.ends_at == SpanEnd::Head
                    || *is_bodiless
                    || matches!(
                        status,
                        StatusCode::SWITCHING_PROTOCOLS
                            | StatusCode::NO_CONTENT
                            | StatusCode::NOT_MODIFIED
                    )
            }
            Answer::Grpc { .. } => self.status(headers).is_some(),
        };
        let span = &self.span;
        hooks.response_headers.record(span, headers);
        hooks.decorate_response(span, response);
        if is_all {
            self.complete();
        }
    }

    /// Takes note that the body is still to come.
    pub(super) fn body_follows(&mut self) {
        if self.has_length() {
            self.is_unread = self.side == Side::Client;
            self.span.log_event(match self.side {
                Side::Server => "headers_sent",
                Side::Client => "headers_received",
            });
        }
    }

    /// Takes note that somebody asks for the body.
    pub(super) fn reads_body(&mut self) {
        self.is_unread = false;
    }

    pub(super) fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.reach();
    }

    /// Takes note that a method was at work.
    fn reach(&mut self) {
        if let Answer::Grpc { progress, .. } = &mut self.answer
            && *progress == Progress::Answered
        {
            *progress = Progress::Reached;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Trailers are the end.
    pub(super) fn trailers(&mut self, trailers: &HeaderMap, length: Option<u64>) {
        match self.status(trailers) {
            Some(Code::UNIMPLEMENTED) => self.unreach(),
            Some(_) => self.reach(),
            None => {}
        }
        self.end_of_body(length);
    }

    /// The body is over, of which so many bytes were announced.
    pub(super) fn end_of_body(&mut self, length: Option<u64>) {
        if let Some(missing) = length.and_then(|length| length.checked_sub(self.bytes))
            && missing > 0
        {
            record::cut_short(&self.span, missing);
        }
        self.complete();
    }

    /// Records the status of a gRPC call, and returns it if it is there.
    fn status(&mut self, headers: &HeaderMap) -> Option<Code> {
        let Answer::Grpc { missing, .. } = &mut self.answer else {
            return None;
        };
        let (code, message) = grpc::status(headers)?;
        *missing = Code::OK;
        grpc::record_status(&self.span, self.side, code, &message);
        Some(code)
    }

    /// Takes note that the method is not there, whatever has come before.
    #[cold]
    fn unreach(&mut self) {
        if let Answer::Grpc { progress, .. } = &mut self.answer {
            *progress = Progress::Answered;
        }
    }

    /// Decides on a claim by how far the call has come.
    #[cold]
    fn settle(&self, claim: &Claim) {
        match self.answer {
            Answer::Grpc {
                progress: Progress::Reached,
                ..
            } => claim.accept(&self.span),
            Answer::Grpc {
                progress: Progress::Answered,
                ..
            } => claim.record_url(&self.span),
            _ => claim.refute(&self.span),
        }
    }

    /// Everything that was to come has come.
    pub(super) fn complete(&mut self) {
        if let Answer::Grpc { missing, .. } = self.answer {
            grpc::record_status(&self.span, self.side, missing, "the status is missing");
        }
        self.finish();
    }

    /// The service or the body has failed.
    pub(super) fn fail<E: Display + 'static>(&mut self, error: &E) {
        let mut is_error = true;
        if let Answer::Grpc { .. } = self.answer {
            let code = grpc::code_of(error);
            grpc::record_code(&self.span, code);
            is_error = code != Code::CANCELED;
        }
        if is_error {
            self.span.set_tag(tags::ERROR, true);
        }
        log_error(&self.span, error);
        self.finish();
    }

    fn cancel(&mut self) {
        match self.answer {
            Answer::Http { .. } if self.is_unread => {
                self.span.log_event("body_dropped");
            }
            Answer::Http { .. } => record::cancelled(&self.span),
            Answer::Grpc { progress, .. } => {
                grpc::record_code(&self.span, Code::CANCELED);
                if self.claim.is_some() && progress == Progress::Unanswered {
                    // Nothing has told which of the two it is.
                    record::cancelled(&self.span);
                } else {
                    self.span.log_event("cancelled");
                }
            }
        }
        self.finish();
    }

    fn panicked(&mut self) {
        record::panicked(&self.span);
        self.finish();
    }

    fn finish(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.settle(&claim);
        }
        if self.side == Side::Server && self.has_length() {
            record::response_size(&self.span, self.bytes);
        }
        std::mem::take(&mut self.span).finish();
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.is_over() {
            return;
        }
        if std::thread::panicking() {
            self.panicked();
        } else {
            self.cancel();
        }
    }
}

struct EndsOnPanic<'a>(Option<&'a mut Exchange>);

impl Drop for EndsOnPanic<'_> {
    fn drop(&mut self) {
        if let Some(exchange) = &mut self.0 {
            exchange.panicked();
        }
    }
}
