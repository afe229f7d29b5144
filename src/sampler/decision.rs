use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::model::{Flags, TagRef, TagValue, TraceId};

/// The decision of a sampler about a trace, made at one of its spans.
///
/// ```
/// use tracehound::model::TraceId;
/// use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};
///
/// /// Keeps one operation, and waits with the others.
/// struct Only(&'static str);
///
/// impl Sampler for Only {
///     fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
///         if span.operation_name == self.0 {
///             SamplingDecision::Sample(SamplerTags::new("only", self.0))
///         } else {
///             SamplingDecision::Delay
///         }
///     }
///
///     fn on_finish_span(&self, _: &SpanView<'_>) -> SamplingDecision {
///         SamplingDecision::Drop
///     }
/// }
///
/// let id = TraceId::new(0, 1).expect("not zero");
/// let pay = SpanView::new(id, "pay", true);
/// let search = SpanView::new(id, "search", true);
/// assert!(matches!(Only("pay").on_create_span(&pay), SamplingDecision::Sample(_)));
/// assert!(matches!(Only("pay").on_create_span(&search), SamplingDecision::Delay));
/// assert!(matches!(Only("pay").on_finish_span(&search), SamplingDecision::Drop));
/// ```
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the three answers that there are")]
pub enum SamplingDecision {
    /// Keeps the trace. The span that the sampler was asked about gets the tags.
    Sample(SamplerTags),
    /// Drops the trace, for good.
    Drop,
    /// Leaves the trace undecided: the tracer asks again when a span of it gets a tag or another name, and when one
    /// finishes, as far as the sampler [wants](super::Sampler::interests) it.
    Delay,
}

/// The tags `sampler.type` and `sampler.param`, which say who kept a trace.
///
/// Jaeger's adaptive sampling counts roots by them. It knows the types `const`, `probabilistic`, `ratelimiting` and
/// `lowerbound`; the parameter of `probabilistic` and `lowerbound` is the probability.
///
/// ```
/// use tracehound::model::TagValue;
/// use tracehound::sampler::SamplerTags;
///
/// let tags = SamplerTags::new("tenant", "acme").firehose();
/// assert_eq!(tags.kind(), "tenant");
/// assert_eq!(tags.param(), &TagValue::from("acme"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerTags {
    kind: Cow<'static, str>,
    param: TagValue,
    flags: Flags,
}

impl SamplerTags {
    /// Joins a type and a parameter.
    pub fn new(kind: impl Into<Cow<'static, str>>, param: impl Into<TagValue>) -> Self {
        Self {
            kind: kind.into(),
            param: param.into(),
            flags: Flags::SAMPLED,
        }
    }

    /// Sets the flag [`Flags::FIREHOSE`] of the trace: Jaeger 1.x stores such a trace without indexing it, so that
    /// it is found by its id only.
    #[must_use]
    pub fn firehose(self) -> Self {
        let flags = self.flags.with(Flags::FIREHOSE);
        Self { flags, ..self }
    }

    /// Returns the value of `sampler.type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Returns whether both encode to the same bytes. May return false for equal values.
    #[inline]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let is_same_param = match (&self.param, &other.param) {
            (TagValue::Double(this), TagValue::Double(other)) => this.to_bits() == other.to_bits(),
            (TagValue::Bool(this), TagValue::Bool(other)) => this == other,
            (TagValue::Long(this), TagValue::Long(other)) => this == other,
            (TagValue::String(this), TagValue::String(other)) => this == other,
            _ => false,
        };
        is_same_param && (std::ptr::eq(&*self.kind, &*other.kind) || self.kind == other.kind)
    }

    /// Returns the probability that kept the trace, if `sampler.type` is `probabilistic`.
    pub(crate) fn probability(&self) -> Option<f64> {
        match self.param {
            TagValue::Double(probability) if self.kind == "probabilistic" => Some(probability),
            _ => None,
        }
    }

    /// Returns the flags that the decision sets.
    #[inline]
    pub(crate) fn flags(&self) -> Flags {
        self.flags
    }

    /// Returns the value of `sampler.param`.
    pub fn param(&self) -> &TagValue {
        &self.param
    }
}

