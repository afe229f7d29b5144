use crate::reporter::{FinishedSpan, Reporter};

/// Lets every span go. They count as sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullReporter(());

impl NullReporter {
    /// One that does nothing.
    pub const fn new() -> Self {
        Self(())
    }
}

impl Reporter for NullReporter {
    fn report(&mut self, _span: &FinishedSpan<'_>) {}
}
