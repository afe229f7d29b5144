use crate::reporter::{FinishedSpan, MakeReporter, Reporter};

/// A reporter that discards every span. They count as sent.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// tracer.start_span("checkout").finish();
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NullReporter(());

impl NullReporter {
    /// Returns a reporter that does nothing.
    pub const fn new() -> Self {
        Self(())
    }
}

impl Reporter for NullReporter {
    fn report(&mut self, _span: &FinishedSpan<'_>) {}

    fn after_fork(&self) -> Option<MakeReporter> {
        Some(Box::new(|| Box::new(Self::new())))
    }
}