/// The part of a span that a sampler sees.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::model::TagRef;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::{ConstSampler, KeepSampler};
///
/// let spans = InMemoryReporter::new();
/// let sampler = KeepSampler::new(ConstSampler::new(false)).rule("large", |root| {
///     root.operation_name == "upload"
///         && root.duration.is_some_and(|took| took >= Duration::ZERO)
///         && matches!(root.tag("mib"), Some(TagRef::Long(100..)))
/// });
/// let tracer = JaegerTracer::builder("shop").sampler(sampler).reporter(spans.clone()).build()?;
/// for mib in [1, 200] {
///     tracer.start_span("upload").set_tag("mib", mib);
/// }
/// assert_eq!(spans.spans().len(), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SpanView<'a> {
    /// The trace. All Jaeger clients decide on the lower half of its id.
    pub trace_id: TraceId,
    /// The current name of the operation.
    pub operation_name: &'a str,
    /// Whether this is the first span of its trace in this process.
    pub is_local_root: bool,
    /// W3C's random value of the trace, if the caller gave one (`rv` in the member `ot` of `tracestate`): 56 bits. A
    /// probability sampler decides by it, so that all services on the way agree: it keeps the trace if the value is at
    /// least `(1 - probability) * 2^56`.
    pub random_value: Option<u64>,
    /// How long the span took, when it finishes.
    pub duration: Option<Duration>,
    /// Whether the caller, in another process, has dropped the trace: see
    /// [`Sampler::weighs_dropped_traces`](super::Sampler::weighs_dropped_traces).
    pub is_dropped_by_caller: bool,
    tags: Option<&'a dyn TagList>,
    notes: Notes<'a>,
}

impl<'a> SpanView<'a> {
    /// Makes a view by hand, to test a sampler without a tracer.
    ///
    /// ```
    /// use tracehound::model::TraceId;
    /// use tracehound::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
    ///
    /// let root = SpanView::new(TraceId::new(0, 1).expect("not zero"), "checkout", true);
    /// assert!(root.tag("tenant").is_none(), "a span that starts has no tags");
    /// let decision = ConstSampler::new(false).on_create_span(&root);
    /// assert!(matches!(decision, SamplingDecision::Drop));
    /// ```
    pub fn new(trace_id: TraceId, operation_name: &'a str, is_local_root: bool) -> Self {
        Self {
            trace_id,
            operation_name,
            is_local_root,
            random_value: None,
            duration: None,
            is_dropped_by_caller: false,
            tags: None,
            notes: Notes::NONE,
        }
    }

    /// Returns the value of a tag when the span finishes: the last one if the key was set several times. Limits apply:
    /// long text is cut. At other times there is none.
    ///
    /// Values have no `==`. Compare one by its type: `matches!(root.tag("tenant"), Some(TagRef::String("acme")))`.
    pub fn tag(&self, key: &str) -> Option<TagRef<'a>> {
        self.tags?.last(key)
    }

    /// Returns this view with the tags of a span that finishes.
    pub(crate) fn with_tags(self, tags: &'a dyn TagList) -> Self {
        let tags = Some(tags);
        Self { tags, ..self }
    }

    /// Returns this view with what samplers have noted about the trace.
    pub(crate) fn with_notes(self, notes: Notes<'a>) -> Self {
        Self { notes, ..self }
    }

    /// Returns what samplers have noted about the trace.
    pub(crate) fn notes(&self) -> Notes<'a> {
        self.notes
    }
}

/// The tags of a span, as they are stored.
pub(crate) trait TagList: fmt::Debug + Sync {
    /// Returns the last value of a key.
    fn last(&self, key: &str) -> Option<TagRef<'_>>;
}

