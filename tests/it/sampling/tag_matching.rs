//! Samplers that keep a trace by one of its tags.

use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::model::Flags;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView, TagMatchingSampler};

use crate::support::{names, recording_builder};

fn tracer(sampler: impl Sampler + 'static) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    (builder.sampler(sampler).build().unwrap(), spans)
}

#[test]
fn a_tag_of_any_span_keeps_the_whole_trace() {
    let (tracer, spans) = tracer(TagMatchingSampler::new("tenant").value("acme"));
    let root = tracer.start_span("root");
    tracer.build_span("before").child_of(&root).start().finish();
    let child = tracer.build_span("child").child_of(&root).start();
    child.set_tag("tenant", "other").set_tag("other", "acme");
    assert!(!child.context().is_sampling_final());
    child.set_tag("tenant", "acme");
    assert!(root.context().is_sampled() && root.context().is_sampling_final());
    drop((child, root));
    assert_eq!(names(&spans), ["before", "child", "root"]);
    let child = &spans.spans()[1];
    assert_eq!(child.tag_text("sampler.type"), "TagMatchingSampler");
    assert_eq!(child.tag_text("sampler.param"), "tenant=acme");
    assert_eq!(child.flags, Flags::SAMPLED);
}

#[test]
fn a_start_tag_keeps_the_trace() {
    let (tracer, spans) = tracer(TagMatchingSampler::new("status").value(500));
    for status in [200, 500] {
        tracer
            .build_span("get")
            .tag("status", status)
            .start()
            .finish();
    }
    assert_eq!(names(&spans), ["get"]);
}

#[test]
fn a_trace_without_the_tag_is_dropped_with_its_local_root_and_is_no_loss() {
    let (tracer, spans) = tracer(TagMatchingSampler::new("tenant").value("acme"));
    let root = tracer.start_span("root");
    tracer.build_span("child").child_of(&root).start().finish();
    root.finish();
    assert!(spans.spans().is_empty());
    let report = tracer.flush(Duration::from_secs(5));
    assert_eq!((report.finished, report.dropped.total()), (0, 0));
    assert_eq!(tracer.metrics().get(Counter::FinishedSpansUnsampled), 1);
}

#[test]
fn a_firehose_value_sets_the_flag_on_every_span_and_in_the_context() {
    let sampler = TagMatchingSampler::new("load").value(1).firehose(2);
    let (tracer, spans) = tracer(sampler);
    for load in [1, 2] {
        let root = tracer.start_span("root");
        tracer.build_span("child").child_of(&root).start().finish();
        root.set_tag("load", load);
        assert_eq!(root.context().flags().is_firehose(), load == 2);
    }
    let flags = |at: usize| spans.spans()[at].flags.bits();
    assert_eq!([flags(0), flags(1), flags(2), flags(3)], [1, 1, 9, 9]);
}

#[test]
fn a_decision_at_the_start_sets_the_flag_too() {
    struct Firehose {
        is_constant: bool,
    }
    impl Sampler for Firehose {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Sample(SamplerTags::new("mine", 1).firehose())
        }

        fn constant_decision(&self) -> Option<SamplingDecision> {
            let tags = SamplerTags::new("mine", 1).firehose();
            self.is_constant.then_some(SamplingDecision::Sample(tags))
        }
    }
    for is_constant in [false, true] {
        let (tracer, spans) = tracer(Firehose { is_constant });
        tracer.start_span("plain").finish();
        tracer.build_span("tagged").tag("a", 1).start().finish();
        let flags: Vec<_> = spans.spans().iter().map(|span| span.flags.bits()).collect();
        assert_eq!(flags, [9, 9]);
    }
}

#[cfg(feature = "remote-sampler")]
mod json {
    use super::*;

    fn read(json: &str) -> Result<TagMatchingSampler, String> {
        TagMatchingSampler::from_json(json.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn the_last_time_that_a_value_comes_counts() {
        let json = r#"{"key":"k","matchers":[{"value":"a"},{"value":"b"},{"value":"a","firehose":true}],
            "values":{"b":{"firehose":true},"c":{}}}"#;
        let expected = TagMatchingSampler::new("k")
            .firehose("a")
            .firehose("b")
            .value("c");
        assert_eq!(read(json).unwrap(), expected);
    }

    #[test]
    fn values_keep_their_types() {
        let json = r#"{"key":"k","matchers":[{"value":1},{"value":1.0},{"value":true},
            {"value":18446744073709551615},{"value":1e3}],"more":[]}"#;
        let expected = TagMatchingSampler::new("k")
            .value(1)
            .value(1.0)
            .value(true)
            .value(u64::MAX)
            .value(1_000.0);
        assert_eq!(read(json).unwrap(), expected);
    }

    #[test]
    fn a_configuration_of_another_form_is_refused_in_words() {
        let rows = [
            (
                r#"{"matchers":[]}"#,
                "tag-matching sampler: missing field `key`",
            ),
            (r#"{"key":""}"#, "tag-matching sampler: the key is empty"),
            (
                r#"{"key":"k","matchers":[{"value":"a"},{"value":null}]}"#,
                "tag-matching sampler: matchers[1]: expected a text, a number or a truth value",
            ),
            ("[]", "tag-matching sampler: "),
            ("", "tag-matching sampler: "),
        ];
        for (json, start) in rows {
            let error = read(json).unwrap_err();
            assert!(error.starts_with(start), "{json}: {error}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
