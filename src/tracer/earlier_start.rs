use crate::model::Place;

/// The time at which a span began, if that was before its start: ticks of its tracer's clock. It also holds the place at
/// which the span began, if another place starts it.
#[derive(Clone, Copy, Default)]
pub(super) struct EarlierStart {
    ticks: Option<u64>,
    place: Option<Place>,
}

impl EarlierStart {
    #[inline]
    pub(super) fn set(&mut self, ticks: u64) {
        self.ticks = Some(ticks);
    }

    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.ticks = None;
        self.place = None;
    }

    #[inline(always)]
    pub(super) fn ticks(self) -> Option<u64> {
        self.ticks
    }

    pub(super) fn set_place(&mut self, place: Option<Place>) {
        self.place = place;
    }

    pub(super) fn place(self) -> Option<Place> {
        self.place
    }
}
