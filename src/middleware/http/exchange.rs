use std::fmt::Display;
use std::mem::{self, ManuallyDrop};

use bytes::Buf;
use http::{Extensions, HeaderMap, Method, StatusCode};

use crate::middleware::error_log::{log_error, type_of};
use crate::middleware::grpc::Call;
use crate::middleware::grpc::status::{self as grpc, Code};
use crate::middleware::http::contents::Contents;
use crate::middleware::http::details::Details;
use crate::middleware::http::extras::Extras;
use crate::middleware::http::grpc_claim::GrpcClaim;
use crate::middleware::http::hooks::{Hooks, SpanEnd};
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::span_tags;
use crate::middleware::http::tapped::RequestReader;
use crate::middleware::http::upgrade::Upgrade;
use crate::middleware::side::Side;
use crate::model::tags;
use crate::scope::{Lent, Role};
use crate::span::Span;

/// A request and its response, and the only owner of its span.
///
/// It moves from the response's future to the response's body and ends the span once. Dropping it earlier means that
/// the request was cancelled or that a panic passed by.
///
/// The head of the response ends the span if no body follows. A 101 (Switching Protocols) is such a head: what happens
/// on the connection afterwards is not part of the request. If sessions have spans, the upgrade becomes the owner of
/// the span then, and ends it when the connection is there.
#[derive(Debug)]
pub(super) struct Exchange {
    /// The no-op span after the end.
    span: Span,
    side: Side,
    role: Role,
    response: Expected,
    extras: Option<Box<Extras>>,
    /// Whether a client has received the head of an HTTP response and not yet polled the body.
    is_unread: bool,
    /// How many bytes of the response's body have passed.
    bytes: u64,
}

/// The kind of response that the exchange waits for.
#[derive(Debug)]
enum Expected {
    Http {
        /// Whether the method of the request rules out a body, whatever the headers say.
        is_bodiless: bool,
    },
    Grpc {
        /// The code to record if the response ends without one.
        missing: Code,
        progress: Progress,
    },
}

/// How far a gRPC call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Unanswered,
    /// The response is gRPC, but may come from a layer outside of the method.
    Answered,
    /// The response has a body or trailers, so a method has answered.
    Reached,
}

impl Exchange {
    pub(super) fn new(span: Span, role: Role, protocol: Protocol, method: &Method) -> Self {
        Self {
            span,
            side: match role {
                Role::Client => Side::Client,
                Role::Server { .. } | Role::Carrier => Side::Server,
            },
            role,
            response: match protocol {
                Protocol::Http => Expected::Http {
                    // The response to a CONNECT is followed by a tunnel.
                    is_bodiless: matches!(*method, Method::HEAD | Method::CONNECT),
                },
                Protocol::Grpc => Expected::Grpc {
                    missing: Code::UNKNOWN,
                    progress: Progress::Unanswered,
                },
            },
            extras: None,
            is_unread: false,
            bytes: 0,
        }
    }

    /// Adds the claim of a caller that the response has to decide on.
    pub(super) fn claimed(mut self, claim: Option<GrpcClaim>) -> Self {
        if claim.is_some() {
            self.extras_mut().claim = claim;
        }
        self
    }

    /// Adds the upgrade that the request wants.
    pub(super) fn upgraded(mut self, upgrade: Option<Box<Upgrade>>) -> Self {
        if upgrade.is_some() {
            self.extras_mut().upgrade = upgrade;
        }
        self
    }

    /// Adds the work that waits for the head of the response.
    pub(super) fn detailed(mut self, details: Option<Box<Details>>) -> Self {
        if details.is_some() {
            self.extras_mut().details = details;
        }
        self
    }

    /// Adds the details of a gRPC call.
    pub(super) fn with_call(mut self, call: Option<Call>) -> Self {
        if call.is_some() {
            self.extras_mut().call = call;
        }
        self
    }

    /// Adds the headers and bodies.
    pub(super) fn with_contents(mut self, contents: Option<Contents>) -> Self {
        if contents.is_some() {
            self.extras_mut().contents = contents;
        }
        self
    }

