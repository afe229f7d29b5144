//! What a stranger can send: in every format it is read or refused, counted, and never more than that.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::propagation::{ExtractCarrier, HttpHeaders, InFormat, JaegerCodec, Propagation};

use super::{Headers, owned};
use crate::support::recording_builder;
use Propagation::{B3, B3Single, Jaeger, TraceContext, W3c};

/// The formats with a header for the trace. W3C's is the same alone and beside baggage.
fn formats() -> Vec<Propagation> {
    let mut formats = Propagation::ALL.to_vec();
    formats.retain(|format| !matches!(format, TraceContext | Propagation::Baggage));
    formats
}

fn listened(formats: &[Propagation]) -> (JaegerTracer, Arc<Mutex<Vec<String>>>) {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heard = lines.clone();
    let (builder, _) = recording_builder();
    let builder = builder
        .propagation(formats.iter().copied())
        .named_codec("named", JaegerCodec::http_headers())
        .diagnostics(Diagnostics::with_handler(move |line| {
            heard.lock().unwrap().push(line.to_owned());
        }));
    (builder.build().expect("named"), lines)
}

/// Returns headers with a trace id, a span id and a parent id in place of good ones.
fn with_ids(format: Propagation, trace: &str, span: &str, parent: &str) -> Headers {
    match format {
        Jaeger => owned(&[("uber-trace-id", &format!("{trace}:{span}:{parent}:1"))]),
        B3 => owned(&[
            ("x-b3-traceid", trace),
            ("x-b3-spanid", span),
            ("x-b3-parentspanid", parent),
            ("x-b3-sampled", "1"),
        ]),
        B3Single => owned(&[("b3", &format!("{trace}-{span}-1-{parent}"))]),
        W3c | TraceContext => owned(&[("traceparent", &format!("00-{trace}-{span}-01"))]),
        other => panic!("add to `with_ids` in {}: the headers of {other}", file!()),
    }
}

/// Starts the span of a request, whatever its headers say.
fn serve(tracer: &JaegerTracer, carrier: &dyn ExtractCarrier) -> tracehound::Span {
    let parent = tracer.extract(carrier).ok().flatten();
    tracer.build_span("serve").child_of(&parent).start()
}

#[test]
fn an_id_that_is_no_hex_number_of_its_length_is_refused_in_every_format() {
    let (trace, span) = ("0".repeat(30) + "a1", "0".repeat(14) + "b2");
    let too_long = ["f".repeat(33), "f".repeat(40)];
    let ids = [
        "", "+1", "-", "+ff", "0x1", "1g", "1 1", "1\t1", "1_000", "１", "1\0", "ä", "1.0", "1e-1",
    ];
    let ids = ids.into_iter().chain(too_long.iter().map(String::as_str));
    for id in ids {
        // W3C's ids have a fixed length. One of zeros is refused, too.
        let padded = |len: usize| format!("{}{id}", "0".repeat(len.saturating_sub(id.len())));
        for format in formats() {
            let rows = match format {
                W3c => vec![
                    with_ids(format, &padded(32), &span, ""),
                    with_ids(format, &trace, &padded(16), ""),
                ],
                // An empty parent id stands for none.
                B3 | B3Single if id.is_empty() => vec![
                    with_ids(format, id, &span, "1"),
                    with_ids(format, &trace, id, "1"),
                ],
                _ => vec![
                    with_ids(format, id, &span, "1"),
                    with_ids(format, &trace, id, "1"),
                    with_ids(format, &trace, &span, id),
                ],
            };
            for headers in rows {
                let (tracer, _) = listened(&[format]);
                assert!(tracer.extract(&headers).is_err(), "{headers:?}");
                assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 1);
                let span = serve(&tracer, &headers);
                assert_eq!(span.context().parent_id(), None, "{headers:?}");
                assert!(span.context().is_sampled(), "the own sampler decides");
            }
        }
    }
    for format in formats() {
        let (tracer, _) = listened(&[format]);
        let read = tracer.extract(&with_ids(format, &trace, &span, "1"));
        assert_eq!(read.unwrap().expect("a trace").to_span_id(), span);
    }
}

