/// The time at which a span began, if that was before its start: ticks of its tracer's clock.
#[derive(Clone, Copy, Default)]
pub(super) struct EarlierStart(Option<u64>);

impl EarlierStart {
    #[inline]
    pub(super) fn set(&mut self, ticks: u64) {
        self.0 = Some(ticks);
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    #[inline(always)]
    pub(super) fn ticks(self) -> Option<u64> {
        self.0
    }
}
