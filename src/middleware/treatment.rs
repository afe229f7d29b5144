//! What a layer does around the work of a request.

use crate::middleware::exchange::Exchange;
use crate::scope::activate_context;
use crate::span::SpanContext;

/// What a layer does around the work of a request.
#[derive(Debug)]
pub(super) enum Treatment {
    /// The request has a span, which is active in each piece of the work.
    Span(Exchange),
    /// The request has none, and its caller's context is active instead: who is called next belongs to that trace.
    Context(Box<SpanContext>),
    Nothing,
}

impl Treatment {
    /// Runs a piece of the work.
    pub(super) fn run<R>(&mut self, work: impl FnOnce() -> R) -> R {
        match self {
            Self::Span(exchange) => exchange.run(work),
            Self::Context(context) => {
                let _scope = activate_context(context);
                work()
            }
            Self::Nothing => work(),
        }
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Nothing)
    }
}

impl From<Exchange> for Treatment {
    /// Nothing where the span has ended.
    fn from(exchange: Exchange) -> Self {
        if exchange.is_over() {
            Self::Nothing
        } else {
            Self::Span(exchange)
        }
    }
}
