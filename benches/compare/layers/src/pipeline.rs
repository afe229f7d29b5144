//! The way of a library's spans to the bytes of an exporter.

use std::sync::Arc;

use tracehound::JaegerTracer;

use crate::totals::Totals;

/// Spans that may wait, where a library lets that be set.
pub const QUEUE: usize = 1 << 16;

/// A library that has been started.
pub struct Pipeline {
    /// The tracer of tracehound, which is off for other libraries.
    pub tracer: JaegerTracer,
    /// Whether requests are timed.
    pub reads_time: bool,
    flush: Box<dyn Fn() + Send>,
    totals: Arc<Totals>,
}

impl Pipeline {
    pub fn new(flush: impl Fn() + Send + 'static, totals: Arc<Totals>) -> Self {
        Self {
            tracer: JaegerTracer::disabled(),
            reads_time: false,
            flush: Box::new(flush),
            totals,
        }
    }

    /// Returns when all finished spans have become bytes.
    pub fn flush(&self) {
        (self.flush)();
    }

    /// Returns how many spans have become bytes.
    pub fn spans(&self) -> u64 {
        self.totals.get().0
    }
}