/// Bits that samplers keep about an undecided trace. They are gone with the decision.
///
/// A sampler that wraps another gives it the bits [after](Self::after) its own, and one that wraps several gives each
/// [a part](Self::part) of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notes<'a> {
    bits: Option<&'a AtomicU32>,
    first: u32,
    /// The bit after the last one.
    end: u32,
}

impl<'a> Notes<'a> {
    /// Notes that are not kept.
    pub(crate) const NONE: Self = Self {
        bits: None,
        first: 0,
        end: 0,
    };

    pub(crate) const fn in_word(bits: &'a AtomicU32) -> Self {
        Self {
            bits: Some(bits),
            first: 0,
            end: u32::BITS,
        }
    }

    /// Returns the notes behind the first `count` bits.
    pub(crate) const fn after(self, count: u32) -> Self {
        Self {
            first: self.first + count,
            ..self
        }
    }

    /// Returns the part of one of `count` wrapped samplers, whose wrapper has as many bits of its own.
    pub(crate) fn part(self, at: u32, count: u32) -> Self {
        let own_end = self.first.saturating_add(count);
        let size = self.end.saturating_sub(own_end) / count;
        let first = own_end + at * size;
        Self {
            first,
            end: first + size,
            ..self
        }
    }

    /// Returns whether a bit is set.
    pub(crate) fn has(self, bit: u32) -> bool {
        self.bits
            .is_some_and(|bits| bits.load(Ordering::Relaxed) & self.mask(bit) != 0)
    }

    /// Sets a bit.
    pub(crate) fn set(self, bit: u32) {
        if let Some(bits) = self.bits {
            bits.fetch_or(self.mask(bit), Ordering::Relaxed);
        }
    }

    /// Returns the bit as a number; 0 if it is beyond the last one.
    fn mask(self, bit: u32) -> u32 {
        let bit = self.first + bit;
        if bit < self.end { 1 << bit } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_the_same_only_if_type_and_parameter_are() {
        let tags = || {
            [
                SamplerTags::new("const", true),
                SamplerTags::new("const", false),
                SamplerTags::new("probabilistic", 0.5),
                SamplerTags::new("probabilistic", 0.25),
                SamplerTags::new("lowerbound", 0.5),
                SamplerTags::new("mine", 1),
                SamplerTags::new("mine", 2),
                SamplerTags::new("mine", "a"),
                SamplerTags::new("mine", "b"),
                SamplerTags::new("other".to_owned(), "b"),
            ]
        };
        for (at, this) in tags().iter().enumerate() {
            for (of, other) in tags().iter().enumerate() {
                assert_eq!(this.is_same(other), at == of, "{this:?} {other:?}");
            }
        }
    }

    #[test]
    fn only_a_probabilistic_sampler_has_a_probability() {
        for (tags, probability) in [
            (SamplerTags::new("probabilistic", 0.25), Some(0.25)),
            (SamplerTags::new("probabilistic", "0.25"), None),
            (SamplerTags::new("lowerbound", 0.25), None),
            (SamplerTags::new("ratelimiting", 2.0), None),
        ] {
            assert_eq!(tags.probability(), probability, "{tags:?}");
        }
    }

    #[test]
    fn samplers_that_are_wrapped_share_no_bit() {
        let bits = AtomicU32::new(0);
        let notes = Notes::in_word(&bits);
        notes.set(1);
        let inner = notes.after(2);
        let parts = [inner.part(0, 2), inner.part(1, 2)];
        for note in [inner, parts[0], parts[1]] {
            let before = bits.load(Ordering::Relaxed);
            assert!(!note.has(0));
            note.set(0);
            assert!(note.has(0));
            let added = bits.load(Ordering::Relaxed) ^ before;
            assert_eq!((added.count_ones(), added & before), (1, 0));
        }
        // Two wrappers have two bits each of 32, and their parts half of the rest.
        assert_eq!(
            bits.load(Ordering::Relaxed),
            1 << 1 | 1 << 2 | 1 << 4 | 1 << 18
        );
        parts[0].set(14);
        assert!(!parts[0].has(14), "beyond its part");
    }
}
