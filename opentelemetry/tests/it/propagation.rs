//! Headers by OpenTelemetry's API, in the formats of the tracer.

use std::collections::HashMap;

use opentelemetry::baggage::BaggageExt as _;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use tracehound::SpanContext;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::Propagation;
use tracehound::sampler::ConstSampler;
use tracehound::scope::active_context;
use tracehound_opentelemetry::TracehoundPropagator;

use crate::support::{Both, both, both_of};

type Headers = HashMap<String, String>;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    let pairs = pairs.iter();
    pairs
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

fn propagator(both: &Both) -> TracehoundPropagator {
    TracehoundPropagator::new(both.tracer.clone())
}

fn injected(propagator: &TracehoundPropagator, cx: &Context) -> Headers {
    let mut headers = Headers::new();
    propagator.inject_context(cx, &mut headers);
    headers
}

#[test]
fn all_formats_of_the_tracer_are_written_and_read() {
    let formats = [
        Propagation::Jaeger,
        Propagation::W3c,
        Propagation::B3,
        Propagation::B3Single,
    ];
    for format in formats {
        let both = both_of(|builder| builder.propagation([format]));
        let propagator = propagator(&both);
        both.library.in_span("client", |cx| {
            let cx = cx.with_baggage([KeyValue::new("user", "Zoë, 42")]);
            let sent = injected(&propagator, &cx);
            let received = propagator.extract_with_context(&Context::new(), &sent);
            let [one, other] = [&cx, &received].map(|cx| cx.span().span_context().clone());
            assert_eq!(one.trace_id(), other.trace_id(), "{format:?} {sent:?}");
            assert_eq!(one.span_id(), other.span_id());
            assert!(other.is_remote() && other.is_sampled());
            let user = received.baggage().get("user").map(ToString::to_string);
            assert_eq!(user.as_deref(), Some("Zoë, 42"), "{format:?} {sent:?}");
            both.library.start_with_context("server", &received).end();
        });
        assert_eq!(both.spans.tree(), "client\n  server", "{format:?}");
    }
}

#[test]
fn what_a_context_cannot_show_reaches_the_span() {
    let both = both_of(|builder| {
        let formats = [Propagation::Jaeger, Propagation::B3];
        builder
            .sampler(ConstSampler::new(false))
            .propagation(formats)
    });
    let propagator = propagator(&both);
    let start = |pairs: &[(&str, &str)]| {
        let cx = propagator.extract_with_context(&Context::new(), &headers(pairs));
        let span = both.library.start_with_context("s", &cx);
        // A span of ours under the context as it is.
        let _guard = cx.attach();
        let ours = both.tracer.start_span("ours").context();
        let context = span.span().context();
        assert_eq!(ours.trace_id().is_some(), context.trace_id().is_some());
        assert_eq!(ours.is_debug(), context.is_debug(), "{pairs:?}");
        assert_eq!(ours.baggage().len(), context.baggage().len(), "{pairs:?}");
        (context, span)
    };
    // A debug flag.
    let (context, _) = start(&[("uber-trace-id", "1:2:0:3")]);
    assert!(context.is_debug());
    assert_eq!(context.to_trace_id(), "0000000000000001");
    // A debug id without a trace.
    both.spans.clear();
    let (context, span) = start(&[("jaeger-debug-id", "ticket-7")]);
    assert!(context.is_debug() && context.parent_id().is_none());
    drop(span);
    let span = both.spans.find("s").expect("debug traces are kept");
    assert_eq!(span.tag_text("jaeger-debug-id"), "ticket-7");
    // A decision that is left to us: the sampler says no.
    let (context, _) = start(&[
        ("x-b3-traceid", "00000000000000aa"),
        ("x-b3-spanid", "00000000000000bb"),
    ]);
    assert!(!context.is_sampled());
    assert_eq!(context.to_trace_id(), "00000000000000aa");
    // A decision without a trace.
    let (context, _) = start(&[("x-b3-sampled", "1")]);
    assert!(context.is_sampled() && context.parent_id().is_none());
    // Baggage without a trace.
    let (context, _) = start(&[("uberctx-user", "42")]);
    assert_eq!(context.baggage().get("user"), Some("42"));
}

#[test]
fn a_deferred_decision_is_made_by_the_sampler() {
    let both = both_of(|builder| builder.propagation([Propagation::B3Single]));
    let pairs = [("b3", "00000000000000aa-00000000000000bb")];
    let cx = propagator(&both).extract_with_context(&Context::new(), &headers(&pairs));
    assert!(!cx.span().span_context().is_sampled(), "nobody knows yet");
    let span = both.library.start_with_context("s", &cx);
    assert!(span.span().context().is_sampled());
}

#[test]
fn malformed_headers_are_counted_and_change_nothing() {
    let both = both();
    let propagator = propagator(&both);
    both.library.in_span("current", |cx| {
        let bad = headers(&[("uber-trace-id", "x"), ("traceparent", "nonsense")]);
        let after = propagator.extract_with_context(&cx, &bad);
        assert_eq!(after.span().span_context(), cx.span().span_context());
        assert_eq!(both.tracer.metrics().get(Counter::DecodingErrors), 1);
        let nothing = propagator.extract_with_context(&cx, &Headers::new());
        assert_eq!(nothing.span().span_context(), cx.span().span_context());
    });
}

#[test]
fn our_active_span_is_sent_from_a_context_without_a_span() {
    let both = both();
    let propagator = propagator(&both);
    assert!(injected(&propagator, &Context::current()).is_empty());
    let span = both.tracer.start_active_span("ours");
    span.set_baggage_item("user", "42");
    let sent = injected(&propagator, &Context::current());
    assert_eq!(sent["uber-trace-id"], span.context().to_string());
    assert_eq!(sent["uberctx-user"], "42");
    assert!(sent.contains_key("traceparent"));
}

