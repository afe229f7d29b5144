//! Carriers beside maps and header maps: messages, processes, formats under a name, and carriers that refuse.

#[cfg(unix)]
mod processes;
mod refusals;

use std::rc::Rc;
use std::sync::{Arc, Mutex};

use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{
    Codec, CompositeCodec, ExtractError, Extractor, HeaderSet, InFormat, Injector, JaegerCodec,
    Key, MessageHeaders, TextMapReader, TextMapWriter,
};
use tracehound::{JaegerTracer, SpanContext};

use super::whole::Whole;
use super::{context, items};
use crate::support::{recording_builder, recording_tracer};

/// Writes and reads a list of one type of names and values.
fn check_message<K, V>(type_name: &str)
where
    K: AsRef<str> + for<'k> From<&'k str>,
    V: AsRef<[u8]> + From<Vec<u8>>,
{
    let (tracer, _) = recording_tracer();
    let context = context().with_baggage_item("user", "Zoë\r\n");
    let header = |name: &str, value: &[u8]| (K::from(name), V::from(value.to_vec()));
    let mut headers = vec![
        header("content-type", b"text/plain"),
        header("Uber-Trace-Id", b"e:e:0:1"),
        header("uberctx-earlier", b"e"),
        header("traceparent", b"e"),
        header("key", b"\xff\0"),
    ];
    tracer.inject(&context, &mut MessageHeaders(&mut headers));
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_ref()).collect();
    let expected = [
        "content-type",
        "key",
        "uber-trace-id",
        "uberctx-user",
        "traceparent",
        "baggage",
    ];
    assert_eq!(names, expected, "{type_name}");
    assert_eq!(headers[1].1.as_ref(), b"\xff\0", "{type_name}");
    // A text map holds values as they are.
    assert_eq!(headers[3].1.as_ref(), "Zoë\r\n".as_bytes(), "{type_name}");
    let read = tracer.extract(&MessageHeaders(&headers[..]));
    let read = read.unwrap().expect("written above");
    assert_eq!(Whole::of(&read), Whole::of(&context), "{type_name}");
    // A producer that appends puts the newest last.
    headers.push(header("uber-trace-id", b"7:8:0:1"));
    let read = tracer.extract(&MessageHeaders(&headers[..])).unwrap();
    assert_eq!(read.expect("a trace").to_trace_id(), "0000000000000007");
}

/// A text and bytes as a client of a queue has them, in types of its own.
struct Name(String);
struct Payload(Box<[u8]>);

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[test]
fn a_message_may_have_names_and_values_of_any_type() {
    check_message::<String, Vec<u8>>("String and Vec");
    check_message::<Box<str>, Box<[u8]>>("boxed");
    check_message::<Arc<str>, Arc<[u8]>>("shared");
    check_message::<Rc<str>, Rc<[u8]>>("shared in a thread");
    check_message::<Name, Payload>("types of a client");
    let borrowed = [("uber-trace-id", &b"1:2:0:1"[..]), ("uberctx-k", b"v\xff")];
    let (tracer, _) = recording_tracer();
    let read = tracer.extract(&MessageHeaders(&borrowed[..])).unwrap();
    assert_eq!(items(&read.expect("a trace")), [("k", "v\u{fffd}")]);
}

#[cfg(feature = "http")]
#[test]
fn a_header_map_gets_one_value_of_each_header() {
    let (tracer, _) = recording_tracer();
    let mut headers = http::HeaderMap::new();
    headers.append("uber-trace-id", "e:e:0:1".parse().unwrap());
    headers.append("uber-trace-id", "f:f:0:1".parse().unwrap());
    headers.append("other", "1".parse().unwrap());
    headers.append("other", "2".parse().unwrap());
    tracer.inject(&context().with_baggage_item("user", "7"), &mut headers);
    let count = |name: &str| headers.get_all(name).iter().count();
    let names = ["uber-trace-id", "uberctx-user", "traceparent", "other"];
    assert_eq!(names.map(count), [1, 1, 1, 2]);
    assert!(headers["uber-trace-id"].len() > "e:e:0:1".len());
}

fn listened() -> (JaegerTracer, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let (builder, _) = recording_builder();
    let builder = builder.diagnostics(Diagnostics::with_handler(move |line| {
        heard.lock().unwrap().push(line.to_owned());
    }));
    let builder = builder.named_codec("known", JaegerCodec::text_map());
    (builder.build().expect("named"), lines)
}

#[test]
fn a_format_without_a_codec_is_counted_and_logged_and_changes_nothing() {
    let (tracer, lines) = listened();
    let mut carrier = vec![("uber-trace-id".to_owned(), "e:e:0:1".to_owned())];
    let before = carrier.clone();
    for n in 1..=3 {
        tracer.inject(&context(), &mut InFormat("unknown", &mut carrier));
        assert_eq!(tracer.extract(&InFormat("unknown", &carrier)), Ok(None));
        assert_eq!(tracer.metrics().get(Counter::EncodingErrors), n);
        assert_eq!(tracer.metrics().get(Counter::DecodingErrors), n);
    }
    assert_eq!(carrier, before);
    let lines = lines.lock().unwrap().clone();
    assert_eq!(lines.len(), 2, "one for each direction: {lines:?}");
    assert!(
        lines.iter().all(|line| line.contains("\"unknown\"")),
        "{lines:?}"
    );

    tracer.inject(&context(), &mut InFormat("known", &mut carrier));
    let read = tracer.extract(&InFormat("known", &carrier)).unwrap();
    assert_eq!(read, Some(context()));
    assert_eq!(tracer.metrics().get(Counter::EncodingErrors), 3);
}

