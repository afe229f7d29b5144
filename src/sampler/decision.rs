use std::borrow::Cow;

use crate::model::{TagValue, TraceId};

/// What a sampler says of a span.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the three answers that there are")]
pub enum SamplingDecision {
    /// Keep the trace; the tags go on the span that was asked for.
    Sample(SamplerTags),
    /// Do not keep the trace. Final.
    Drop,
    /// Undecided: ask again when a tag is set, the operation is renamed or the span finishes.
    Delay,
}

/// `sampler.type` and `sampler.param` of a positive decision.
///
/// Jaeger's adaptive sampling counts roots by them: the type is one of `const`, `probabilistic`,
/// `ratelimiting` and `lowerbound`, and the parameter of the second and the last is the probability.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerTags {
    kind: Cow<'static, str>,
    param: TagValue,
}

impl SamplerTags {
    /// Joins a type and a parameter.
    pub fn new(kind: impl Into<Cow<'static, str>>, param: impl Into<TagValue>) -> Self {
        Self {
            kind: kind.into(),
            param: param.into(),
        }
    }

    /// Value of `sampler.type`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether both would be written down alike. May say no of two that are equal.
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

    /// Value of `sampler.param`.
    pub fn param(&self) -> &TagValue {
        &self.param
    }
}

/// What a sampler sees of a span.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SpanView<'a> {
    /// The trace. Decide on its lower half, as every Jaeger client does.
    pub trace_id: TraceId,
    /// The current name.
    pub operation_name: &'a str,
    /// Whether this is the first span of its trace in this process.
    pub is_local_root: bool,
}

impl<'a> SpanView<'a> {
    /// Joins the three.
    pub fn new(trace_id: TraceId, operation_name: &'a str, is_local_root: bool) -> Self {
        Self {
            trace_id,
            operation_name,
            is_local_root,
        }
    }
}
