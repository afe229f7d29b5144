/// A look at the wall clock between two looks at the ticks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) before: u64,
    /// Nanoseconds since the Unix epoch.
    pub(super) wall: i64,
    pub(super) after: u64,
}

impl Look {
    fn took(self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

/// Returns the wall time of tick zero by the quickest of a few looks.
///
/// If the thread has to wait between its looks at the two clocks, one look tells how long. It would move all spans by
/// that time.
pub(super) fn anchor_by(mut look: impl FnMut() -> Look) -> i64 {
    let mut quickest = look();
    for _ in 1..MOST_LOOKS {
        if quickest.took() <= QUICK_NANOS {
            break;
        }
        let next = look();
        if next.took() < quickest.took() {
            quickest = next;
        }
    }
    let tick = quickest.before + quickest.took() / 2;
    quickest.wall.saturating_sub_unsigned(tick)
}

const MOST_LOOKS: usize = 5;
/// A look takes some hundred nanoseconds, if nothing comes between.
const QUICK_NANOS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the anchor by looks of these durations in nanoseconds, and the number of looks. All but the last nanosecond
    /// of each pass before the look at the wall clock. The ticks begin at wall time 1,000,000.
    fn anchor_of(durations: &[u64]) -> (i64, usize) {
        let (mut tick, mut looks) = (0, 0);
        let anchor = anchor_by(|| {
            let before = tick;
            tick += durations[looks];
            looks += 1;
            Look {
                before,
                wall: 1_000_000 + i64::try_from(tick - 1).expect("small"),
                after: tick,
            }
        });
        (anchor, looks)
    }

    #[test]
    fn a_quick_look_is_enough() {
        assert_eq!(anchor_of(&[201]), (1_000_100, 1));
    }

    #[test]
    fn a_thread_that_had_to_wait_looks_again() {
        assert_eq!(anchor_of(&[30_000_000, 201]), (1_000_100, 2));
        assert_eq!(anchor_of(&[30_000_000, 80_000_000, 201]), (1_000_100, 3));
    }

    #[test]
    fn the_quickest_look_counts_if_none_is_quick() {
        let slow = [90_001, 40_001, 20_001, 60_001, 70_001];
        assert_eq!(anchor_of(&slow), (1_010_000, 5));
    }
}