/// A codec of user code: the ids in two headers, in decimal.
struct Decimal {
    headers: HeaderSet,
}

const IDS: [&str; 2] = ["x-trace", "x-span"];

impl Decimal {
    fn new() -> Self {
        let keys = IDS.map(|name| Key::new(name).expect("legal"));
        Self {
            headers: HeaderSet::new(keys, []),
        }
    }
}

impl Injector for Decimal {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        carrier.remove_owned(&self.headers, &[]);
        let ids = context.trace_id().zip(context.span_id());
        if let Some((trace, span)) = ids {
            for (name, id) in IDS.into_iter().zip([trace.low(), span.get()]) {
                carrier.set(name, &id.to_string());
            }
        }
    }
}

impl Extractor for Decimal {
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        use tracehound::model::{Flags, SpanId, TraceId};

        let found = carrier.find(&self.headers);
        // A composite shows no headers of other formats.
        assert!(found.iter().all(|(name, _)| IDS.contains(&name)));
        let mut values = found.iter().map(|(_, value)| {
            let text = std::str::from_utf8(value).ok();
            text.and_then(|text| text.parse().ok())
        });
        let (Some(Some(trace)), Some(Some(span))) = (values.next(), values.next()) else {
            return Ok(None);
        };
        let ids = TraceId::new(0, trace).zip(SpanId::new(span));
        Ok(ids.map(|(trace, span)| SpanContext::new(trace, span, None, Flags::SAMPLED)))
    }
}

impl Codec for Decimal {
    fn headers(&self) -> &HeaderSet {
        &self.headers
    }
}

#[test]
fn a_codec_of_user_code_takes_part_beside_others() {
    let (builder, _) = recording_builder();
    let codec = CompositeCodec::new()
        .member(Decimal::new())
        .member(JaegerCodec::text_map());
    let tracer = builder.text_map_codec(codec).build().expect("named");
    // More headers than are kept without an allocation.
    let others = (0..9).map(|n| (format!("uberctx-{n}"), "v".to_owned()));
    let mut carrier: Vec<_> = others.collect();
    carrier.push(("X-Trace".to_owned(), "9".to_owned()));
    let context = context();
    tracer.inject(&context, &mut carrier);
    let names: Vec<_> = carrier.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["x-trace", "x-span", "uber-trace-id"]);
    carrier.extend((0..9).map(|n| (format!("uberctx-{n}"), "v".to_owned())));
    let read = tracer.extract(&carrier).unwrap().expect("written above");
    assert_eq!(read.to_string(), context.to_string());
    assert_eq!(read.baggage().len(), 9);
    assert_eq!(read.conflict(), None);
    carrier[0].1 = "9".to_owned();
    let read = tracer.extract(&carrier).unwrap().expect("a trace");
    assert_eq!(read.to_trace_id(), "0000000000000009");
    let said = read.conflict().expect("another trace");
    assert_eq!(said, format!("uber-trace-id {context}"));
}

#[test]
fn a_tracer_names_the_headers_that_it_writes_and_reads() {
    use tracehound::propagation::Propagation;

    let names = |tracer: &JaegerTracer| -> String {
        let headers = tracer.propagated_headers();
        let prefixes = headers.prefixes().map(|prefix| format!("{prefix}*"));
        let names = headers.names().map(str::to_owned);
        names.chain(prefixes).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&JaegerTracer::disabled()), "");
    let (tracer, _) = recording_tracer();
    assert_eq!(
        names(&tracer),
        "uber-trace-id jaeger-debug-id jaeger-baggage traceparent tracestate baggage uberctx-*"
    );
    for (formats, expected) in [
        (&[][..], ""),
        (
            &[Propagation::B3Single],
            "b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled x-b3-flags baggage-*",
        ),
        (&[Propagation::TraceContext], "traceparent tracestate"),
    ] {
        let (builder, _) = recording_builder();
        let formats = formats.iter().copied();
        let tracer = builder.propagation(formats).build().expect("named");
        assert_eq!(names(&tracer), expected);
        // It writes no header beside them.
        let mut written = Vec::new();
        tracer.inject(&context().with_baggage_item("k", "v"), &mut written);
        let headers = tracer.propagated_headers();
        assert!(written.iter().all(|(name, _)| headers.contains(name)));
    }
    let (builder, _) = recording_builder();
    let tracer = builder.http_headers_codec(Decimal::new()).build();
    assert_eq!(names(&tracer.expect("named")), "x-trace x-span");
}

/// A codec that cannot say which headers it has.
struct Mute;

impl Injector for Mute {
    fn inject(&self, _: &SpanContext, _: &mut dyn TextMapWriter) {}
}

impl Extractor for Mute {
    fn extract(&self, _: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        Ok(None)
    }
}

impl Codec for Mute {
    fn headers(&self) -> &HeaderSet {
        panic!("a bug of user code")
    }
}

#[test]
fn a_codec_that_panics_names_no_headers() {
    let (builder, _) = recording_builder();
    let builder = builder.diagnostics(Diagnostics::silent());
    let tracer = builder.http_headers_codec(Mute).build().expect("named");
    assert_eq!(tracer.propagated_headers().names().count(), 0);
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 1);
}
