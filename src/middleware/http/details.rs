//! The parts of HTTP that are recorded or answered only on request. Without them a request pays for one null pointer.

use http::{HeaderMap, request};

use crate::middleware::http::answer;
use crate::middleware::{AnswerHeaders, TrustedProxies};
use crate::span::Span;

/// The settings of a layer that most users leave alone.
#[derive(Clone, Default)]
pub(super) struct DetailSettings {
    pub(super) answer: Option<AnswerHeaders>,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) reads_trace_response: bool,
}

impl DetailSettings {
    /// Returns what the response to a request of a server needs.
    pub(super) fn of_server(&self, request: &request::Parts) -> Option<Box<Details>> {
        let answer = self.answer.as_ref()?;
        answer.wants(request).then(|| {
            Box::new(Details {
                answer: Some(answer.clone()),
                reads_trace_response: false,
            })
        })
    }

    /// Returns what the response to a client's request needs.
    pub(super) fn of_client(&self) -> Option<Box<Details>> {
        self.reads_trace_response.then(|| {
            Box::new(Details {
                answer: None,
                reads_trace_response: true,
            })
        })
    }
}

/// The work that waits for the head of a response.
#[derive(Debug)]
pub(super) struct Details {
    answer: Option<AnswerHeaders>,
    reads_trace_response: bool,
}

impl Details {
    /// Does the work: reads the headers of a client's response, or adds to those of a server's.
    pub(super) fn settle(self, span: &Span, headers: &mut HeaderMap) {
        if let Some(answer) = self.answer {
            answer.write(span, headers);
        }
        if self.reads_trace_response {
            answer::record(span, headers);
        }
    }
}

/// Implements the setters of details for a layer of a client.
macro_rules! client_details {
    ($layer:ident) => {
        impl $layer {
            /// Sets whether the header `traceresponse` of a response is read, in which a server tells where it has
            /// worked on the request. Defaults to false.
            ///
            /// If that is another trace, the span gets the tags `traceresponse.trace_id` and `traceresponse.span_id`,
            /// in hex. A server that does not trust its callers [answers](crate::middleware::AnswerHeaders) so.
            #[must_use]
            pub fn trace_response(mut self, reads: bool) -> Self {
                self.hooks_mut().details_mut().reads_trace_response = reads;
                self
            }
        }
    };
}
pub(super) use client_details;
