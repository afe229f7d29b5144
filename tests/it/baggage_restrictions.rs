//! Baggage restrictions: which items a program may set, what is logged and what is counted.

#[cfg(all(feature = "remote-sampler", feature = "testkit"))]
mod remote;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::model::Baggage;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::restrictions::{AllowedKeys, BaggageRestrictions, Restriction};
use tracehound::sampler::{ConstSampler, Sampler, SamplerTags, SamplingDecision, SpanView};
use tracehound::scope::active_span;
use tracehound::tracer::TracerBuilder;

use crate::support::{log_texts, recording_builder};

fn restricted(
    restrictions: impl BaggageRestrictions + 'static,
) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    (built(builder.baggage_restrictions(restrictions)), spans)
}

fn built(builder: TracerBuilder) -> JaegerTracer {
    builder.build().expect("the service has a name")
}

/// Returns what was counted: items set, items refused, values cut.
fn counts(tracer: &JaegerTracer) -> [u64; 3] {
    [
        Counter::BaggageUpdatesOk,
        Counter::BaggageUpdatesErr,
        Counter::BaggageTruncations,
    ]
    .map(|counter| tracer.metrics().get(counter))
}

#[test]
fn an_item_is_set_cut_or_refused_and_each_outcome_is_logged_and_counted() {
    let allowed = AllowedKeys::new().key("user", 4).key("none", 0);
    /// Key and value; the value that is set; what is counted; the fields behind the key.
    type Row<'a> = (&'a str, &'a str, Option<&'a str>, [u64; 3], &'a [&'a str]);
    let rows: [Row<'_>; 10] = [
        ("user", "abcd", Some("abcd"), [1, 0, 0], &["value=abcd"]),
        (
            "user",
            "abcde",
            Some("abcd"),
            [1, 0, 1],
            &["value=abcd", "truncated=true"],
        ),
        // A character of two bytes that would not fit whole is left out.
        (
            "user",
            "abcé",
            Some("abc"),
            [1, 0, 1],
            &["value=abc", "truncated=true"],
        ),
        ("user", "🚀", Some("🚀"), [1, 0, 0], &["value=🚀"]),
        ("user", "", Some(""), [1, 0, 0], &["value="]),
        ("other", "v", None, [0, 1, 0], &["value=v", "invalid=true"]),
        ("none", "v", None, [0, 1, 0], &["value=v", "invalid=true"]),
        ("none", "", None, [0, 1, 0], &["value=", "invalid=true"]),
        ("User", "v", None, [0, 1, 0], &["value=v", "invalid=true"]),
        ("", "v", None, [0, 1, 0], &["value=v", "invalid=true"]),
    ];
    for (key, value, set, counted, logged) in rows {
        let (tracer, spans) = restricted(allowed.clone());
        let span = tracer.start_span("s");
        span.set_baggage_item(key, value);
        assert_eq!(span.baggage_item(key).as_deref(), set, "{key}={value}");
        span.finish();
        assert_eq!(counts(&tracer), counted, "{key}={value}");
        let log = log_texts(&spans.spans()[0].logs[0]);
        let head = ["event=baggage".to_owned(), format!("key={key}")];
        assert_eq!(log[..2], head, "{key}={value}");
        assert_eq!(log[2..], *logged, "{key}={value}");
    }
}

#[test]
fn the_fields_of_a_record_have_the_order_of_the_go_client() {
    let (tracer, spans) = restricted(AllowedKeys::new().key("user", 3));
    let span = tracer.start_span("s");
    span.set_baggage_item("user", "abc")
        .set_baggage_item("user", "defg")
        .set_baggage_item("other", "v");
    span.finish();
    let logs: Vec<_> = spans.spans()[0].logs.iter().map(log_texts).collect();
    assert_eq!(
        logs[1],
        [
            "event=baggage",
            "key=user",
            "value=def",
            "override=true",
            "truncated=true"
        ]
    );
    assert_eq!(
        logs[2],
        ["event=baggage", "key=other", "value=v", "invalid=true"]
    );
}

#[test]
fn a_refused_item_leaves_the_earlier_value() {
    let (tracer, spans) = restricted(AllowedKeys::new().key("user", 2));
    let parent = built(recording_builder().0).start_span("unrestricted");
    parent
        .set_baggage_item("user", "before")
        .set_baggage_item("other", "before");
    let span = tracer.build_span("s").child_of(&parent).start();
    span.set_baggage_item("user", "🚀")
        .set_baggage_item("other", "after");
    assert_eq!(span.baggage_item("user").as_deref(), Some("before"));
    assert_eq!(span.baggage_item("other").as_deref(), Some("before"));
    assert_eq!(
        counts(&tracer),
        [0, 2, 0],
        "nothing of a rocket fits into two bytes"
    );
    span.finish();
    let logs: Vec<_> = spans.spans()[0].logs.iter().map(log_texts).collect();
    let expected = ["event=baggage", "key=user", "value=🚀", "invalid=true"];
    assert_eq!(logs[0], expected, "no override: nothing was replaced");
}

#[test]
fn a_value_that_breaks_the_limits_of_baggage_is_refused_although_it_is_allowed() {
    let (tracer, spans) = restricted(AllowedKeys::new().others(usize::MAX));
    let span = tracer.start_span("s");
    let long = "v".repeat(Baggage::MAX_BYTES);
    span.set_baggage_item("k", &long);
    assert_eq!(span.baggage_item("k"), None);
    span.set_baggage_item("k", &long[1..]);
    assert_eq!(
        span.baggage_item("k").map(|v| v.len()),
        Some(Baggage::MAX_BYTES - 1)
    );
    span.finish();
    assert_eq!(counts(&tracer), [1, 1, 0]);
    assert_eq!(log_texts(&spans.spans()[0].logs[0])[3..], ["invalid=true"]);
}

