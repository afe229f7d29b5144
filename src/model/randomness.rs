use crate::model::TraceId;

/// The facts of a trace that only W3C's formats tell, beside ids and flags: whether its id is random, and the threshold
/// by which the root was kept.
///
/// It is one number, because every span hands it to its children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Randomness(u64);

/// Set if the lower 56 bits of the trace id are random.
const RANDOM: u64 = 1 << 15;
/// The threshold, upside down: zero means that there is none.
const THRESHOLD_SHIFT: u32 = 16;

/// A threshold has 56 bits in W3C's formats. The lowest 8 of them are left out here.
const SHORTENED: u32 = 8;

/// How many values a threshold has: probability 0.
const THRESHOLD_END: f64 = (1_u64 << 56) as f64;

impl Randomness {
    /// The bits that a randomness may have. A context keeps its flags in the others.
    pub(crate) const BITS: u64 = RANDOM | u64::MAX << THRESHOLD_SHIFT;

    /// Takes the randomness out of a number that has other bits, too.
    #[inline(always)]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::BITS)
    }

    #[inline(always)]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[inline(always)]
    pub(crate) const fn with_random_id(self, is_random: bool) -> Self {
        Self(self.0 & !RANDOM | (is_random as u64) << 15)
    }

    pub(crate) const fn is_random_id(self) -> bool {
        self.0 & RANDOM != 0
    }

    /// Returns this randomness with the threshold of a sampler that keeps `probability` of all traces.
    pub(crate) fn with_probability(self, probability: f64) -> Self {
        // The range is checked, and a NaN is outside of it.
        if !(probability > 0.0 && probability <= 1.0) {
            return self.without_threshold();
        }
        let threshold = ((1.0 - probability) * THRESHOLD_END) as u64 >> SHORTENED;
        Self(self.0 & RANDOM | !threshold << THRESHOLD_SHIFT)
    }

    pub(crate) const fn without_threshold(self) -> Self {
        Self(self.0 & RANDOM)
    }

    /// Returns the threshold in 56 bits, if a probability kept the trace.
    pub(crate) fn threshold(self) -> Option<u64> {
        let inverse = self.0 >> THRESHOLD_SHIFT;
        let threshold = (!inverse << THRESHOLD_SHIFT >> THRESHOLD_SHIFT) << SHORTENED;
        (inverse != 0).then_some(threshold)
    }
}

/// Returns the random value of a trace, 56 bits: a trace whose value is at least the threshold is kept.
///
/// Jaeger's probabilistic sampler keeps low ids, so the value is the id's complement. Then both ways of deciding agree,
/// but for 128 ids at the edge.
pub(crate) const fn random_value(trace_id: TraceId) -> u64 {
    let id = trace_id.low() & (u64::MAX >> 1);
    ((1 << 56) - 1) - (id >> 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_and_ids_decide_alike() {
        for probability in [1.0, 0.75, 0.5, 0.1, 0.001, 1e-9] {
            let threshold = Randomness::default()
                .with_probability(probability)
                .threshold()
                .expect("a probability");
            let boundary = (probability * (u64::MAX >> 1) as f64) as u64;
            for distance in [1 << 20, 1 << 40] {
                for id in [
                    boundary.saturating_sub(distance).max(1),
                    boundary.saturating_add(distance).min(u64::MAX >> 1),
                ] {
                    let trace_id = TraceId::new(0, id).expect("not zero");
                    let is_kept = random_value(trace_id) >= threshold;
                    assert_eq!(is_kept, id <= boundary, "{probability}: {id:x}");
                }
            }
        }
    }

    #[test]
    fn a_randomness_without_a_probability_has_no_threshold() {
        let random = Randomness::default().with_random_id(true);
        assert!(random.is_random_id());
        for probability in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            assert_eq!(random.with_probability(probability), random);
        }
        let all = random.with_probability(1.0);
        assert_eq!(all.threshold(), Some(0));
        assert!(all.is_random_id());
        assert_eq!(all.without_threshold(), random);
        assert_eq!(Randomness::from_bits(all.bits() | 0x7f03), all);
        let half = random.with_probability(0.5).threshold();
        assert_eq!(half, Some(1 << 55));
    }
}