    fn extras_mut(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    /// Takes the work that has waited for the head of the response.
    pub(super) fn take_details(&mut self) -> Option<Box<Details>> {
        self.extras.as_mut()?.details.take()
    }

    /// Returns the call whose messages are counted, if any.
    pub(super) fn call(&self) -> Option<&Call> {
        self.extras.as_ref()?.call.as_ref()
    }

    fn call_mut(&mut self) -> Option<&mut Call> {
        self.extras.as_mut()?.call.as_mut()
    }

    /// Returns the reader that the body of the request needs, if any.
    pub(super) fn reader(&self) -> Option<impl FnOnce() -> RequestReader> {
        self.extras.as_ref()?.reader()
    }

    /// Looks for the connection of an upgrade in the response to a client.
    pub(super) fn take_connection(&mut self, extensions: &mut Extensions) {
        if self.side == Side::Client
            && let Some(extras) = &mut self.extras
            && let Some(upgrade) = &mut extras.upgrade
        {
            upgrade.take_from(extensions);
        }
    }

    /// Takes the upgrade that the request wants, to complete it in another way.
    pub(super) fn take_upgrade(&mut self) -> Option<Box<Upgrade>> {
        self.extras.as_mut()?.upgrade.take()
    }

    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    pub(super) fn is_over(&self) -> bool {
        self.span.is_noop()
    }

    /// Whether nothing is kept of the span, so that it does not matter when it ends.
    pub(super) fn is_dropped(&self) -> bool {
        self.span.is_dropped()
    }

    /// Whether the body ends with its announced length.
    pub(super) fn has_length(&self) -> bool {
        matches!(self.response, Expected::Http { .. })
    }

    /// Runs a part of the work with the span active. A panic ends the span at once, because the code that catches it
    /// may keep the future or the body.
    #[inline]
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let entered = self.enter();
        let result = work();
        entered.leave();
        result
    }