#[test]
fn baggage_of_both_sides_is_joined_on_spans_and_in_headers() {
    let both = both();
    let propagator = propagator(&both);
    let received = headers(&[
        ("uber-trace-id", "1:2:0:1"),
        ("uberctx-a", "1"),
        ("uberctx-b", "2"),
    ]);
    let cx = propagator.extract_with_context(&Context::new(), &received);
    assert_eq!(cx.baggage().len(), 2);
    // The library drops b and adds c.
    let cx = cx.with_baggage([KeyValue::new("a", "1"), KeyValue::new("c", "3")]);
    let span = both.library.start_with_context("server", &cx);
    let items = |context: &SpanContext| {
        let items = context
            .baggage()
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        items.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(items(&span.span().context()), "a=1 c=3");
    let cx = cx.with_span(span);
    let _guard = cx.clone().attach();
    // We add d.
    tracehound::scope::active_span().set_baggage_item("d", "4");
    assert_eq!(
        items(&both.tracer.start_span("ours").context()),
        "a=1 c=3 d=4"
    );
    let sent = injected(&propagator, &Context::current());
    for (key, value) in [("a", "1"), ("c", "3"), ("d", "4")] {
        assert_eq!(sent[&format!("uberctx-{key}")], value);
    }
    assert!(!sent.contains_key("uberctx-b"));
    let cleared = injected(&propagator, &cx.with_cleared_baggage());
    assert!(
        !cleared.keys().any(|key| key.starts_with("uberctx-")),
        "{cleared:?}"
    );
    assert!(!cleared.contains_key("baggage"));
    // In a context without any span, too.
    let alone = Context::new().with_baggage([KeyValue::new("k", "v")]);
    let root = both.library.start_with_context("root", &alone);
    assert_eq!(items(&root.span().context()), "k=v");
    assert!(root.span().context().parent_id().is_none());
    assert_eq!(injected(&propagator, &alone)["uberctx-k"], "v");
}

#[test]
fn contexts_of_other_propagators_are_parents_too() {
    let both = both();
    let received = headers(&[
        (
            "traceparent",
            "00-0000000000000007000000000000001f-000000000000002e-01",
        ),
        ("tracestate", "congo=1"),
        ("baggage", "user=42"),
    ]);
    let cx = TraceContextPropagator::new().extract_with_context(&Context::new(), &received);
    let cx = BaggagePropagator::new().extract_with_context(&cx, &received);
    let span = both.library.start_with_context("server", &cx);
    let context = span.span().context();
    assert_eq!(context.to_trace_id(), "0000000000000007000000000000001f");
    assert_eq!(
        context.trace_state().map(ToString::to_string).as_deref(),
        Some("congo=1")
    );
    assert_eq!(context.baggage().get("user"), Some("42"));
    let _guard = cx.attach();
    assert_eq!(active_context().to_span_id(), "000000000000002e");
    drop(span);
}

#[test]
fn header_maps_are_carriers() {
    let both = both();
    let propagator = propagator(&both);
    let span = both.tracer.start_active_span("ours");
    span.set_baggage_item("user", "Zoë");
    let mut sent = http::HeaderMap::new();
    propagator.inject(&mut HeaderInjector(&mut sent));
    assert_eq!(sent["uberctx-user"], "Zo%C3%AB");
    // A second trace header, which is the one that counts.
    sent.append("uber-trace-id", http::HeaderValue::from_static("1f:2e:0:1"));
    let cx = propagator.extract_with_context(&Context::new(), &HeaderExtractor(&sent));
    assert_eq!(
        cx.span().span_context().span_id().to_string(),
        "000000000000002e"
    );
    assert_eq!(
        cx.baggage().get("user").map(ToString::to_string).as_deref(),
        Some("Zoë")
    );
}

/// A carrier that lists no keys, as some do.
struct ByName(Headers);

impl Extractor for ByName {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// A carrier that lists a key for each of its values.
struct Repeats;

impl Extractor for Repeats {
    fn get(&self, _: &str) -> Option<&str> {
        None
    }

    fn keys(&self) -> Vec<&str> {
        vec!["uberctx-a", "Uberctx-A", "other", "uberctx-a"]
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        key.eq_ignore_ascii_case("uberctx-a")
            .then(|| vec!["1", "2"])
    }
}

#[test]
fn carriers_may_list_no_keys_or_one_for_each_value() {
    let both = both();
    let propagator = propagator(&both);
    let by_name = ByName(headers(&[("uber-trace-id", "1f:2e:0:1")]));
    let cx = propagator.extract_with_context(&Context::new(), &by_name);
    assert_eq!(
        cx.span().span_context().span_id().to_string(),
        "000000000000002e"
    );
    let cx = propagator.extract_with_context(&Context::new(), &Repeats);
    assert_eq!(cx.baggage().len(), 1);
}

#[test]
fn the_fields_are_the_names_of_the_headers() {
    let fields = |formats: &[Propagation]| {
        let both = both_of(|builder| builder.propagation(formats.iter().copied()));
        let propagator = propagator(&both);
        propagator.fields().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        fields(&[Propagation::Jaeger]),
        ["uber-trace-id", "jaeger-debug-id", "jaeger-baggage"]
    );
    assert_eq!(
        fields(&[Propagation::W3c]),
        ["traceparent", "tracestate", "baggage"]
    );
}
