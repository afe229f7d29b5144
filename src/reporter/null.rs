use crate::record::FinishedSpan;
use crate::reporter::Reporter;

/// Lets spans go. They count as sent.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter).build()?;
/// tracer.start_span("checkout").finish();
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing in it")]
pub struct NullReporter;

impl Reporter for NullReporter {
    fn report(&mut self, _span: &FinishedSpan<'_>) {}
}
