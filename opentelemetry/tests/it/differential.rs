//! Random programs of calls of OpenTelemetry's API, run on its SDK and on tracehound: both must report the same spans.

mod program;
mod reported;
mod run;

use std::sync::LazyLock;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt as _, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SamplingDecision, SamplingResult, SdkTracerProvider, ShouldSample,
};
use proptest::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound_opentelemetry::TracehoundProvider;

use crate::support::both;
use program::{Step, program};
use reported::{Reported, of_sdk, of_tracehound};

/// Follows the decision of a parent, as the specification says. The sampler of the SDK also follows an invalid one.
#[derive(Clone, Debug)]
struct FollowsValidParent;

impl ShouldSample for FollowsValidParent {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        let parent = parent.map(|cx| cx.span().span_context().clone());
        let parent = parent.filter(SpanContext::is_valid);
        let is_sampled = parent.as_ref().is_none_or(SpanContext::is_sampled);
        SamplingResult {
            decision: match is_sampled {
                true => SamplingDecision::RecordAndSample,
                false => SamplingDecision::Drop,
            },
            attributes: Vec::new(),
            trace_state: parent
                .map(|it| it.trace_state().clone())
                .unwrap_or_default(),
        }
    }
}

/// Both implementations, each with what keeps its spans.
struct Implementations {
    sdk: (SdkTracerProvider, InMemorySpanExporter),
    tracehound: (TracehoundProvider, InMemoryReporter),
}

static IMPLEMENTATIONS: LazyLock<Implementations> = LazyLock::new(|| {
    let exporter = InMemorySpanExporter::default();
    let sdk = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .with_sampler(FollowsValidParent)
        .build();
    let both = both();
    Implementations {
        sdk: (sdk, exporter),
        tracehound: (both.provider, both.spans),
    }
});

fn on_the_sdk(program: &[Step]) -> (Vec<String>, Vec<Reported>) {
    let (provider, exporter) = &IMPLEMENTATIONS.sdk;
    exporter.reset();
    let seen = run::run(provider, program);
    let spans = exporter.get_finished_spans().expect("not shut down");
    (seen, of_sdk(&spans))
}

fn on_tracehound(program: &[Step]) -> (Vec<String>, Vec<Reported>) {
    let (provider, spans) = &IMPLEMENTATIONS.tracehound;
    let seen = run::run(provider, program);
    (seen, of_tracehound(&spans.take()))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(1_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn both_report_the_same_spans(program in program()) {
        let (seen, expected) = on_the_sdk(&program);
        let (also_seen, reported) = on_tracehound(&program);
        prop_assert_eq!(also_seen, seen);
        prop_assert_eq!(reported.len(), expected.len());
        for (reported, expected) in reported.iter().zip(&expected) {
            prop_assert_eq!(reported, expected);
        }
    }
}