/// Every header that a tracer of all formats reads, as a name of its own or the begin of one.
fn names() -> Vec<String> {
    let (tracer, _) = listened(&formats());
    let headers = tracer.propagated_headers();
    let prefixed = headers.prefixes().map(|prefix| format!("{prefix}k"));
    headers.names().map(str::to_owned).chain(prefixed).collect()
}

#[test]
fn a_value_of_64_kib_in_any_header_leaves_the_other_formats_alone() {
    let trace = "a".repeat(32);
    for text in ["a", ",", "%", "k=v,", "é", "-", ":", "k=;"] {
        let huge = text.repeat(65_536 / text.len());
        for name in names() {
            for other in [Jaeger, W3c, B3] {
                let good = with_ids(other, &trace, "000000000000000b", "1");
                if good.iter().any(|(known, _)| *known == name) {
                    continue;
                }
                let (tracer, lines) = listened(&[Jaeger, W3c, B3]);
                let mut headers = good;
                headers.push((name.clone(), huge.clone()));
                let read = tracer
                    .extract(&headers)
                    .unwrap_or_else(|error| panic!("{name}: {error}"));
                let read = read.expect("a trace");
                assert_eq!(read.to_span_id(), "000000000000000b", "{name} {text:?}");
                super::properties::check_limits(&read);
                // An item that is too large, or a malformed header, is counted.
                let metrics = tracer.metrics();
                let errors = metrics.get(Counter::DecodingErrors);
                assert!(errors < 3, "{name} {text:?}: {errors}");
                assert!(lines.lock().unwrap().iter().all(|line| line.len() < 400));
                if name.ends_with("-k") {
                    assert_eq!(
                        metrics.get(Counter::BaggageItemsSkipped),
                        1,
                        "{name} {text:?}"
                    );
                }
                let mut sent_on = Headers::new();
                tracer.inject(&read, &mut HttpHeaders(&mut sent_on));
                let bytes = sent_on.iter().map(|(name, value)| name.len() + value.len());
                assert!(bytes.sum::<usize>() < 32_768, "{name} {text:?}");
            }
        }
    }
}

#[cfg(feature = "http")]
#[test]
fn a_header_map_of_24_576_entries_is_read_within_the_limits() {
    use http::{HeaderMap, HeaderName, HeaderValue};

    let name = |text: String| HeaderName::from_bytes(text.as_bytes()).expect("legal");
    let good = with_ids(Jaeger, "a", "b", "1").remove(0).1;
    let fill = |names: &dyn Fn(usize) -> String, value: &'static str| {
        let mut map = HeaderMap::new();
        for n in 0..24_575 {
            map.append(name(names(n)), HeaderValue::from_static(value));
        }
        map.append(
            "uber-trace-id",
            HeaderValue::from_str(&good).expect("legal"),
        );
        assert_eq!(map.len(), 24_576);
        map
    };
    let rows: [(&str, HeaderMap, u64); 8] = [
        ("others", fill(&|n| format!("h{n}"), "v"), 0),
        ("uberctx-", fill(&|n| format!("uberctx-{n}"), "v"), 192),
        ("baggage-", fill(&|n| format!("baggage-{n}"), "v"), 192),
        ("baggage", fill(&|_| "baggage".to_owned(), "k=v"), 24_448),
        (
            "tracestate",
            fill(&|_| "tracestate".to_owned(), "k=v"),
            24_448,
        ),
        (
            "traceparent",
            fill(&|_| "traceparent".to_owned(), "x"),
            24_448,
        ),
        ("b3", fill(&|_| "b3".to_owned(), "x"), 24_448),
        (
            "x-b3-traceid",
            fill(&|_| "x-b3-traceid".to_owned(), "x"),
            24_448,
        ),
    ];
    for (kind, map, skipped) in rows {
        let (tracer, _) = listened(&formats());
        // Of more than 128 headers with a name, the first ones are kept, and this trace comes last.
        let has_trace = skipped < 1_000;
        match tracer.extract(&map) {
            Ok(Some(read)) => {
                assert_eq!(read.has_trace(), has_trace, "{kind}");
                super::properties::check_limits(&read);
            }
            other => assert!(!has_trace, "{kind}: {other:?}"),
        }
        let count = tracer.metrics().get(Counter::BaggageItemsSkipped);
        assert!(count >= skipped, "{kind}: {count}");
        let span = serve(&tracer, &map);
        assert_eq!(span.context().parent_id().is_some(), has_trace, "{kind}");
    }
}

