use crate::scope::deferred::DeferredEntry;
#[cfg(feature = "foreign-context")]
use crate::scope::foreign::ForeignActive;
use crate::scope::role::Role;
use crate::span::{Span, SpanContext};

/// An entry of the stack of a thread.
#[derive(Debug)]
pub(crate) enum Active {
    /// An owner in a scope that the user opened, else a handle that does not own the span.
    Span(Span),
    /// The owner of the span of a request, which was lent to the stack.
    #[cfg_attr(
        not(feature = "tower"),
        expect(dead_code, reason = "this build has no requests")
    )]
    Request(Span, Role),
    Context(SpanContext),
    /// A span that starts when it is asked for.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(dead_code, reason = "no span is deferred in this build")
    )]
    Deferred(DeferredEntry),
}

/// A look at an entry of the stack: a span that has started, or a context.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ActiveRef<'a> {
    Span(&'a Span),
    Context(&'a SpanContext),
}

impl ActiveRef<'_> {
    /// Returns a copy that does not own the span.
    pub(crate) fn lent(self) -> Active {
        match self {
            Self::Span(span) => Active::Span(span.downgrade()),
            Self::Context(context) => Active::Context(context.clone()),
        }
    }
}

impl Active {
    /// Returns a copy that does not own the span. That of a deferred span which has not started is no span.
    pub(crate) fn lent(&self) -> Self {
        self.started()
            .map_or_else(|| Self::Span(Span::noop()), ActiveRef::lent)
    }

    /// Returns whether it is a deferred span that has ended.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Deferred(entry) => entry.has_ended(),
            Self::Span(_) | Self::Request(..) | Self::Context(_) => false,
        }
    }

    /// Returns the span or context, or `None` for a span that has not started.
    #[inline(always)]
    pub(super) fn started(&self) -> Option<ActiveRef<'_>> {
        match self {
            Self::Span(span) | Self::Request(span, _) => Some(ActiveRef::Span(span)),
            Self::Context(context) => Some(ActiveRef::Context(context)),
            Self::Deferred(entry) => entry.started().map(ActiveRef::Span),
        }
    }
}

#[cfg(feature = "foreign-context")]
impl From<ForeignActive> for Active {
    fn from(active: ForeignActive) -> Self {
        match active {
            ForeignActive::Span(span) => Self::Span(span.downgrade()),
            ForeignActive::Context(context) => Self::Context(context),
        }
    }
}
