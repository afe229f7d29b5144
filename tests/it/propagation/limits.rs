//! Baggage beyond the limits of [`Baggage`] is left out and counted; the trace goes on.

use tracehound::model::Baggage;
use tracehound::propagation::{Extractor, JaegerCodec, TextMapReader};

use super::{Counted, Headers, items};

const TRACE: (&str, &str) = ("uber-trace-id", "1:2:0:1");

/// Extracts, and returns the numbers of items kept and counted as skipped.
fn read(counted: &Counted, carrier: &dyn TextMapReader) -> (usize, u64) {
    let before = counted.skipped();
    let context = counted.codec.extract(carrier).unwrap().expect("a trace");
    assert!(context.has_trace());
    (context.baggage().len(), counted.skipped() - before)
}

fn headers(items: impl IntoIterator<Item = (String, String)>) -> Headers {
    let trace = (TRACE.0.to_owned(), TRACE.1.to_owned());
    let items = items
        .into_iter()
        .map(|(key, value)| (format!("uberctx-{key}"), value));
    std::iter::once(trace).chain(items).collect()
}

fn one(key: impl Into<String>, value: impl Into<String>) -> Headers {
    headers([(key.into(), value.into())])
}

#[test]
fn one_item_may_have_all_8_192_bytes() {
    let (http, text) = (Counted::http(), Counted::text());
    let fits = "v".repeat(Baggage::MAX_BYTES - 3);
    for counted in [&http, &text] {
        assert_eq!(read(counted, &one("key", &fits)), (1, 0));
        assert_eq!(read(counted, &one("key", fits.clone() + "v")), (0, 1));
    }
    // A space counts three bytes, the size of `%20` on the wire, in whichever form it came.
    for space in ["%20", "+", " "] {
        let fits = space.repeat(2_729) + "vv";
        assert_eq!(read(&http, &one("key", &fits)), (1, 0), "{space:?}");
        assert_eq!(read(&http, &one("key", fits + "v")), (0, 1), "{space:?}");
    }
    // The decoded value counts, not the longer escaped one.
    let escaped = "%76".repeat(Baggage::MAX_BYTES - 3);
    assert_eq!(read(&http, &one("key", &escaped)), (1, 0));
    assert_eq!(read(&http, &one("key", escaped + "%76")), (0, 1));
    // A byte that is not UTF-8 becomes U+FFFD, nine bytes on the wire.
    assert_eq!(read(&http, &one("k", "%FF".repeat(910))), (1, 0));
    assert_eq!(read(&http, &one("k", "%FF".repeat(911))), (0, 1));
}

#[test]
fn a_key_may_have_nearly_all_8_192_bytes() {
    for counted in [Counted::http(), Counted::text()] {
        for key_bytes in [257, 300, Baggage::MAX_BYTES - 1] {
            let key = "k".repeat(key_bytes);
            assert_eq!(read(&counted, &one(&key, "v")), (1, 0), "{key_bytes}");
        }
        let key = "k".repeat(Baggage::MAX_BYTES - 5);
        assert_eq!(read(&counted, &one(key.clone(), "v".repeat(6))), (0, 1));
        let list = |key: &str| {
            let mut headers = headers([]);
            headers.push(("jaeger-baggage".to_owned(), format!("a=1,{key}=v,b=2")));
            headers
        };
        assert_eq!(read(&counted, &list(&key)), (3, 0));
        assert_eq!(read(&counted, &list(&(key.clone() + "k"))), (2, 1));
        assert_eq!(read(&counted, &list(&(key + "kkkkkk"))), (2, 1));
    }
}

#[test]
fn baggage_that_w3c_says_must_go_on_goes_on_whole() {
    let numbered = |n: usize| (format!("k{n:02}"), "v".repeat(125));
    for counted in [Counted::http(), Counted::text()] {
        for carrier in [
            headers((0..64).map(numbered)),
            one("k", "v".repeat(8_189)),
            one("k".repeat(300), "v"),
        ] {
            let (kept, skipped) = read(&counted, &carrier);
            assert_eq!((kept, skipped), (carrier.len() - 1, 0));
            let context = counted.codec.extract(&carrier).unwrap().expect("a trace");
            let written = counted.inject(&context);
            let read = counted.codec.extract(&written).unwrap().expect("a trace");
            assert_eq!(read, context);
        }
    }
}

#[test]
fn all_items_together_may_have_8_192_bytes() {
    let item = |key: &str, bytes: usize| (key.to_owned(), "v".repeat(bytes - key.len()));
    for counted in [Counted::http(), Counted::text()] {
        let full = [item("a", 4096), item("b", 4000), item("c", 96)];
        assert_eq!(read(&counted, &headers(full.clone())), (3, 0));
        let over = [item("a", 4096), item("b", 4000), item("c", 97)];
        assert_eq!(read(&counted, &headers(over)), (2, 1));
        // An item that does not fit is left out. A later one that fits is kept.
        let gap = [
            item("a", 4096),
            item("b", 4000),
            item("c", 97),
            item("d", 96),
        ];
        assert_eq!(read(&counted, &headers(gap)), (3, 1));
        // A repeated key takes the room of the first.
        let again = full.into_iter().chain([item("a", 4096)]);
        assert_eq!(read(&counted, &headers(again)), (3, 0));
    }
}

