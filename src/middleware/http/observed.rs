//! The parts of an exchange that are recorded only on request: the details of a gRPC call, contents, trailers.

use bytes::Buf;
use http::HeaderMap;

use crate::middleware::grpc::Call;
use crate::middleware::grpc::status as grpc;
use crate::middleware::http::contents::Contents;
use crate::middleware::http::hooks::RecordedHeaders;
use crate::middleware::http::tapped::RequestReader;
use crate::middleware::side::Side;
use crate::span::Span;

/// The parts that an exchange has been asked for.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The details of a gRPC call.
    call: Option<Box<Call>>,
    /// The headers and bodies, in a test environment that records everything.
    contents: Option<Box<Contents>>,
    /// The headers to record that may come as trailers of a gRPC call.
    trailers: RecordedHeaders,
}

impl Observed {
    pub(super) fn new(call: Option<Call>, contents: Option<Contents>) -> Self {
        Self {
            call: call.map(Box::new),
            contents: contents.map(Box::new),
            trailers: RecordedHeaders::default(),
        }
    }

    pub(super) fn call(&self) -> Option<&Call> {
        self.call.as_deref()
    }

    pub(super) fn call_mut(&mut self) -> Option<&mut Call> {
        self.call.as_deref_mut()
    }

    /// Returns the reader that the body of the request needs, if any.
    pub(super) fn reader(&self) -> Option<impl FnOnce() -> RequestReader> {
        let contents = self.contents.as_ref();
        let text = contents.and_then(|contents| contents.request());
        let call = self.call();
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

    /// Notes that the request is no gRPC call.
    pub(super) fn refute(&mut self) {
        self.call = None;
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
