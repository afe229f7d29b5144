//! Header maps of callers that speak one format or several, beside thirty ordinary headers.

use http::{HeaderMap, HeaderName, HeaderValue};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::propagation::Propagation;
use tracehound::reporter::NullReporter;

/// The formats of a tracer, and the headers of its caller.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) formats: &'static [Propagation],
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

pub(crate) const CELLS: [Cell; 8] = [
    cell("jaeger", &[Propagation::Jaeger], &JAEGER),
    cell("b3, several headers", &[Propagation::B3], &B3),
    cell("b3, one header", &[Propagation::B3Single], &B3_SINGLE),
    cell("w3c", &[Propagation::W3c], &TRACEPARENT),
    cell("w3c, tracestate and baggage", &[Propagation::W3c], &W3C),
    cell("default, jaeger there", &Propagation::DEFAULT, &JAEGER),
    cell("default, w3c there", &Propagation::DEFAULT, &TRACEPARENT),
    cell("default, both there", &Propagation::DEFAULT, &BOTH),
];

pub(crate) const JAEGER: [(&str, &str); 1] = [(
    "uber-trace-id",
    "6309ab92c95468edea0dc1a9772ae2dc:409423a204bc17a8:0:1",
)];
/// W3C's headers, with two members of `tracestate` and two items of baggage.
pub(crate) const W3C: [(&str, &str); 3] = [
    (
        "traceparent",
        "00-6309ab92c95468edea0dc1a9772ae2dc-409423a204bc17a8-01",
    ),
    ("tracestate", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"),
    ("baggage", "user=4711,tenant=eu%201"),
];
pub(crate) const TRACEPARENT: [(&str, &str); 1] = [W3C[0]];
pub(crate) const BOTH: [(&str, &str); 2] = [JAEGER[0], W3C[0]];
pub(crate) const B3: [(&str, &str); 3] = [
    ("x-b3-traceid", "6309ab92c95468edea0dc1a9772ae2dc"),
    ("x-b3-spanid", "409423a204bc17a8"),
    ("x-b3-sampled", "1"),
];
pub(crate) const B3_SINGLE: [(&str, &str); 1] =
    [("b3", "6309ab92c95468edea0dc1a9772ae2dc-409423a204bc17a8-1")];

const fn cell(
    name: &'static str,
    formats: &'static [Propagation],
    headers: &'static [(&'static str, &'static str)],
) -> Cell {
    Cell {
        name,
        formats,
        headers,
    }
}

/// Returns thirty headers, about as many as a browser behind two proxies sends. There is room for those of a context.
pub(crate) fn ordinary_headers() -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(48);
    for n in 0..30 {
        let name = HeaderName::try_from(format!("x-ordinary-{n}")).expect("a token");
        let value = HeaderValue::from_static("an ordinary value, not long");
        headers.insert(name, value);
    }
    headers
}

/// Returns the thirty headers and, after them, those of a context.
pub(crate) fn caller(trace_headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = ordinary_headers();
    for (name, value) in trace_headers {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    headers
}

pub(crate) fn tracer(formats: &[Propagation]) -> JaegerTracer {
    JaegerTracer::builder("bench")
        .propagation(formats.iter().copied())
        .reporter(NullReporter::new())
        .clock(ManualClock::at_micros(1_700_000_000_000_000))
        .build()
        .expect("named")
}
