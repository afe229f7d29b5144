use crate::sampler::{Interests, Sampler, SamplerTags, SamplingDecision, SpanView};

/// A sampler that keeps every trace, or none.
///
/// The first span of a kept trace gets the tags `sampler.type=const` and `sampler.param=true`.
///
/// ```
/// use tracehound::model::TraceId;
/// use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
///
/// let id = TraceId::new(0, 1).expect("not zero");
/// let root = SpanView::new(id, "checkout", true);
/// let sampler = ConstSampler::new(true);
/// assert!(matches!(sampler.on_create_span(&root), SamplingDecision::Sample(_)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ConstSampler {
    keep: bool,
}

impl ConstSampler {
    /// Makes a sampler that keeps everything if `keep` is true, and nothing if it is false.
    pub const fn new(keep: bool) -> Self {
        Self { keep }
    }

    /// Returns whether it keeps everything.
    ///
    /// ```
    /// use tracehound::sampler::ConstSampler;
    ///
    /// assert!(ConstSampler::new(true).decision());
    /// ```
    pub const fn decision(&self) -> bool {
        self.keep
    }

    fn answer(&self) -> SamplingDecision {
        if self.keep {
            SamplingDecision::Sample(SamplerTags::new("const", true))
        } else {
            SamplingDecision::Drop
        }
    }
}

impl Sampler for ConstSampler {
    /// Leaves a span undecided that is not a local root: the root's decision holds for it.
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if span.is_local_root {
            self.answer()
        } else {
            SamplingDecision::Delay
        }
    }

    fn interests(&self) -> Interests {
        Interests::nothing()
    }

    fn constant_decision(&self) -> Option<SamplingDecision> {
        Some(self.answer())
    }

    fn description(&self) -> String {
        format!("const {}", u8::from(self.keep))
    }

    fn explain(&self, _operation_name: &str) -> String {
        let what = if self.keep { "keeps" } else { "drops" };
        format!("const, {what} every trace")
    }
}
