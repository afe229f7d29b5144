//! Tracers that write the headers.

use std::collections::BTreeMap;

use tracehound::model::{TraceState, tags};
use tracehound::prelude::*;
use tracehound::propagation::W3cCodec;
use tracehound::reporter::NullReporter;
use tracehound::sampler::{
    ConstSampler, ProbabilisticSampler, RateLimitingSampler, Sampler, SamplingRate, TracesPerSecond,
};
use tracehound::{JaegerTracer, SpanContext};

use super::{PARENT, TRACE};

type Carrier = BTreeMap<String, String>;

fn tracer(sampler: impl Sampler + 'static) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(sampler)
        .reporter(NullReporter::new())
        .trace_id_128bit(true)
        .text_map_codec(W3cCodec::new())
        .build()
        .expect("the service has a name")
}

fn probabilistic(probability: f64) -> ProbabilisticSampler {
    ProbabilisticSampler::new(SamplingRate::new(probability).expect("a probability"))
}

fn written(tracer: &JaegerTracer, context: &SpanContext) -> Carrier {
    let mut headers = Carrier::new();
    tracer.inject(context, &mut headers);
    headers
}

fn received(headers: &[(&str, &str)]) -> Carrier {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    headers.iter().map(own).collect()
}

#[test]
fn a_new_id_of_128_bits_is_random() {
    for keep in [true, false] {
        let long = tracer(ConstSampler::new(keep));
        let headers = written(&long, &long.start_span("s").context());
        let flags = if keep { "-03" } else { "-02" };
        assert!(headers["traceparent"].ends_with(flags), "{headers:?}");
        assert_eq!(headers.len(), 1);

        let short = JaegerTracer::builder("test")
            .sampler(ConstSampler::new(keep))
            .reporter(NullReporter::new())
            .text_map_codec(W3cCodec::new())
            .build()
            .expect("the service has a name");
        let headers = written(&short, &short.start_span("s").context());
        let flags = if keep { "-01" } else { "-00" };
        assert!(headers["traceparent"].ends_with(flags), "{headers:?}");
        assert!(headers["traceparent"].starts_with("00-0000000000000000"));
    }
}

#[test]
fn a_probability_that_keeps_a_trace_is_told_to_every_service() {
    for (probability, digits) in [(1.0, "0"), (0.5, "8"), (0.125, "e")] {
        let tracer = tracer(probabilistic(probability));
        let mut kept = 0;
        for _ in 0..500 {
            let span = tracer.start_span("s");
            let headers = written(&tracer, &span.context());
            if !span.context().is_sampled() {
                assert_eq!(headers.get("tracestate"), None);
                continue;
            }
            kept += 1;
            let state: TraceState = headers["tracestate"].parse().expect("well-formed");
            let (threshold, random_value) = state
                .get("ot")
                .and_then(|value| value.strip_prefix("th:")?.split_once(";rv:"))
                .expect("a threshold and a random value");
            assert_eq!(threshold, digits);
            assert_eq!(random_value.len(), 14);
            let number = |digits: &str| u64::from_str_radix(&format!("{digits:0<14}"), 16).unwrap();
            assert!(number(random_value) >= number(threshold), "{headers:?}");

            let child = tracer.build_span("c").child_of(&span).start();
            let grandchild = tracer.build_span("g").child_of(&child.context()).start();
            let of_child = written(&tracer, &grandchild.context());
            assert_eq!(of_child["tracestate"], headers["tracestate"]);

            // The next service passes it on.
            let parent = tracer.extract(&headers).expect("well-formed");
            let remote = tracer.build_span("r").child_of(&parent).start();
            let of_remote = written(&tracer, &remote.context());
            assert_eq!(of_remote["tracestate"], headers["tracestate"]);
        }
        assert!(kept > 0, "{probability}");
    }
}

#[test]
fn other_samplers_and_debug_tell_no_probability() {
    let limited = tracer(RateLimitingSampler::new(TracesPerSecond::from(1_000)));
    let kept = tracer(ConstSampler::new(true));
    for tracer in [&limited, &kept] {
        let span = tracer.start_span("s");
        assert!(span.context().is_sampled());
        assert_eq!(written(tracer, &span.context()).get("tracestate"), None);
    }
    let never = tracer(probabilistic(0.0));
    let forced = never
        .build_span("s")
        .tag(tags::SAMPLING_PRIORITY, 1)
        .start();
    assert!(forced.context().is_debug());
    let headers = written(&never, &forced.context());
    assert!(headers["traceparent"].ends_with("-03"), "{headers:?}");
    assert_eq!(headers.get("tracestate"), None);
}

#[test]
fn every_span_passes_on_what_the_caller_sent() {
    let tracer = tracer(probabilistic(1.0));
    for (flags, state) in [
        ("01", "congo=t61rcWkgMzE"),
        ("03", "a=1,ot=th:c;rv:e6d1a75832a2f0;x:y,b=2"),
        ("03", "ot=th:00000000000001"),
        ("02", "a=1,ot=rv:e6d1a75832a2f0"),
        ("00", "a=1"),
    ] {
        let parent = PARENT.replace("-01", &format!("-{flags}"));
        let headers = received(&[
            ("traceparent", &parent),
            ("tracestate", state),
            ("baggage", "k=v;p"),
        ]);
        let parent = tracer.extract(&headers).expect("well-formed");
        let span = tracer.build_span("s").child_of(&parent).start();
        let child = tracer.build_span("c").child_of(&span).start();
        let _active = child.activate();
        let grandchild = tracer.start_span("g");
        for context in [span.context(), child.context(), grandchild.context()] {
            let sent_on = written(&tracer, &context);
            assert_eq!(sent_on["tracestate"], state);
            assert_eq!(sent_on["baggage"], "k=v;p");
            let id = context.to_span_id();
            assert_eq!(sent_on["traceparent"], format!("00-{TRACE}-{id}-{flags}"));
        }
    }
}

#[test]
fn a_tag_that_decides_against_the_caller_removes_the_threshold() {
    let tracer = tracer(probabilistic(1.0));
    let headers = received(&[
        ("traceparent", PARENT),
        ("tracestate", "a=1,ot=th:8;rv:e6d1a75832a2f0"),
    ]);
    let parent = tracer.extract(&headers).expect("well-formed");
    let span = tracer.build_span("s").child_of(&parent).start();
    span.set_tag(tags::SAMPLING_PRIORITY, 0);
    let sent_on = written(&tracer, &span.context());
    assert!(sent_on["traceparent"].ends_with("-00"));
    assert_eq!(sent_on["tracestate"], "ot=rv:e6d1a75832a2f0,a=1");
}
