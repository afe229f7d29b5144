//! The parts of an exchange that few requests have: those that are recorded only on request, upgrades, and claims.

use bytes::Buf;
use http::HeaderMap;

use crate::middleware::grpc::Call;
use crate::middleware::grpc::status as grpc;
use crate::middleware::http::contents::Contents;
use crate::middleware::http::details::Details;
use crate::middleware::http::grpc_claim::GrpcClaim;
use crate::middleware::http::hooks::RecordedHeaders;
use crate::middleware::http::tapped::RequestReader;
use crate::middleware::http::upgrade::Upgrade;
use crate::middleware::side::Side;
use crate::span::Span;

/// The parts that an exchange has besides its span. Most exchanges have none, and one null pointer says so.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// Decided by the response of a server.
    pub(super) claim: Option<GrpcClaim>,
    /// The upgrade that the request wants, if sessions have spans.
    pub(super) upgrade: Option<Box<Upgrade>>,
    /// The work that waits for the head of the response, if some was asked for.
    pub(super) details: Option<Box<Details>>,
    /// The details of a gRPC call.
    pub(super) call: Option<Call>,
    /// The headers and bodies, in a test environment that records everything.
    pub(super) contents: Option<Contents>,
    /// The headers to record that may come as trailers of a gRPC call.
    trailers: RecordedHeaders,
}

impl Extras {
    /// Returns the reader that the body of the request needs, if any.
    pub(super) fn reader(&self) -> Option<impl FnOnce() -> RequestReader> {
        let contents = self.contents.as_ref();
        let text = contents.and_then(|contents| contents.request());
        let call = self.call.as_ref();
        (call.is_some() || text.is_some())
            .then_some(move || RequestReader::new(call.map(Call::request), text))
    }

    /// Reads the head of the response. It decides whether an HTTP request is a call of gRPC-Web.
    pub(super) fn head(&mut self, span: &Span, side: Side, headers: &HeaderMap, is_http: bool) {
        if let Some(call) = &mut self.call {
            call.head(headers);
            if is_http && !call.is_web() {
                self.call = None;
            }
            self.web_status(span, side, headers);
        }
        if let Some(contents) = &mut self.contents {
            contents.head(span, headers);
        }
    }

    /// Notes that the request is no gRPC call, if it only claimed to be one. Returns false if it is one.
    pub(super) fn refute(&mut self, span: &Span) -> bool {
        let Some(claim) = self.claim.take() else {
            return false;
        };
        claim.refute(span);
        self.call = None;
        true
    }

    /// Sets the headers that may come as trailers.
    pub(super) fn expect_trailers(&mut self, headers: &RecordedHeaders) {
        self.trailers = headers.clone();
    }

    /// Reads data of the response's body.
    pub(super) fn read(&mut self, span: &Span, side: Side, data: &impl Buf) {
        if let Some(contents) = &mut self.contents {
            contents.response(data);
        }
        if let Some(call) = &mut self.call {
            let mut trailers = None;
            call.response(data, |of_web| trailers = Some(of_web));
            if let Some(trailers) = trailers {
                self.web_status(span, side, &trailers);
            }
        }
    }

    /// Reads the trailers.
    pub(super) fn trailers(&self, span: &Span, trailers: &HeaderMap) {
        self.trailers.record(span, trailers);
        if let Some(contents) = &self.contents {
            contents.trailers(span, trailers);
        }
    }

    /// Records what is known at the end.
    pub(super) fn record(&mut self, span: &Span) {
        if let Some(call) = self.call.take() {
            call.record(span);
        }
        if let Some(contents) = self.contents.take() {
            contents.record(span);
        }
    }

    /// Records the status of a call of gRPC-Web, if the headers hold one.
    fn web_status(&mut self, span: &Span, side: Side, headers: &HeaderMap) {
        if let Some(call) = &mut self.call
            && call.is_web()
            && let Some((code, message)) = grpc::status(headers)
        {
            call.answered(code);
            grpc::record_status(span, side, code, &message);
        }
    }
}
