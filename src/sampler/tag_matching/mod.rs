#[cfg(feature = "remote-sampler")]
mod json;

use std::fmt::{self, Write as _};

#[cfg(feature = "remote-sampler")]
pub use self::json::TagMatchingError;
use crate::model::{TagRef, TagValue};
use crate::sampler::{Interests, Sampler, SamplerTags, SamplingDecision, SpanView};

/// A sampler that keeps a trace when one of its spans gets a certain tag with a certain value.
///
/// A trace is undecided until then. Its spans are recorded, and those that finish wait, within the limits of all
/// [delayed](SamplingDecision::Delay) decisions, until its local root finishes. So it costs nearly as much as keeping
/// everything. Together with another sampler in a [`PrioritySampler`](crate::sampler::PrioritySampler) it adds the
/// traces of interest to a sample of the others.
///
/// Keys and values are compared exactly, and with their types: the number 1 is neither the text `1` nor the double 1.0.
/// A value with a text form only ([`display`](crate::model::display)) is text.
///
/// The span that gets the tag also gets `sampler.type=TagMatchingSampler` and `sampler.param`, which is
/// `{key}={value}`, as in jaeger-client-go. Jaeger's adaptive sampling does not count such traces.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::TagMatchingSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(TagMatchingSampler::new("tenant").value("acme").value("acme-test"))
///     .reporter(spans.clone())
///     .build()?;
/// for tenant in ["acme", "other"] {
///     let root = tracer.start_span("checkout");
///     tracer.build_span("read cart").child_of(&root).start().finish();
///     root.set_tag("tenant", tenant);
/// }
/// assert_eq!(spans.spans().len(), 2); // both spans of one trace
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TagMatchingSampler {
    key: String,
    matchers: Vec<Matcher>,
}

#[derive(Clone, Debug, PartialEq)]
struct Matcher {
    value: TagValue,
    tags: SamplerTags,
}

impl TagMatchingSampler {
    /// Makes a sampler for the tags with this key. It keeps nothing until it gets values.
    pub fn new(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            matchers: Vec::new(),
        }
    }

    /// Adds a value that keeps a trace.
    #[must_use]
    pub fn value(self, value: impl Into<TagValue>) -> Self {
        self.matching(value.into(), |tags| tags)
    }

    /// Adds a value that keeps a trace with the flag [`FIREHOSE`](crate::model::Flags::FIREHOSE): Jaeger 1.x stores it
    /// without indexing it.
    #[must_use]
    pub fn firehose(self, value: impl Into<TagValue>) -> Self {
        self.matching(value.into(), SamplerTags::firehose)
    }

    /// Adds a value. If it was added before, this time counts.
    fn matching(mut self, value: TagValue, mark: impl FnOnce(SamplerTags) -> SamplerTags) -> Self {
        // As a tag would be sent: a double that is no number is text.
        let value = value.as_ref().to_value().unwrap_or(value);
        let param = format!("{}={value}", self.key);
        let tags = mark(SamplerTags::new("TagMatchingSampler", param));
        self.matchers.retain(|matcher| matcher.value != value);
        self.matchers.push(Matcher { value, tags });
        self
    }
}

impl Sampler for TagMatchingSampler {
    /// Leaves the trace undecided: no span has a tag when it starts.
    fn on_create_span(&self, _span: &SpanView<'_>) -> SamplingDecision {
        SamplingDecision::Delay
    }

    fn on_set_tag(&self, _span: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        if key != self.key {
            return SamplingDecision::Delay;
        }
        let matcher = self.matchers.iter().find(|it| is_equal(&it.value, value));
        matcher.map_or(SamplingDecision::Delay, |matcher| {
            SamplingDecision::Sample(matcher.tags.clone())
        })
    }

    /// Drops the trace if this is its local root: no tag comes any more that could keep it.
    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        if span.is_local_root {
            SamplingDecision::Drop
        } else {
            SamplingDecision::Delay
        }
    }

    fn interests(&self) -> Interests {
        Interests::nothing()
            .tag(self.key.clone())
            .finished_local_roots()
    }

    /// Returns the key and the number of values, such as `TagMatchingSampler tenant, 2 values`.
    fn description(&self) -> String {
        let (key, count) = (&self.key, self.matchers.len());
        format!("TagMatchingSampler {key}, {count} values")
    }

    fn explain(&self, _operation_name: &str) -> String {
        let (key, count) = (&self.key, self.matchers.len());
        format!(
            "TagMatchingSampler, undecided: keeps the trace when a span gets the tag {key} with one of {count} values"
        )
    }
}

/// Returns whether a tag that is set so has this value.
fn is_equal(value: &TagValue, set: TagRef<'_>) -> bool {
    match (value, set) {
        (TagValue::String(text), TagRef::String(set)) => text == set,
        (TagValue::Bool(value), TagRef::Bool(set)) => *value == set,
        (TagValue::Long(value), TagRef::Long(set)) => *value == set,
        (TagValue::Long(value), TagRef::Unsigned(set)) => u64::try_from(*value) == Ok(set),
        (TagValue::Double(value), TagRef::Double(set)) => *value == set,
        (TagValue::Binary(bytes), TagRef::Binary(set)) => bytes == set,
        // These are sent as text.
        (TagValue::String(_), TagRef::Double(set)) if set.is_finite() => false,
        (TagValue::String(_), TagRef::Unsigned(set)) if i64::try_from(set).is_ok() => false,
        (TagValue::String(text), TagRef::Double(_) | TagRef::Unsigned(_) | TagRef::Display(_)) => {
            let mut rest = Rest(text);
            write!(rest, "{set}").is_ok() && rest.0.is_empty()
        }
        _ => false,
    }
}

/// The part of a text that was not written yet. Fails if something else is written.
struct Rest<'a>(&'a str);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, written: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(written).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::display;

    #[test]
    fn a_value_equals_a_tag_that_is_sent_as_the_same_value() {
        let rows: [TagRef<'_>; 12] = [
            "1".into(),
            1.into(),
            1_u64.into(),
            1.0.into(),
            true.into(),
            display(&1),
            TagRef::Binary(b"1"),
            u64::MAX.into(),
            display(&u64::MAX),
            f64::NAN.into(),
            "NaN".into(),
            TagRef::Unset,
        ];
        for set in rows {
            for value in rows.iter().filter_map(|row| row.to_value()) {
                let is_same = set.to_value().is_some_and(|set| set == value);
                assert_eq!(is_equal(&value, set), is_same, "{value:?} {set:?}");
            }
        }
        assert!(!is_equal(&"12".into(), display(&1)) && !is_equal(&"1".into(), display(&12)));
    }
}
