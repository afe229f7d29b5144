//! What each word of `JAEGER_PROPAGATION` and `OTEL_PROPAGATORS` has a tracer write and read.

use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;
use tracehound::propagation::HttpHeaders;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;
use tracehound::{Config, JaegerTracer};

use super::{Headers, context};

fn tracer(variable: &str, text: &str) -> JaegerTracer {
    let config = Config::from_lookup(|name| {
        let variables = [("JAEGER_SERVICE_NAME", "shop"), (variable, text)];
        let known = variables.iter().find(|(known, _)| *known == name);
        known.map(|(_, value)| (*value).to_owned())
    });
    let config = config.expect("well-formed").reporter(NullReporter::new());
    let config = config.sampler(ConstSampler::new(true));
    let config = config.diagnostics(Diagnostics::silent());
    config.build().expect("named")
}

/// A header of each format with the trace id that tells it, or the value of the baggage item `k`.
const RECEIVED: [(&str, &str); 7] = [
    ("uber-trace-id", "a1:2:0:1"),
    ("uberctx-k", "jaeger"),
    ("b3", "b1-2-1"),
    ("x-b3-traceid", "b2"),
    ("x-b3-spanid", "2"),
    ("baggage-k", "b3"),
    ("baggage", "k=w3c"),
];

const PARENT: (&str, &str) = (
    "traceparent",
    "00-000000000000000000000000000000c1-0000000000000002-01",
);

/// Returns the formats whose trace, or whose baggage, a tracer reads if no other is there.
fn read(tracer: &JaegerTracer) -> Vec<&'static str> {
    let alone: [(&str, &[(&str, &str)]); 7] = [
        ("jaeger", &RECEIVED[..1]),
        ("uberctx", &RECEIVED[1..2]),
        ("b3single", &RECEIVED[2..3]),
        ("b3", &RECEIVED[3..5]),
        ("b3 baggage", &RECEIVED[5..6]),
        ("baggage", &RECEIVED[6..]),
        ("w3c", &[PARENT]),
    ];
    let is_read = |headers: &[(&str, &str)]| {
        let text_map = tracer.extract(&headers).expect("well-formed");
        let http = tracer.extract(&HttpHeaders(headers)).expect("well-formed");
        assert_eq!(text_map, http, "{headers:?}");
        http.is_some()
    };
    let read = alone.into_iter().filter(|(_, headers)| is_read(headers));
    read.map(|(name, _)| name).collect()
}

/// Returns the names of the headers that a tracer writes, joined by blanks.
fn written(tracer: &JaegerTracer) -> String {
    let context = context().with_baggage_item("k", "v");
    let (mut text_map, mut http) = (Headers::new(), Headers::new());
    tracer.inject(&context, &mut text_map);
    tracer.inject(&context, &mut HttpHeaders(&mut http));
    assert_eq!(text_map, http, "a value without special characters");
    let names: Vec<_> = http.iter().map(|(name, _)| name.as_str()).collect();
    names.join(" ")
}

const JAEGER: &str = "uber-trace-id uberctx-k";
const B3: &str = "x-b3-traceid x-b3-spanid x-b3-sampled baggage-k";
const B3_SINGLE: &str = "b3 baggage-k";
const W3C: &str = "traceparent baggage";

