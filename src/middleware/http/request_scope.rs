use crate::middleware::http::exchange::Exchange;
use crate::scope::activate_context;
use crate::span::SpanContext;

/// The span or context that is active while a service works on a request.
#[derive(Debug)]
pub(super) enum RequestScope {
    /// The span of the request.
    Span(Exchange),
    /// The caller's context, because the request has no span: what the service calls belongs to the caller's trace.
    Context(Box<SpanContext>),
    Nothing,
}

impl RequestScope {
    /// Runs a part of the work.
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

    /// Drops the service or the body before its end.
    pub(super) fn run_drop(&mut self, drop: impl FnOnce()) {
        if let Self::Span(exchange) = self
            && let Some(call) = exchange.call()
        {
            call.drops();
        }
        self.run(drop);
    }

    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Nothing)
    }
}

impl From<Exchange> for RequestScope {
    /// Returns `Nothing` if the span has ended.
    fn from(exchange: Exchange) -> Self {
        if exchange.is_over() {
            Self::Nothing
        } else {
            Self::Span(exchange)
        }
    }
}