const SECRET: &str = "s3cr3t-t0k3n";

#[test]
fn a_message_shows_no_header_but_the_id_of_a_trace() {
    // Beside each malformed trace, all headers that may hold a secret do.
    let secrets = [
        ("uberctx-password", SECRET),
        ("jaeger-baggage", SECRET),
        ("jaeger-debug-id", SECRET),
        ("tracestate", SECRET),
        ("baggage", SECRET),
        ("baggage-password", SECRET),
        ("x-b3-sampled", SECRET),
        ("x-b3-flags", SECRET),
        ("authorization", SECRET),
    ];
    let far = format!("{}{SECRET}", "x".repeat(64));
    for format in formats() {
        for bad in ["x", &far] {
            let (tracer, lines) = listened(&formats());
            let headers = [owned(&secrets), with_ids(format, bad, "1", "1")].concat();
            let error = tracer.extract(&headers).expect_err("malformed");
            // Also if another format has a trace.
            let good = if format == Jaeger { B3 } else { Jaeger };
            let headers = [headers, with_ids(good, "a", "b", "1")].concat();
            assert!(tracer.extract(&headers).is_ok(), "{headers:?}");
            let named = tracer.extract(&InFormat("missing", &headers));
            assert_eq!(named, Ok(None));
            let mut texts = lines.lock().unwrap().clone();
            assert!(texts.len() >= 2, "{texts:?}");
            texts.extend([error.to_string(), format!("{error:?}")]);
            for text in texts {
                assert!(!text.contains(SECRET), "{text}");
                assert!(text.len() < 300, "{text}");
            }
        }
    }
    let (tracer, lines) = listened(&formats());
    let mut bytes = vec![1; 33];
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 99]);
    bytes.extend(SECRET.as_bytes());
    let error = tracer.extract(&bytes).expect_err("ends early").to_string();
    assert!(!error.contains(SECRET), "{error}");
    let lines = lines.lock().unwrap();
    assert!(lines.len() == 1 && !lines[0].contains(SECRET), "{lines:?}");
}

/// Extracts 100,000 times, and checks that at most one line was written in ten seconds.
fn check_lines(formats: &[Propagation], carrier: &dyn ExtractCarrier, is_error: bool) {
    const RUNS: u64 = 100_000;

    let (tracer, lines) = listened(formats);
    let start = Instant::now();
    for _ in 0..RUNS {
        assert_eq!(tracer.extract(carrier).is_err(), is_error);
    }
    let tens = start.elapsed().as_secs() / 10;
    let lines = lines.lock().unwrap();
    assert!((1..=1 + tens).contains(&(lines.len() as u64)), "{lines:?}");
    let count = tracer.metrics().get(Counter::DecodingErrors);
    assert_eq!(count, RUNS, "{formats:?}");
}

#[test]
fn a_hundred_thousand_malformed_contexts_are_one_line_in_ten_seconds() {
    let all = &formats();
    let malformed = |format: &Propagation| with_ids(*format, "x", "1", "1");
    let traces: Vec<_> = all.iter().map(malformed).collect();
    let (jaeger, w3c) = (&malformed(&Jaeger), malformed(&W3c));
    std::thread::scope(|scope| {
        for (format, headers) in all.iter().zip(&traces) {
            scope.spawn(|| check_lines(std::slice::from_ref(format), headers, true));
        }
        scope.spawn(|| check_lines(all, &traces.concat(), true));
        // One is hidden by another format.
        let hidden = [w3c, with_ids(Jaeger, "a", "b", "1")].concat();
        scope.spawn(move || check_lines(&[TraceContext, Jaeger], &hidden, false));
        scope.spawn(|| check_lines(all, &InFormat("named", jaeger), true));
        scope.spawn(|| check_lines(all, &InFormat("missing", jaeger), false));
        scope.spawn(|| check_lines(all, &vec![1_u8; 36], true));
    });
}
