//! What a layer does around the work of a request.

use crate::middleware::http::exchange::Exchange;
use crate::scope::with_context;
use crate::span::SpanContext;

/// What a layer does around the work of a request.
#[derive(Debug)]
pub(super) enum RequestScope {
    /// The request has a span, which is active in each piece of the work.
    Span(Exchange),
    /// The request has none, and its caller's context is active instead: who is called next belongs to that trace.
    Context(Box<SpanContext>),
    Nothing,
}

impl RequestScope {
    /// Runs a piece of the work.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        match self {
            Self::Span(exchange) => exchange.run(work),
            Self::Context(context) => {
                let _scope = with_context(context);
                work()
            }
            Self::Nothing => work(),
        }
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Nothing)
    }
}

impl From<Exchange> for RequestScope {
    /// Nothing where the span has ended.
    fn from(exchange: Exchange) -> Self {
        if exchange.is_over() {
            Self::Nothing
        } else {
            Self::Span(exchange)
        }
    }
}