#[test]
fn each_word_has_its_headers_written_and_read() {
    let b3_forms = &["b3single", "b3", "b3 baggage"][..];
    let all = [
        "jaeger",
        "uberctx",
        "b3single",
        "b3",
        "b3 baggage",
        "baggage",
        "w3c",
    ];
    let default = &["jaeger", "uberctx", "baggage", "w3c"][..];
    let jaeger = &default[..2];
    let w3c = &default[2..];
    let rows = [
        ("JAEGER_PROPAGATION", "jaeger", JAEGER.to_owned(), jaeger),
        ("JAEGER_PROPAGATION", "JAEGER", JAEGER.to_owned(), jaeger),
        ("JAEGER_PROPAGATION", "b3", B3.to_owned(), b3_forms),
        ("JAEGER_PROPAGATION", "b3multi", B3.to_owned(), b3_forms),
        (
            "JAEGER_PROPAGATION",
            "b3single",
            B3_SINGLE.to_owned(),
            b3_forms,
        ),
        ("JAEGER_PROPAGATION", "w3c", W3C.to_owned(), w3c),
        (
            "JAEGER_PROPAGATION",
            "tracecontext",
            "traceparent".to_owned(),
            &w3c[1..],
        ),
        (
            "JAEGER_PROPAGATION",
            "baggage",
            "baggage".to_owned(),
            &w3c[..1],
        ),
        ("JAEGER_PROPAGATION", "none", String::new(), &[]),
        (
            "JAEGER_PROPAGATION",
            "jaeger,w3c",
            format!("{JAEGER} {W3C}"),
            default,
        ),
        (
            "JAEGER_PROPAGATION",
            "w3c , jaeger,b3",
            format!("{W3C} {JAEGER} {B3}"),
            &all,
        ),
        (
            "JAEGER_PROPAGATION",
            "tracecontext,baggage,jaeger",
            format!("{W3C} {JAEGER}"),
            default,
        ),
        (
            "OTEL_PROPAGATORS",
            "tracecontext,baggage",
            W3C.to_owned(),
            w3c,
        ),
        (
            "OTEL_PROPAGATORS",
            "tracecontext",
            "traceparent".to_owned(),
            &w3c[1..],
        ),
        (
            "OTEL_PROPAGATORS",
            "baggage",
            "baggage".to_owned(),
            &w3c[..1],
        ),
        ("OTEL_PROPAGATORS", "jaeger", JAEGER.to_owned(), jaeger),
        ("OTEL_PROPAGATORS", "b3", B3_SINGLE.to_owned(), b3_forms),
        ("OTEL_PROPAGATORS", "b3multi", B3.to_owned(), b3_forms),
        ("OTEL_PROPAGATORS", "none", String::new(), &[]),
        // Without a word, the default.
        ("OTHER", "", format!("{JAEGER} {W3C}"), default),
    ];
    for (variable, text, headers, formats) in rows {
        let tracer = tracer(variable, text);
        assert_eq!(written(&tracer), headers, "{variable}={text}");
        assert_eq!(read(&tracer), formats, "{variable}={text}");
    }
    // Two codecs of B3 write its baggage once.
    let both = tracer("JAEGER_PROPAGATION", "b3,b3single");
    let names = "x-b3-traceid x-b3-spanid x-b3-sampled b3 baggage-k";
    assert_eq!(written(&both), names);
}

#[test]
fn the_first_word_of_a_list_counts() {
    let received = [&RECEIVED[..], &[PARENT]].concat();
    for (text, trace_id, value) in [
        ("jaeger,b3,w3c", Some("a1"), Some("jaeger")),
        ("b3,jaeger,w3c", Some("b1"), Some("b3")),
        ("w3c,b3single,jaeger", Some("c1"), Some("w3c")),
        ("tracecontext,jaeger,baggage", Some("c1"), Some("jaeger")),
        ("baggage,jaeger", Some("a1"), Some("w3c")),
        ("baggage", None, Some("w3c")),
        ("tracecontext", Some("c1"), None),
        ("none", None, None),
    ] {
        let tracer = tracer("JAEGER_PROPAGATION", text);
        let read = tracer
            .extract(&received)
            .expect("well-formed")
            .unwrap_or_default();
        let expected = trace_id.map(|id| format!("{id:0>16}")).unwrap_or_default();
        assert_eq!(read.to_trace_id(), expected, "{text}");
        assert_eq!(read.baggage().get("k"), value, "{text}");
    }
}

/// No word turns off binary carriers, which have one format.
#[test]
fn bytes_are_written_and_read_whatever_the_words() {
    for text in ["jaeger", "w3c", "b3", "none"] {
        let tracer = tracer("JAEGER_PROPAGATION", text);
        let mut bytes: Vec<u8> = Vec::new();
        tracer.inject(&context(), &mut bytes);
        assert_eq!(tracer.extract(&bytes), Ok(Some(context())), "{text}");
    }
}
