use crate::sampler::{Interests, Sampler, SamplerTags, SamplingDecision, SamplingRate, SpanView};

/// A sampler that keeps a share of the traces, chosen by trace id.
///
/// A trace that came with W3C's random value ([`SpanView::random_value`]) is decided by that value. Otherwise the
/// decision is a function of the trace id alone: a trace is kept if the low 63 bits of its id are at most
/// `trunc(2^63 x rate)`. That is the rule of jaeger-client-go, so both keep the same traces. The one difference is a
/// rate of 0, which keeps nothing here; in Go it keeps ids whose low 63 bits are zero.
///
/// The first span of a kept trace gets the tags `sampler.type=probabilistic` and `sampler.param`, the rate as a double.
///
/// ```
/// use tracehound::model::TraceId;
/// use tracehound::sampler::{
///     ProbabilisticSampler, Sampler, SamplingDecision, SamplingRate, SpanView,
/// };
///
/// let sampler = ProbabilisticSampler::new(SamplingRate::new(0.5)?);
/// let id = |low| TraceId::new(0, low).expect("not zero");
/// let low = SpanView::new(id(0x1000_0000_0000_0000), "checkout", true);
/// let high = SpanView::new(id(0x7000_0000_0000_0000), "checkout", true);
/// assert!(matches!(sampler.on_create_span(&low), SamplingDecision::Sample(_)));
/// assert!(matches!(sampler.on_create_span(&high), SamplingDecision::Drop));
/// # Ok::<(), tracehound::sampler::SamplingRateError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ProbabilisticSampler {
    rate: SamplingRate,
    /// The greatest id that is kept; `None` for rate 0.
    boundary: Option<u64>,
    /// The least random value that is kept, for a trace that came with one.
    threshold: u64,
}

impl ProbabilisticSampler {
    /// Makes a sampler that keeps the share `rate`.
    pub fn new(rate: SamplingRate) -> Self {
        // The mask as a double is 2^63, as it is in Go: at rate 1 the boundary is above every id.
        let boundary = (LOW_63_BITS as f64 * rate.get()) as u64;
        Self {
            rate,
            boundary: (rate.get() > 0.0).then_some(boundary),
            threshold: ((1.0 - rate.get()) * RANDOM_VALUES) as u64,
        }
    }

    /// Returns the share.
    ///
    /// ```
    /// use tracehound::sampler::{ProbabilisticSampler, SamplingRate};
    ///
    /// assert_eq!(ProbabilisticSampler::new(SamplingRate::ONE).rate().get(), 1.0);
    /// ```
    pub const fn rate(&self) -> SamplingRate {
        self.rate
    }

    /// Returns the tags of a trace that it keeps.
    pub(super) fn tags(&self) -> SamplerTags {
        SamplerTags::new("probabilistic", self.rate.get())
    }

    /// Returns whether it keeps the trace of a local root.
    #[inline]
    pub(super) fn keeps(&self, span: &SpanView<'_>) -> bool {
        self.boundary
            .is_some_and(|boundary| match span.random_value {
                Some(value) => value >= self.threshold,
                None => boundary >= span.trace_id.low() & LOW_63_BITS,
            })
    }
}

impl Sampler for ProbabilisticSampler {
    /// Leaves a span undecided that is not a local root: the root's decision holds for it.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if !span.is_local_root {
            SamplingDecision::Delay
        } else if self.keeps(span) {
            SamplingDecision::Sample(self.tags())
        } else {
            SamplingDecision::Drop
        }
    }

    fn interests(&self) -> Interests {
        Interests::nothing()
    }

    fn description(&self) -> String {
        format!("probabilistic {}", self.rate.get())
    }

    fn explain(&self, _operation_name: &str) -> String {
        match self.rate.get() {
            0.0 => "probabilistic, drops every trace".to_owned(),
            1.0 => "probabilistic, keeps every trace".to_owned(),
            rate => format!("probabilistic, keeps a share of {rate} by trace id"),
        }
    }
}

const LOW_63_BITS: u64 = (1 << 63) - 1;

/// The number of random values, which have 56 bits.
const RANDOM_VALUES: f64 = (1_u64 << 56) as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_is_that_of_the_go_client() {
        for (rate, boundary) in [
            (0.0, None),
            (5e-324, Some(0)),
            (1e-12, Some(9_223_372)),
            (0.01, Some(92_233_720_368_547_760)),
            (0.5, Some(4_611_686_018_427_387_904)),
            (0.999_999, Some(9_223_362_813_482_738_688)),
            (1.0, Some(9_223_372_036_854_775_808)),
        ] {
            let rate = SamplingRate::new(rate).expect("a probability");
            assert_eq!(
                ProbabilisticSampler::new(rate).boundary,
                boundary,
                "{rate:?}"
            );
        }
    }
}
