//! The start of a span of `tracing`: its name, its time and its parent.

use std::sync::Arc;

use crate::clock::Moment;
use crate::scope::{Active, Deferred, peek};
use crate::span::{Span, SpanContext};

/// The start of a span.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) name: &'static str,
    pub(super) moment: Moment,
    pub(super) parent: Parent,
}

/// The parent of a span.
#[derive(Debug)]
pub(super) enum Parent {
    Root,
    Deferred(Arc<dyn Deferred>),
    Span(Span),
    Context(SpanContext),
}

impl Parent {
    /// Returns what is active on this thread.
    pub(super) fn active() -> Self {
        let parent = peek(|active| match active {
            None => Self::Root,
            Some(Active::Span(span)) => Self::Span(span.downgrade()),
            Some(Active::Context(context)) => Self::Context(context.clone()),
            Some(Active::Deferred(entry)) => Self::Deferred(entry.span.clone()),
        });
        parent.unwrap_or(Self::Root)
    }
}
