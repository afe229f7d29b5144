/// The spans whose fate only an answer will tell.
#[derive(Clone, Copy, Default)]
pub(super) struct InFlight {
    /// The numbers of spans that ever were in flight, and of those that have been answered.
    pub(super) taken: u64,
    answered: u64,
    /// The number that had been taken by the last flush.
    pub(super) flushed: u64,
}

impl InFlight {
    /// Returns the number of spans that wait for an answer.
    pub(super) fn spans(&self) -> u64 {
        self.taken - self.answered
    }

    /// Returns how many of those that the last flush has left behind wait for an answer.
    pub(super) fn flushed_spans(&self) -> u64 {
        self.flushed.saturating_sub(self.answered)
    }

    /// Notes an answer about so many spans, and returns how many of them were in flight.
    pub(super) fn answer(&mut self, spans: u64) -> u64 {
        let spans = spans.min(self.spans());
        self.answered += spans;
        spans
    }
}
