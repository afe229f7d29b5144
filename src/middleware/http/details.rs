//! The parts of HTTP that are recorded or answered only on request. Without them a request pays for one null pointer.

use std::sync::Arc;

use http::{Extensions, HeaderMap, StatusCode, request, response};

use crate::middleware::http::answer;
use crate::middleware::http::attempts::Attempts;
use crate::middleware::http::connect::ConnectionEvents;
use crate::middleware::{AnswerHeaders, TrustedProxies};
use crate::span::Span;

/// The settings of a layer that most users leave alone.
#[derive(Clone, Default)]
pub(super) struct DetailSettings {
    pub(super) answer: Option<AnswerHeaders>,
    pub(super) proxies: Option<TrustedProxies>,
    pub(super) reads_trace_response: bool,
    pub(super) connection_events: Option<ConnectionEvents>,
}

impl DetailSettings {
    /// Returns the work on the response to a request of a server.
    pub(super) fn of_server(&self, request: &request::Parts) -> Option<Box<Details>> {
        let answer = self.answer.as_ref()?;
        answer.wants(request).then(|| {
            Box::new(Details {
                answer: Some(answer.clone()),
                ..Details::default()
            })
        })
    }
}

/// The work that waits for the head of a response.
#[derive(Debug, Default)]
pub(super) struct Details {
    answer: Option<AnswerHeaders>,
    reads_trace_response: bool,
    connection_events: Option<ConnectionEvents>,
    /// The attempts of the call that the request is part of.
    attempts: Option<Arc<Attempts>>,
}

impl Details {
    /// Numbers a client's request, if it is part of a call, and returns the work on its response.
    pub(super) fn of_client(
        settings: Option<&DetailSettings>,
        attempts: Option<Arc<Attempts>>,
        span: &Span,
    ) -> Option<Box<Self>> {
        if settings.is_none() && attempts.is_none() {
            return None;
        }
        if let Some(attempts) = &attempts {
            attempts.begin(span);
        }
        Some(Box::new(Self {
            answer: None,
            reads_trace_response: settings.is_some_and(|it| it.reads_trace_response),
            connection_events: settings.and_then(|it| it.connection_events.clone()),
            attempts,
        }))
    }

    /// Adds headers to the response of a server, or reads that of a client.
    pub(super) fn settle(&self, span: &Span, response: &mut response::Parts) {
        if let Some(answer) = &self.answer {
            answer.write(span, &mut response.headers);
        }
        self.read(
            span,
            response.status,
            &response.headers,
            &response.extensions,
        );
    }

    /// Reads the response of a client.
    pub(super) fn read(
        &self,
        span: &Span,
        status: StatusCode,
        headers: &HeaderMap,
        extensions: &Extensions,
    ) {
        if let Some(attempts) = &self.attempts {
            attempts.answered(status, headers);
        }
        if self.reads_trace_response {
            answer::record(span, headers);
        }
        let events = self.connection_events.as_ref();
        if let Some(is_reused) = events.and_then(|events| events.is_reused(extensions)) {
            span.set_tag("net/http.reused", is_reused);
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

            /// Sets the events of the client's connections, with which a span tells whether its connection was used
            /// before: the tag `net/http.reused`. Defaults to none.
            ///
            /// The same events have to be around the client's connector: see
            /// [`ConnectionEvents`](crate::middleware::ConnectionEvents).
            #[cfg(feature = "_connect")]
            #[cfg_attr(docsrs, doc(cfg(any(feature = "hyper", feature = "reqwest"))))]
            #[must_use]
            pub fn connection_events(
                mut self,
                events: $crate::middleware::ConnectionEvents,
            ) -> Self {
                self.hooks_mut().details_mut().connection_events = Some(events);
                self
            }
        }
    };
}
pub(super) use client_details;