#[test]
fn every_key_is_allowed_without_restrictions() {
    let tracer = built(recording_builder().0);
    let span = tracer.start_span("s");
    for n in 0..Baggage::MAX_ITEMS {
        span.set_baggage_item(&n.to_string(), "v");
    }
    assert_eq!(span.context().baggage().len(), Baggage::MAX_ITEMS);
    assert_eq!(counts(&tracer), [64, 0, 0]);
}

#[test]
fn baggage_of_a_caller_and_of_a_context_is_not_restricted() {
    let (tracer, _) = restricted(AllowedKeys::new());
    let headers = [("uber-trace-id", "1:2:0:1"), ("uberctx-user", "7")];
    let caller = tracer
        .extract(&headers)
        .expect("well-formed")
        .expect("a trace");
    let caller = caller.with_baggage_item("own", "8");
    let span = tracer.build_span("s").child_of(&caller).start();
    assert_eq!(span.baggage_item("user").as_deref(), Some("7"));
    assert_eq!(span.baggage_item("own").as_deref(), Some("8"));
    assert_eq!(counts(&tracer), [0, 0, 0]);
}

#[test]
fn an_unsampled_span_sets_and_counts_without_a_record() {
    let spans = InMemoryReporter::new();
    let tracer = built(
        JaegerTracer::builder("test")
            .sampler(ConstSampler::new(false))
            .baggage_restrictions(AllowedKeys::new().key("user", 1))
            .reporter(spans.clone()),
    );
    let span = tracer.start_span("s");
    span.set_baggage_item("user", "ab")
        .set_baggage_item("other", "v");
    assert_eq!(span.baggage_item("user").as_deref(), Some("a"));
    assert_eq!(counts(&tracer), [1, 1, 1]);
    span.set_tag("sampling.priority", 1);
    span.finish();
    assert_eq!(spans.spans()[0].logs.len(), 0);
}

#[test]
fn an_undecided_span_has_the_record_if_it_is_kept_later() {
    struct Later;
    impl Sampler for Later {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Delay
        }
        fn on_finish_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Sample(SamplerTags::new("later", true))
        }
    }
    let (builder, spans) = recording_builder();
    let allowed = AllowedKeys::new().key("user", 1);
    let tracer = built(builder.sampler(Later).baggage_restrictions(allowed));
    let span = tracer.start_span("s");
    span.set_baggage_item("user", "ab")
        .set_baggage_item("other", "v");
    span.finish();
    let logs: Vec<_> = spans.spans()[0].logs.iter().map(log_texts).collect();
    assert_eq!(logs[0][2..], ["value=a", "truncated=true"]);
    assert_eq!(logs[1][2..], ["value=v", "invalid=true"]);
}

#[test]
fn restrictions_that_panic_refuse_and_are_counted() {
    struct Panics;
    impl BaggageRestrictions for Panics {
        fn restriction(&self, _: &str) -> Restriction {
            panic!("restrictions");
        }
        fn close(&self) {
            panic!("restrictions");
        }
    }
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("restrictions");
        }
    }
    let (tracer, _) = restricted(Panics);
    let span = tracer.start_span("s");
    for _ in 0..150 {
        span.set_baggage_item("k", "v");
    }
    assert_eq!(span.baggage_item("k"), None);
    assert_eq!(counts(&tracer), [0, 150, 0]);
    let panics = || tracer.metrics().get(Counter::CallbackPanics);
    assert_eq!(panics(), 100, "they are not called any more");
    tracer.close(Duration::from_secs(5));
    assert_eq!(panics(), 101);
}

#[test]
fn restrictions_may_use_the_span_and_are_closed_once() {
    #[derive(Clone, Default)]
    struct Tags(Arc<AtomicU64>, Arc<Mutex<Vec<String>>>);
    impl BaggageRestrictions for Tags {
        fn restriction(&self, key: &str) -> Restriction {
            active_span().set_tag("asked", key.to_owned());
            self.1.lock().unwrap().push(key.to_owned());
            Restriction::NONE
        }
        fn close(&self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let restrictions = Tags::default();
    let (tracer, spans) = restricted(restrictions.clone());
    let span = tracer.start_span("s");
    let scope = span.activate();
    span.set_baggage_item("k", "v");
    drop(scope);
    let other = span.clone();
    span.finish();
    other.set_baggage_item("late", "v");
    assert_eq!(spans.spans()[0].tag_text("asked"), "k");
    assert_eq!(
        *restrictions.1.lock().unwrap(),
        ["k"],
        "not asked after the end"
    );
    assert_eq!(counts(&tracer), [1, 0, 0]);
    tracer.close(Duration::from_secs(5));
    drop((tracer, other));
    assert_eq!(restrictions.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_configuration_names_its_policies_and_builds_with_them() {
    let (_, spans) = recording_builder();
    let config = tracehound::Config::new("test")
        .sampler(ConstSampler::new(true))
        .reporter(spans)
        .diagnostics(Diagnostics::silent())
        .baggage_restrictions(AllowedKeys::new())
        .throttler(tracehound::throttler::DebugLimiter::new().total(0.into()));
    let explanation = config.explain();
    for (name, value) in [
        ("throttler", "DebugLimiter"),
        ("baggage_restrictions", "AllowedKeys"),
    ] {
        let setting = explanation.get(name).expect(name);
        assert_eq!(setting.value(), value);
        assert_eq!(setting.source(), tracehound::config::Source::Code);
    }
    let tracer = config.build().expect("complete");
    let span = tracer.start_span("s");
    span.set_baggage_item("k", "v")
        .set_tag("sampling.priority", 1);
    assert!(span.context().baggage().is_empty() && !span.context().is_debug());
}
