use std::fmt;
use std::sync::Arc;
use std::thread;

use crate::span::Span;
use crate::tracer::{Tracer, TracerExt};

/// The spans of a share of the messages that pass in one direction of a stream.
pub(crate) struct MessageSpans {
    tracer: Arc<dyn Tracer>,
    name: &'static str,
    /// The share of the messages that get a span, from 0 to 1.
    share: f64,
    /// The fraction of a span that the messages so far have left over.
    credit: f64,
    /// The no-op span between two messages, and for one without a span.
    open: Span,
}

impl MessageSpans {
    pub(crate) fn new(tracer: Arc<dyn Tracer>, name: &'static str, share: f64) -> Self {
        Self {
            tracer,
            name,
            share,
            credit: 0.0,
            open: Span::noop(),
        }
    }

    /// Begins a message of the stream that `parent` is the span of, and returns the span of the message.
    pub(crate) fn begin(&mut self, parent: &Span) -> &Span {
        self.credit += self.share;
        if self.credit >= 1.0 {
            self.credit -= 1.0;
            self.open = self.tracer.build_span(self.name).child_of(parent).start();
        }
        &self.open
    }

    /// Ends the message, whose span finishes when it is dropped.
    pub(crate) fn end(&mut self) -> Span {
        std::mem::take(&mut self.open)
    }
}

impl Drop for MessageSpans {
    fn drop(&mut self) {
        // The message is cut off, or the call has panicked, which marks the span.
        if !self.open.is_noop() && !thread::panicking() {
            self.open.log_event("cancelled");
        }
    }
}

impl fmt::Debug for MessageSpans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSpans")
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}