#[test]
fn extract_reads_64_items() {
    let numbered = |count: usize| (0..count).map(|n| (format!("k{n}"), "v".to_owned()));
    for counted in [Counted::http(), Counted::text()] {
        assert_eq!(read(&counted, &headers(numbered(64))), (64, 0));
        assert_eq!(read(&counted, &headers(numbered(65))), (64, 1));
        assert_eq!(read(&counted, &headers(numbered(1000))), (64, 936));

        // Items that are too long count among the 64, too.
        let oversize = (0..64).map(|n| (format!("k{n}"), "v".repeat(9_000)));
        let late = [("late".to_owned(), "v".to_owned())];
        assert_eq!(read(&counted, &headers(oversize.chain(late))), (0, 65));

        let list: Vec<_> = numbered(100)
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let mut carrier = headers([("own".to_owned(), "v".to_owned())]);
        carrier.push(("jaeger-baggage".to_owned(), list.join(", ")));
        assert_eq!(read(&counted, &carrier), (64, 37));
    }
}

#[test]
fn a_value_of_64_kib_does_not_cost_other_items() {
    let huge = "v".repeat(65_536);
    for (counted, huge) in [
        (Counted::http(), huge.clone()),
        (Counted::http(), "%20".repeat(21_846)),
        (Counted::http(), "%".repeat(65_536)),
        (Counted::http(), "+".repeat(65_536)),
        (Counted::text(), huge.clone()),
    ] {
        let carrier = headers([
            ("huge".to_owned(), huge.clone()),
            ("k".to_owned(), "v".to_owned()),
        ]);
        assert_eq!(read(&counted, &carrier), (1, 1));

        let mut carrier = headers([]);
        carrier.push(("jaeger-baggage".to_owned(), format!("huge={huge},k=v")));
        assert_eq!(read(&counted, &carrier), (1, 1));
    }
    let error = Counted::http()
        .extract(&[("uber-trace-id", &huge)])
        .unwrap_err();
    assert!(error.to_string().len() < 200, "{error}");
    let commas = ",".repeat(65_536);
    assert!(
        Counted::http()
            .extract(&[("uber-trace-id", &commas)])
            .is_err()
    );
}

#[test]
fn a_debug_id_may_have_4_096_bytes() {
    let fits = "d".repeat(4_096);
    for counted in [Counted::http(), Counted::text()] {
        let context = counted.extract(&[("jaeger-debug-id", &fits)]).unwrap();
        assert_eq!(context.expect("a debug id").debug_id(), Some(&*fits));
        assert_eq!(counted.skipped(), 0);
        assert_eq!(
            counted.extract(&[("jaeger-debug-id", &(fits.clone() + "d"))]),
            Ok(None)
        );
        assert_eq!(counted.skipped(), 1);
        // With malformed escapes it is not decoded, so its full length counts.
        let escapes = "%".repeat(4_097);
        assert_eq!(counted.extract(&[("jaeger-debug-id", &escapes)]), Ok(None));
        assert_eq!(counted.skipped(), 2);
    }
}

#[cfg(feature = "http")]
#[test]
fn extract_reads_the_largest_header_map() {
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn map(own_headers_first: bool) -> HeaderMap {
        let mut map = HeaderMap::new();
        let own = |map: &mut HeaderMap| {
            map.append("uber-trace-id", HeaderValue::from_static("1:2:0:1"));
            map.append("uberctx-k", HeaderValue::from_static("v"));
        };
        if own_headers_first {
            own(&mut map);
        }
        for n in 0..24_574 {
            let name = HeaderName::from_bytes(format!("h-{n}").as_bytes()).unwrap();
            map.append(name, HeaderValue::from_static("v"));
        }
        if !own_headers_first {
            own(&mut map);
        }
        assert_eq!(map.len(), 24_576);
        map
    }

    let counted = Counted::http();
    assert_eq!(read(&counted, &map(true)), (1, 0));
    // Only the first 256 headers are searched for baggage. The trace header is found anywhere.
    assert_eq!(read(&counted, &map(false)), (0, 0));

    let mut map = HeaderMap::new();
    for n in 0..24_576 {
        let name = HeaderName::from_bytes(format!("uberctx-{n}").as_bytes()).unwrap();
        map.append(name, HeaderValue::from_static("v"));
    }
    let context = counted.codec.extract(&map).unwrap().expect("baggage");
    assert_eq!(context.baggage().len(), 64);
    assert_eq!(counted.skipped(), 256 - 64);
    // Injecting into a full map does not panic.
    let mut carrier = map;
    tracehound::propagation::Injector::inject(&counted.codec, &context, &mut carrier);
}

#[test]
fn a_context_within_the_limits_is_written_within_them() {
    let counted = Counted::http();
    let carrier = headers((0..64).map(|n| (format!("k{n:02}"), " ".repeat(41))));
    let context = counted.codec.extract(&carrier).unwrap().expect("a trace");
    assert_eq!(items(&context).len(), 64);
    let written = counted.inject(&context);
    let bytes: usize = written
        .iter()
        .filter_map(|(name, value)| Some(name.strip_prefix("uberctx-")?.len() + value.len()))
        .sum();
    assert_eq!(bytes, 64 * (3 + 3 * 41));
    assert!(bytes <= Baggage::MAX_BYTES);
    let codec = JaegerCodec::http_headers();
    assert_eq!(codec.extract(&written), Ok(Some(context)));
}