    /// Makes the span active until [`Entered::leave`].
    #[inline]
    pub(super) fn enter(&mut self) -> Entered<'_> {
        Entered {
            lent: self.span.lend(self.role),
            exchange: self,
        }
    }

    /// Records the head of the response.
    pub(super) fn head<Req, Res>(
        &mut self,
        hooks: &Hooks<Req, Res>,
        status: StatusCode,
        headers: &HeaderMap,
        response: &Res,
    ) {
        let is_http = self.has_length();
        if let Some(extras) = &mut self.extras {
            extras.head(&self.span, self.side, headers, is_http);
        }
        if let Expected::Grpc { missing, progress } = &mut self.response {
            *missing = Code::from_http(status);
            if grpc::is_response(headers) {
                *progress = Progress::Answered;
            } else if let Some(extras) = &mut self.extras
                && extras.refute(&self.span)
            {
                self.response = Expected::Http { is_bodiless: false };
            } else {
                span_tags::status(&self.span, status, false);
            }
        }
        let span = &self.span;
        let is_last = match &mut self.response {
            Expected::Http { is_bodiless } => {
                span_tags::status(span, status, hooks.is_error(status));
                hooks.span_end == SpanEnd::Head
                    || *is_bodiless
                    || matches!(
                        status,
                        StatusCode::SWITCHING_PROTOCOLS
                            | StatusCode::NO_CONTENT
                            | StatusCode::NOT_MODIFIED
                    )
            }
            Expected::Grpc { .. } => self.status(headers).is_some(),
        };
        let span = &self.span;
        hooks.response_headers.record(span, headers);
        hooks.decorate_response(span, response);
        if !hooks.response_headers.is_empty() && matches!(self.response, Expected::Grpc { .. }) {
            self.extras_mut().expect_trailers(&hooks.response_headers);
        }
        if let Some(upgrade) = self.take_upgrade() {
            let span = mem::take(&mut self.span);
            match upgrade.answered(status, span) {
                Some(span) => self.span = span,
                None => return,
            }
        }
        if is_last {
            self.complete();
        }
    }

    /// Counts the messages in data of the body, and keeps its text, if that is asked for.
    pub(super) fn read(&mut self, data: &impl Buf) {
        if let Some(extras) = &mut self.extras {
            extras.read(&self.span, self.side, data);
        }
    }

    /// Notes that a body follows the head.
    pub(super) fn body_follows(&mut self) {
        if self.has_length() {
            self.is_unread = self.side == Side::Client;
            self.span.log_event(match self.side {
                Side::Server => "headers_sent",
                Side::Client => "headers_received",
            });
        }
    }

    /// Notes that the body is polled.
    pub(super) fn body_polled(&mut self) {
        self.is_unread = false;
    }

    /// Counts bytes of the body.
    pub(super) fn count(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.reach();
    }

    /// Notes that a method has answered.
    fn reach(&mut self) {
        if let Expected::Grpc { progress, .. } = &mut self.response
            && *progress == Progress::Answered
        {
            *progress = Progress::Reached;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records the trailers, which end the body.
    pub(super) fn trailers(&mut self, trailers: &HeaderMap, length: Option<u64>) {
        if let Some(extras) = &self.extras {
            extras.trailers(&self.span, trailers);
        }
        match self.status(trailers) {
            Some(Code::UNIMPLEMENTED) => self.unreach(),
            Some(_) => self.reach(),
            None => {}
        }
        self.end_of_body(length);
    }

    /// Ends the span with the body, of which `length` bytes were announced.
    pub(super) fn end_of_body(&mut self, length: Option<u64>) {
        if let Some(missing) = length.and_then(|length| length.checked_sub(self.bytes))
            && missing > 0
        {
            span_tags::cut_short(&self.span, missing);
        }
        self.complete();
    }

    /// Records the status of a gRPC call and returns it, if the headers hold one.
    fn status(&mut self, headers: &HeaderMap) -> Option<Code> {
        let Expected::Grpc { missing, .. } = &mut self.response else {
            return None;
        };
        let (code, message) = grpc::status(headers)?;
        *missing = Code::OK;
        if let Some(call) = self.call_mut() {
            call.answered(code);
        }
        grpc::record_status(&self.span, self.side, code, &message);
        Some(code)
    }

    /// Notes that the server has no such method.
    #[cold]
    fn unreach(&mut self) {
        if let Expected::Grpc { progress, .. } = &mut self.response {
            *progress = Progress::Answered;
        }
    }

    /// Decides a claim by how far the call has come.
    #[cold]
    fn decide(&self, claim: &GrpcClaim) {
        match self.response {
            Expected::Grpc {
                progress: Progress::Reached,
                ..
            } => claim.accept(&self.span),
            Expected::Grpc {
                progress: Progress::Answered,
                ..
            } => claim.record_url(&self.span),
            _ => claim.refute(&self.span),
        }
    }

    /// Ends the span of a complete response.
    pub(super) fn complete(&mut self) {
        if let Expected::Grpc { missing, .. } = self.response {
            grpc::record_status(&self.span, self.side, missing, MISSING);
        } else if let Some(call) = self.call()
            && call.lacks_status()
        {
            grpc::record_status(&self.span, self.side, Code::UNKNOWN, MISSING);
        }
        self.finish();
    }

    /// Ends the span with the error of the service or of the body.
    pub(super) fn fail<E: Display + 'static>(&mut self, error: &E) {
        let mut is_error = true;
        if let Expected::Grpc { .. } = self.response {
            let code = grpc::code_of(error);
            grpc::record_code(&self.span, code);
            is_error = code != Code::CANCELED;
            if let Some(call) = self.call_mut() {
                call.failed(code);
            }
        }
        if is_error {
            self.span.set_tag(tags::ERROR, true);
            span_tags::error_type(&self.span, || type_of(error));
        }
        log_error(&self.span, error);
        self.finish();
    }

    /// Ends the span of a request whose future or body was dropped.
    fn cancel(&mut self) {
        let code = self
            .call_mut()
            .map_or(Code::CANCELED, |call| call.cancelled());
        match self.response {
            Expected::Http { .. } if self.is_unread => {
                self.span.log_event("body_dropped");
            }
            Expected::Http { .. } => span_tags::cancelled(&self.span),
            Expected::Grpc { progress, .. } => {
                grpc::record_code(&self.span, code);
                if code != Code::CANCELED {
                    self.span.set_tag(tags::ERROR, true);
                }
                let is_claim = self.extras.as_ref().is_some_and(|it| it.claim.is_some());
                if is_claim && progress == Progress::Unanswered {
                    // Without a response, the request may have been HTTP or gRPC.
                    span_tags::cancelled(&self.span);
                } else {
                    self.span.log_event("cancelled");
                }
            }
        }
        self.finish();
    }

    fn panicked(&mut self) {
        span_tags::panicked(&self.span);
        if let Some(call) = self.call_mut() {
            call.panicked();
        }
        self.finish();
    }

    fn finish(&mut self) {
        if let Some(mut extras) = self.extras.take() {
            if let Some(claim) = extras.claim.take() {
                self.decide(&claim);
            }
            extras.record(&self.span);
        }
        if self.side == Side::Server && self.has_length() {
            span_tags::response_size(&self.span, self.bytes);
        }
        mem::take(&mut self.span).finish();
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

const MISSING: &str = "the status is missing";

/// A part of the work, in which the span is active. If it is dropped without [`leave`](Self::leave), there was a panic.
#[must_use]
pub(super) struct Entered<'e> {
    exchange: &'e mut Exchange,
    lent: Lent,
}

impl Entered<'_> {
    /// Ends the part of the work.
    #[inline]
    pub(super) fn leave(self) {
        // By hand, so that the code for a panic is not on the way.
        let mut entered = ManuallyDrop::new(self);
        let Self { exchange, lent } = &mut *entered;
        exchange.span.take_back(lent, &mut exchange.role);
    }
}

impl Drop for Entered<'_> {
    #[cold]
    fn drop(&mut self) {
        let Self { exchange, lent } = self;
        exchange.span.take_back(lent, &mut exchange.role);
        exchange.panicked();
    }
}
