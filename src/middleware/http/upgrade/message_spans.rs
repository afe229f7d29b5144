use std::fmt;
use std::sync::Arc;

use crate::span::Span;
use crate::tracer::{Tracer, TracerExt};

/// The spans of a share of the messages in one direction.
pub(super) struct MessageSpans {
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
    pub(super) fn new(tracer: Arc<dyn Tracer>, name: &'static str, share: f64) -> Self {
        Self {
            tracer,
            name,
            share,
            credit: 0.0,
            open: Span::noop(),
        }
    }

    /// Begins a message.
    pub(super) fn begin(&mut self, session: &Span, is_text: bool) {
        self.credit += self.share;
        if self.credit < 1.0 {
            return;
        }
        self.credit -= 1.0;
        self.open = self
            .tracer
            .build_span(self.name)
            .child_of(session)
            .tag(OPCODE, if is_text { "text" } else { "binary" })
            .start();
    }

    /// Ends the message.
    pub(super) fn end(&mut self, bytes: u64) {
        let span = std::mem::take(&mut self.open);
        span.set_tag(MESSAGE_SIZE, bytes);
        span.finish();
    }
}

impl fmt::Debug for MessageSpans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSpans")
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

const OPCODE: &str = "websocket.opcode";
const MESSAGE_SIZE: &str = "websocket.message_size";
