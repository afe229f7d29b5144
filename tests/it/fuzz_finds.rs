//! Inputs that a fuzz target finds, and what they broke.

use std::collections::BTreeMap;

use tracehound::model::{Baggage, Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::propagation::{
    B3Codec, CompositeCodec, Extractor, HttpHeaders, Injector, JaegerCodec, Propagation, W3cCodec,
};
use tracehound::reporter::NullReporter;
use tracehound::sampler::{ConstSampler, ProbabilisticSampler, SamplingRate};
use tracehound::{Config, JaegerTracer, SpanContext};

/// The text of the error that comes of one variable.
fn error(name: &str, value: &str) -> String {
    let lookup = |wanted: &str| (wanted == name).then(|| value.to_owned());
    let config = Config::from_lookup(lookup);
    let build = |config: Config| config.sampler(ConstSampler::new(true)).build();
    match config.and_then(build) {
        Err(error) => format!("{error} {:?}", error.problems()),
        Ok(_) => String::new(),
    }
}

/// Found by `environment`: the list was split at its comma, and what stood behind it was no URL any more.
#[test]
fn a_list_of_formats_shows_no_part_of_a_url() {
    for name in ["JAEGER_PROPAGATION", "OTEL_PROPAGATORS"] {
        for value in [
            "key=value\\\"http://h?k=v#6,canary\\\"",
            "jaeger,http://u:p,canary@h/",
            "http://h/?k=v,canary,jaeger",
        ] {
            let error = error(name, value);
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}

/// Found by `redact`: all before the `@` was taken for user info, though a fragment or a query stands there.
#[test]
fn a_value_whose_query_holds_an_at_shows_nothing_behind_it() {
    for value in [
        ";%2%4u{\"u\":\"/cart?k=v#p@canary\",\"e\":\"x\"}",
        "h:1/d?k=a@canary",
        "h/d?k=v#a@canary",
    ] {
        let error = error("JAEGER_ENDPOINT", value);
        assert!(error.contains("JAEGER_ENDPOINT"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

/// Found by `environment`: a text without a host behind its `://` was taken for user info, up to the `@` of a query.
#[test]
fn a_query_behind_text_that_is_no_url_shows_nothing_behind_its_at() {
    let value = "----http://\u{4}?p:hucannot reach h/d?k=v#@canary: refused";
    let error = error("JAEGER_REPORTER_FLUSH_INTERVAL", value);
    assert!(error.contains("JAEGER_REPORTER_FLUSH_INTERVAL"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

/// Found by `terminal`: a duration was not cut, and a datagram may say that a span took thousands of years.
#[cfg(feature = "dev")]
#[test]
fn a_span_of_thousands_of_years_is_drawn_within_the_columns() {
    use std::net::UdpSocket;
    use std::time::Duration;

    use tracehound::dev::{DevOptions, DevServer, Waterfall};

    use crate::support::batches::from_hex;

    let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
    let server = DevServer::start(options).unwrap();
    let datagram = [
        "82810009656d697442617463681c1c18",
        // A long service name, and a long operation name further down.
        "10736572766963652d736572766963652d00191c",
        "16021600160216001818",
        "6f7065726174696f6e2d6f7065726174696f6e2d6f706572",
        // Flags, start, and the longest duration.
        "2502160216",
        "feffffffffffffffff01",
        "000000",
    ];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let datagram = from_hex(&datagram.concat());
    socket.send_to(&datagram, server.agent_address()).unwrap();
    assert!(server.wait_until_read(Duration::from_secs(20)));
    let trace = server.traces().remove(0);
    let picture = trace.waterfall(40);
    assert!(picture.contains(".."), "{picture}");
    assert!(picture.lines().all(|line| line.len() <= 40), "{picture}");
}

/// `format_pairs` looks for it: the second member took the headers of the first for those of an earlier request.
#[test]
fn both_forms_of_b3_are_written_into_a_used_carrier() {
    let joined = CompositeCodec::new()
        .member(B3Codec::multiple_headers())
        .member(B3Codec::single_header());
    let ids = TraceId::new(0, 1).zip(SpanId::new(2)).unwrap();
    let context = SpanContext::new(ids.0, ids.1, None, Flags::SAMPLED).with_baggage_item("k", "v");
    let mut fresh = BTreeMap::new();
    joined.inject(&context, &mut fresh);
    let names: Vec<_> = fresh.keys().map(String::as_str).collect();
    let expected = [
        "b3",
        "baggage-k",
        "x-b3-sampled",
        "x-b3-spanid",
        "x-b3-traceid",
    ];
    assert_eq!(names, expected);
    let mut used = fresh.clone();
    used.insert("baggage-stale".to_owned(), "v".to_owned());
    joined.inject(&context, &mut used);
    assert_eq!(used, fresh);
}

/// `header_extract` looks for it: the baggage of the member with the trace won over that of an earlier one.
#[test]
fn baggage_of_the_first_format_wins_wherever_the_trace_is() {
    let joined = CompositeCodec::new()
        .member(JaegerCodec::http_headers())
        .member(W3cCodec::new());
    let headers = [
        ("baggage", "k=w3c,l=w3c"),
        (
            "traceparent",
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
        ),
        ("uberctx-k", "jaeger"),
    ];
    for headers in [&headers[..], &headers[1..]] {
        let context = joined.extract(&headers).unwrap().unwrap();
        assert!(context.has_trace());
        assert_eq!(context.baggage().get("k"), Some("jaeger"), "{headers:?}");
    }
    let context = joined.extract(&headers).unwrap().unwrap();
    assert_eq!(context.baggage().get("l"), Some("w3c"));
}

/// `trace_context` looks for it: what was left of the member ended in a space, which no value may, so all of it was lost.
#[test]
fn a_space_before_an_entry_that_is_left_out_loses_no_other_entry() {
    let tracer = JaegerTracer::builder("shop")
        .sampler(ProbabilisticSampler::new(SamplingRate::new(1.0).unwrap()))
        .reporter(NullReporter::new())
        .propagation([Propagation::W3c])
        .build()
        .unwrap();
    let headers = HttpHeaders([
        (
            "traceparent",
            "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01",
        ),
        (
            "tracestate",
            "ot=rv:6e6d1a75832a2f;x:y ;malformed,congo=t61rcWkgMzE",
        ),
    ]);
    let caller = tracer.extract(&headers).unwrap().unwrap();
    let caller = caller.with_deferred_sampling();
    let span = tracer.build_span("pay").child_of(&caller).start();
    let mut written = BTreeMap::new();
    tracer.inject(&span.context(), &mut written);
    let expected = "ot=th:0;rv:6e6d1a75832a2f;x:y,congo=t61rcWkgMzE";
    assert_eq!(written["tracestate"], expected);
}

/// Found by `format_pairs`: properties of blanks alone made a header that ended in a blank.
#[test]
fn blanks_around_properties_are_not_written() {
    let baggage = Baggage::default().with_properties("k", "v", "\t").unwrap();
    let baggage = baggage.with_properties("l", "w", " p ").unwrap();
    let context = SpanContext::default().with_baggage(baggage);
    let mut written = BTreeMap::new();
    W3cCodec::new().inject(&context, &mut written);
    assert_eq!(written["baggage"], "k=v,l=w;p");
}
