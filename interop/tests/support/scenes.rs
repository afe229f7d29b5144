//! Programs that make spans, one scene for each part of the API.

use std::{
    error::Error,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracehound::{
    JaegerTracer, Span, SpanContext,
    model::{FieldRef, Flags, SpanId, TagRef, TraceId, display, field, tags},
    prelude::*,
};

/// A program that uses a tracer.
pub(crate) type Scene = fn(&JaegerTracer);

/// All scenes, with their names.
pub(crate) const ALL: [(&str, Scene); 16] = [
    ("tags of every type", tags_of_every_type),
    ("texts", texts),
    ("tags with a meaning", tags_with_a_meaning),
    ("statuses", statuses),
    ("peers", peers),
    ("many tags", many_tags),
    ("values at their limits", values_at_their_limits),
    ("names", names),
    ("logs", logs),
    ("more logs than are kept", more_logs_than_are_kept),
    ("errors", errors),
    ("a chain of parents", a_chain_of_parents),
    ("references", references),
    ("a caller in another process", a_caller_in_another_process),
    ("baggage", baggage),
    ("times of one's own", times_of_ones_own),
];

fn tags_of_every_type(tracer: &JaegerTracer) {
    let span = tracer
        .build_span("types")
        .tag("at the start", 1_u8)
        .tag("also at the start", "text")
        .start();
    span.set_tag("true", true)
        .set_tag("false", false)
        .set_tag("zero", 0)
        .set_tag("minus one", -1_i8)
        .set_tag("i64::MIN", i64::MIN)
        .set_tag("i64::MAX", i64::MAX)
        .set_tag("largest exact", (1_i64 << 53) - 1)
        .set_tag("first inexact", 1_i64 << 53)
        .set_tag("u64 that fits", i64::MAX as u64)
        .set_tag("u64 that does not", u64::MAX)
        .set_tag("usize", 7_usize)
        .set_tag("half", 0.5)
        .set_tag("whole double", 3.0)
        .set_tag("minus zero", -0.0)
        .set_tag("third", 1.0 / 3.0)
        .set_tag("smallest", f64::from_bits(1))
        .set_tag("largest", f64::MAX)
        .set_tag("f32", 0.25_f32)
        .set_tag("NaN", f64::NAN)
        .set_tag("infinity", f64::INFINITY)
        .set_tag("minus infinity", f64::NEG_INFINITY)
        .set_tag("bytes", &[0_u8, 0x7f, 0x80, 0xff][..])
        .set_tag("no bytes", &[][..])
        .set_tag("displayed", display(&'x'))
        .set_tag("nothing", None::<i64>)
        .set_tag("at the start", "replaced");
    span.finish();
}

fn texts(tracer: &JaegerTracer) {
    let span = tracer.start_span("texts");
    span.set_tag("empty", "")
        .set_tag("", "no key")
        .set_tag("ключ 鍵 🔑", "значение 価値 🦀")
        .set_tag("combined", "e\u{301} \u{202e}right to left")
        .set_tag("control", "\u{0}\u{1}\t\r\n\u{7f}\u{feff}")
        .set_tag("markup", "</script>\"'\\&amp;")
        .set_tag("like a number", "12");
    span.finish();
}

/// Sets the tags that backends interpret.
fn tags_with_a_meaning(tracer: &JaegerTracer) {
    let root = tracer.start_span("meanings");
    for kind in ["client", "server", "producer", "consumer", "internal"] {
        for status in [200, 404, 503] {
            let span = tracer
                .build_span(format!("{kind} {status}"))
                .child_of(&root)
                .tag(tags::SPAN_KIND, kind)
                .start();
            span.set_tag(tags::HTTP_STATUS_CODE, status)
                .set_tag(tags::COMPONENT, "scene");
        }
    }
    root.set_tag(tags::ERROR, true)
        .set_tag(tags::PEER_SERVICE, "other")
        .set_tag(tags::PEER_IPV4, 0x7f00_0001);
}

/// Sets tags that tell how a call ended, and a kind that is none.
fn statuses(tracer: &JaegerTracer) {
    const CODE: &str = "otel.status_code";
    const DESCRIPTION: &str = "otel.status_description";
    const HTTP_MESSAGE: &str = "http.status_message";
    let root = tracer.start_span("statuses");
    let with = |tags: &[(&str, TagRef<'_>)]| {
        let span = child(tracer, "one", &root);
        for (key, value) in tags {
            span.set_tag(key, *value);
        }
    };
    with(&[("error", false.into())]);
    with(&[("error", "true".into())]);
    with(&[("error", true.into()), (DESCRIPTION, "described".into())]);
    with(&[("error", true.into()), (HTTP_MESSAGE, "by HTTP".into())]);
    with(&[(CODE, "ok".into()), ("error", true.into())]);
    with(&[(CODE, "OK".into()), (DESCRIPTION, "fine".into())]);
    with(&[(CODE, "error".into()), (DESCRIPTION, "not fine".into())]);
    with(&[(tags::SPAN_KIND, "none of them".into())]);
    with(&[(tags::SPAN_KIND, 1.into())]);
}

/// Sets tags that tell who is at the other end of a call.
fn peers(tracer: &JaegerTracer) {
    let root = tracer.start_span("peers");
    for kind in ["client", "server"] {
        let with = |tags: &[(&str, TagRef<'_>)]| {
            let span = child(tracer, kind, &root);
            span.set_tag(tags::SPAN_KIND, kind);
            for (key, value) in tags {
                span.set_tag(key, *value);
            }
        };
        let service = (tags::PEER_SERVICE, "Other".into());
        let host = (tags::PEER_HOSTNAME, "other.example".into());
        with(&[service, host, (tags::PEER_PORT, 80.into())]);
        with(&[host, (tags::PEER_IPV4, "192.0.2.1".into())]);
        with(&[(tags::PEER_ADDRESS, "queue".into())]);
        with(&[(tags::PEER_IPV6, "2001:db8::1".into())]);
    }
}

fn many_tags(tracer: &JaegerTracer) {
    let span = tracer.start_span("many tags");
    for i in 0..300 {
        span.set_tag(&format!("tag {i}"), i);
    }
    span.finish();
}

fn values_at_their_limits(tracer: &JaegerTracer) {
    let span = tracer.start_span("limits");
    for length in [1_023, 1_024, 1_025, 5_000] {
        span.set_tag(&format!("{length} bytes"), "a".repeat(length))
            .set_tag(&format!("{length} of two bytes"), "é".repeat(length))
            .set_tag(&format!("{length} raw"), vec![0xa5; length]);
    }
    let long_key = "k".repeat(400);
    span.set_tag(&long_key, "under a long key");
    span.log([field("event", &"e".repeat(2_000)), field(&long_key, 1)]);
    span.finish();
}

fn names(tracer: &JaegerTracer) {
    let root = tracer.start_span("GET /köln/東京/🦀");
    for name in ["", " ", "with \"quotes\" and \\", "a\u{0}b"] {
        tracer.build_span(name).child_of(&root).start().finish();
    }
    let renamed = tracer.build_span("first").child_of(&root).start();
    renamed.set_operation_name("last");
    let long = tracer.build_span("n".repeat(3_000));
    long.child_of(&root).start().finish();
}

fn logs(tracer: &JaegerTracer) {
    let span = tracer.start_span("logs");
    span.log_event("event alone")
        .log([
            field("bytes", 42),
            field("event", "in the middle"),
            field("a", "b"),
        ])
        .log([
            field("true", true),
            field("double", 0.1),
            field("NaN", f64::NAN),
            field("infinity", f64::NEG_INFINITY),
            field("u64", u64::MAX),
            field("binary", &[1_u8, 2][..]),
            field("empty", ""),
            field("é", "ü"),
            field("nothing", None::<bool>),
        ])
        .log([field("event", 5)])
        .log([field("event", "")])
        .log([field("twice", 1), field("twice", 2)])
        .log([] as [FieldRef<'_>; 0])
        .log((0..20).map(|i| field("counted", i)))
        .log_at(at(1_600_000_000_000_001), [field("event", "earlier")]);
    span.finish();
}

fn more_logs_than_are_kept(tracer: &JaegerTracer) {
    let span = tracer.start_span("many logs");
    for i in 0..500 {
        span.log([field("n", i)]);
    }
    span.finish();
}

fn errors(tracer: &JaegerTracer) {
    let root = tracer.start_span("errors");
    let parse = "x".parse::<u16>().expect_err("not a number");
    child(tracer, "plain", &root).log_error(&parse);
    let caused = Caused(Box::new(parse));
    child(tracer, "with its cause", &root).log_error(&caused);
    let boxed: Box<dyn Error> = Box::new(caused);
    child(tracer, "boxed", &root).log_error(&*boxed);
    let twice = child(tracer, "twice", &root);
    twice.log_error(&*boxed);
    twice.log_error(&fmt::Error);
}

fn a_chain_of_parents(tracer: &JaegerTracer) {
    let mut chain = vec![tracer.start_span("0")];
    for depth in 1..12 {
        let parent = &chain[depth - 1];
        let span = tracer
            .build_span(depth.to_string())
            .child_of(parent)
            .start();
        chain.push(span);
    }
    // The parents finish first, as in a program that leaves work behind.
    chain.into_iter().for_each(Span::finish);
}

fn references(tracer: &JaegerTracer) {
    let (one, other) = (tracer.start_span("one"), tracer.start_span("other trace"));
    let sibling = tracer.build_span("sibling").child_of(&one).start();
    let follows = tracer.build_span("follows").follows_from(&one).start();
    tracer
        .build_span("joins several")
        .follows_from(&follows)
        .child_of(&one)
        .child_of(&sibling)
        .start()
        .finish();
    tracer
        .build_span("joins two traces")
        .child_of(&one)
        .child_of(&other)
        .follows_from(&other)
        .start()
        .finish();
    tracer
        .build_span("follows two traces")
        .follows_from(&one)
        .follows_from(&other)
        .start()
        .finish();
    let mut all = tracer.build_span("many references").child_of(&one);
    for _ in 0..20 {
        all = all.follows_from(&tracer.build_span("one of many").child_of(&other).start());
    }
    all.start().finish();
}

/// Makes spans with ids of a client without our limits, among them the largest ids.
fn a_caller_in_another_process(tracer: &JaegerTracer) {
    for high in [0, u64::MAX] {
        for further in [Flags::SAMPLED, Flags::DEBUG, Flags::FIREHOSE] {
            let flags = Flags::SAMPLED.with(further);
            let elsewhere = tracer.start_span("elsewhere").context();
            let low = elsewhere.trace_id().map_or(1, TraceId::low) | 1 << 63;
            let trace_id = TraceId::new(high, low).expect("low is not 0");
            let span_id = SpanId::new(u64::MAX).expect("not 0");
            let caller = SpanContext::new(trace_id, span_id, None, flags);
            let server = tracer
                .build_span("serve")
                .child_of(&caller)
                .tag(tags::SPAN_KIND, "server")
                .start();
            child(tracer, "within", &server).finish();
        }
    }
}

fn baggage(tracer: &JaegerTracer) {
    let root = tracer.start_span("baggage");
    root.set_baggage_item("user", "42")
        .set_baggage_item("user", "43")
        .set_baggage_item("город", "Köln")
        .set_baggage_item("too long", &"v".repeat(5_000));
    let child = child(tracer, "child", &root);
    child.set_baggage_item("of the child", "");
    assert_eq!(child.baggage_item("user").as_deref(), Some("43"));
}

fn times_of_ones_own(tracer: &JaegerTracer) {
    let start = 1_500_000_000_000_000;
    let root = tracer.build_span("root").start_time(at(start)).start();
    for (name, end) in [
        ("an hour", start + 3_600_000_000),
        ("a microsecond", start + 1),
        ("nothing", start),
        ("backwards", start - 1_000_000),
    ] {
        tracer
            .build_span(name)
            .child_of(&root)
            .start_time(at(start))
            .start()
            .finish_at(at(end));
    }
    root.log_at(at(start + 5), [field("event", "within")])
        .log_at(at(start - 5), [field("event", "before")]);
    root.finish_at(at(start + 10));
}

fn child(tracer: &JaegerTracer, name: &'static str, parent: &Span) -> Span {
    tracer.build_span(name).child_of(parent).start()
}

fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}

#[derive(Debug)]
struct Caused(Box<dyn Error>);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the order was refused")
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
