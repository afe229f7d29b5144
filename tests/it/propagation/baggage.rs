//! The headers `uberctx-*`, `jaeger-baggage` and `jaeger-debug-id`.

use tracehound::SpanContext;
use tracehound::propagation::{
    Codec, ExtractCarrier, HeaderNames, HttpHeaders, InjectCarrier, Injector, JaegerCodec,
    ReadFrom, TextMapReader, WriteTo,
};

use super::{Counted, Headers, context, items, owned};

fn with_item(key: &str, value: &str) -> SpanContext {
    SpanContext::default().with_baggage_item(key, value)
}

#[test]
fn inject_writes_values_that_every_client_reads() {
    for (value, http) in [
        ("", ""),
        ("plain-_.~09AZ", "plain-_.~09AZ"),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("98:765", "98%3A765"),
        ("a/b", "a%2Fb"),
        ("100%", "100%25"),
        ("é", "%C3%A9"),
        ("*~'()!", "%2A~%27%28%29%21"),
        ("line\r\nnext: x", "line%0D%0Anext%3A%20x"),
        ("\0\u{7f}", "%00%7F"),
    ] {
        let context = with_item("key", value);
        let written = Counted::http().inject(&context);
        assert_eq!(written, owned(&[("uberctx-key", http)]), "{value:?}");
        let read = Counted::http().codec_extract(&written);
        assert_eq!(read.baggage().get("key"), Some(value));

        let written = Counted::text().inject(&context);
        assert_eq!(written, owned(&[("uberctx-key", value)]), "{value:?}");
    }
}

#[test]
fn extract_reads_values_that_every_client_writes() {
    for (value, http) in [
        ("", ""),
        ("a%20b", "a b"),
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%2bb", "a+b"),
        ("a%2520b", "a%20b"),
        ("caf%C3%A9", "café"),
        ("café", "café"),
        ("%F0%9F%9A%80", "🚀"),
        ("a%0Ab%00c", "a\nb\0c"),
        ("100%", "100%"),
        ("%", "%"),
        ("%zz", "%zz"),
        ("a%20b%zz", "a%20b%zz"),
        ("a+b%2", "a+b%2"),
        ("a%FFb", "a\u{fffd}b"),
        ("  v  ", "  v  "),
    ] {
        let headers = [("uber-trace-id", "1:2:0:1"), ("uberctx-key", value)];
        let read = Counted::http().extract(&headers).unwrap().expect("a trace");
        assert!(read.has_trace());
        assert_eq!(items(&read), [("key", http)], "{value:?}");

        let read = Counted::text().extract(&headers).unwrap().expect("a trace");
        assert_eq!(items(&read), [("key", value)], "{value:?}");
    }
}

#[test]
fn extract_lower_cases_keys_and_inject_does_not() {
    let read = Counted::http().extract(&[("UBERCTX-My-Key", "v"), ("jaeger-baggage", "My.Key=w")]);
    assert_eq!(
        items(&read.unwrap().expect("baggage")),
        [("my-key", "v"), ("my.key", "w")]
    );
    let read = Counted::text().extract(&[("uberctx-ÉTÉ", "v")]);
    assert_eq!(items(&read.unwrap().expect("baggage")), [("été", "v")]);
    let written = Counted::http().inject(&with_item("My-Key", "v"));
    assert_eq!(written, owned(&[("uberctx-My-Key", "v")]));
}

#[test]
fn extract_keeps_empty_keys_and_values() {
    let read = Counted::http().extract(&[("uberctx-", "v"), ("uberctx-k", "")]);
    assert_eq!(
        items(&read.unwrap().expect("baggage")),
        [("", "v"), ("k", "")]
    );
}

#[test]
fn inject_leaves_out_and_counts_an_illegal_key() {
    let counted = Counted::http();
    for (n, key) in ["", "a b", "a:b", "a=b", "a,b", "é", "a\r\nb", "a\0", "(a)"]
        .into_iter()
        .enumerate()
    {
        let context = context()
            .with_baggage_item(key, "v")
            .with_baggage_item("good", "w");
        let written = counted.inject(&context);
        let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["uber-trace-id", "uberctx-good"], "{key:?}");
        assert_eq!(counted.skipped(), n as u64 + 1, "{key:?}");

        let text = Counted::text();
        assert_eq!(text.inject(&context).len(), 3, "{key:?}");
        assert_eq!(text.skipped(), 0);
    }
}

#[test]
fn inject_counts_an_item_that_the_carrier_refuses() {
    struct Full;
    impl tracehound::propagation::TextMapWriter for Full {
        fn set(&mut self, _: &str, _: &str) -> bool {
            false
        }
    }
    for counted in [Counted::http(), Counted::text()] {
        counted.codec.inject(
            &context()
                .with_baggage_item("a", "1")
                .with_baggage_item("b", "2"),
            &mut Full,
        );
        assert_eq!(counted.skipped(), 2);
    }
}

#[test]
fn extract_reads_a_list_of_pairs() {
    for (list, http, text) in [
        (
            "k1=v1,k2=v2",
            &[("k1", "v1"), ("k2", "v2")][..],
            &[("k1", "v1"), ("k2", "v2")][..],
        ),
        (
            " k1 = v1 ,\tk2=v2 ",
            &[("k1", "v1"), ("k2", "v2")],
            &[("k1", "v1"), ("k2", "v2")],
        ),
        ("K=V", &[("k", "V")], &[("k", "V")]),
        ("k=", &[("k", "")], &[("k", "")]),
        ("k=v=w", &[("k", "v=w")], &[("k", "v=w")]),
        ("k=a%2Cb%3Dc", &[("k", "a,b=c")], &[("k", "a%2Cb%3Dc")]),
        ("k=two words", &[("k", "two words")], &[("k", "two words")]),
        ("k=a+b", &[("k", "a b")], &[("k", "a+b")]),
        (
            "k=100%,l=%20",
            &[("k", "100%"), ("l", " ")],
            &[("k", "100%"), ("l", "%20")],
        ),
        ("a%20b=1", &[("a b", "1")], &[("a%20b", "1")]),
        ("k=1,k=2", &[("k", "2")], &[("k", "2")]),
        ("k=café", &[("k", "café")], &[("k", "café")]),
        ("k,=v, =v,,k2=v2", &[("k2", "v2")], &[("k2", "v2")]),
    ] {
        let headers = [("Jaeger-Baggage", list)];
        for (counted, expected) in [(Counted::http(), http), (Counted::text(), text)] {
            let read = counted.extract(&headers).unwrap().expect("baggage");
            assert!(!read.has_trace());
            assert_eq!(items(&read), expected, "{list:?}");
            assert_eq!(counted.skipped(), 0, "{list:?}");
        }
    }
    for nothing in ["", ",,,", "k1", "=v", " = "] {
        assert_eq!(
            Counted::http().extract(&[("jaeger-baggage", nothing)]),
            Ok(None),
            "{nothing:?}"
        );
    }
}

#[test]
fn a_single_item_header_wins_over_the_list() {
    for headers in [
        [("uberctx-A", "1"), ("jaeger-baggage", "a=2,b=3")],
        [("jaeger-baggage", "a=2,b=3"), ("uberctx-A", "1")],
    ] {
        let read = Counted::http().extract(&headers).unwrap().expect("baggage");
        assert_eq!(items(&read), [("a", "1"), ("b", "3")]);
    }
    let several = [("jaeger-baggage", "a=1,b=1"), ("jaeger-baggage", "b=2")];
    let read = Counted::http().extract(&several).unwrap().expect("baggage");
    assert_eq!(items(&read), [("a", "1"), ("b", "2")]);
}

#[test]
fn a_debug_id_counts_only_without_a_trace() {
    for (value, http, text) in [
        ("corr-1234", "corr-1234", "corr-1234"),
        ("Case%20Kept", "Case Kept", "Case%20Kept"),
        ("100%", "100%", "100%"),
        ("café", "café", "café"),
    ] {
        let headers = [("Jaeger-Debug-Id", value), ("uberctx-k", "v")];
        for (counted, expected) in [(Counted::http(), http), (Counted::text(), text)] {
            let read = counted.extract(&headers).unwrap().expect("a debug id");
            assert_eq!(read.debug_id(), Some(expected));
            assert_eq!(read.baggage().get("k"), Some("v"));
            assert!(!read.has_trace() && !read.is_debug());

            let with_trace = [headers[0], headers[1], ("uber-trace-id", "1:2:0:0")];
            let read = counted.extract(&with_trace).unwrap().expect("a trace");
            assert_eq!((read.debug_id(), read.is_sampled()), (None, false));
        }
    }
    assert_eq!(
        Counted::http().extract(&[("jaeger-debug-id", "")]),
        Ok(None)
    );
    let several = [
        ("jaeger-debug-id", "a"),
        ("jaeger-debug-id", "b"),
        ("jaeger-debug-id", ""),
    ];
    let read = Counted::http()
        .extract(&several)
        .unwrap()
        .expect("a debug id");
    assert_eq!(read.debug_id(), Some("b"));
}

#[test]
fn a_trace_header_that_the_prefix_fits_is_no_baggage() {
    let names = HeaderNames::default().baggage_prefix("uber-").unwrap();
    let counted = Counted::new(JaegerCodec::http_headers().header_names(names));
    let read = counted
        .extract(&[("Uber-Trace-Id", "1:2:0:1"), ("uber-k", "v")])
        .unwrap();
    assert_eq!(items(&read.expect("a trace")), [("k", "v")]);

    let context = context().with_baggage_item("Trace-Id", "9:9:0:1");
    let written = counted.inject(&context);
    assert_eq!(
        written,
        owned(&[("uber-trace-id", "0000000000000001:0000000000000002:0:1")])
    );
    assert_eq!(counted.skipped(), 1);
}

#[test]
fn http_headers_makes_a_text_map_one_of_http_headers() {
    let context = with_item("k", "a b");
    let written = |carrier: &mut dyn InjectCarrier| match carrier.write() {
        WriteTo::TextMap(writer) => JaegerCodec::text_map().inject(&context, writer),
        WriteTo::HttpHeaders(writer) => JaegerCodec::http_headers().inject(&context, writer),
        _ => panic!("another format"),
    };
    let mut headers = Headers::new();
    written(&mut headers);
    assert_eq!(headers, owned(&[("uberctx-k", "a b")]));
    written(&mut HttpHeaders(&mut headers));
    assert_eq!(headers, owned(&[("uberctx-k", "a%20b")]));

    let values = |carrier: &dyn ExtractCarrier| {
        let mut values = Vec::new();
        let mut read = |reader: &dyn TextMapReader| {
            let found = reader.find(JaegerCodec::text_map().headers());
            values.extend(found.iter().map(|(_, value)| value.to_vec()));
        };
        match carrier.read() {
            ReadFrom::HttpHeaders(reader) => read(reader),
            _ => panic!("another format"),
        }
        values
    };
    assert_eq!(values(&HttpHeaders(&headers)), [b"a%20b"]);
}

#[test]
fn bytes_are_a_binary_carrier() {
    let mut bytes = vec![1, 2];
    assert!(matches!(InjectCarrier::write(&mut bytes), WriteTo::Binary(bytes) if *bytes == [1, 2]));
    let carriers: [&dyn ExtractCarrier; 2] = [&bytes, &&bytes[..]];
    for carrier in carriers {
        assert!(matches!(carrier.read(), ReadFrom::Binary([1, 2])));
    }
}

#[cfg(feature = "http")]
#[test]
fn extract_reads_values_that_are_not_utf_8() {
    use http::{HeaderMap, HeaderValue};
    use tracehound::propagation::Extractor;

    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("uberctx-a", &b"caf\xc3\xa9"[..]),
        ("uberctx-b", b"caf\xe9"),
        ("uberctx-c", b"caf\xe9%20+"),
        ("jaeger-baggage", b"d\xff=\xff,e=1"),
        ("jaeger-debug-id", b"\xff"),
    ] {
        headers.insert(name, HeaderValue::from_bytes(value).unwrap());
    }
    let read = JaegerCodec::http_headers()
        .extract(&headers)
        .unwrap()
        .expect("baggage");
    assert_eq!(read.debug_id(), Some("\u{fffd}"));
    assert_eq!(
        items(&read),
        [
            ("a", "café"),
            ("b", "caf\u{fffd}"),
            ("c", "caf\u{fffd}  "),
            ("d\u{fffd}", "\u{fffd}"),
            ("e", "1"),
        ]
    );

    headers.insert(
        "uber-trace-id",
        HeaderValue::from_bytes(b"1:2:0:\xff").unwrap(),
    );
    assert!(JaegerCodec::http_headers().extract(&headers).is_err());
}

#[cfg(feature = "tonic")]
#[test]
fn the_codec_leaves_binary_grpc_keys_alone() {
    use tonic::metadata::{MetadataMap, MetadataValue};
    use tracehound::propagation::Extractor;

    let counted = Counted::http();
    let mut metadata = MetadataMap::new();
    let context = context()
        .with_baggage_item("raw-bin", "v")
        .with_baggage_item("k", "a b");
    counted.codec.inject(&context, &mut metadata);
    assert_eq!(counted.skipped(), 1);
    assert_eq!(metadata.get("uberctx-k").unwrap(), "a%20b");

    metadata.insert_bin("uberctx-other-bin", MetadataValue::from_bytes(b"\0"));
    let read = counted.codec.extract(&metadata).unwrap().expect("a trace");
    assert_eq!(items(&read), [("k", "a b")]);
    assert_eq!(counted.skipped(), 1);

    counted.codec.inject(&read, &mut metadata);
    let raw = metadata
        .get_bin("uberctx-other-bin")
        .map(|value| value.to_bytes());
    assert_eq!(raw.expect("it is kept").expect("base64"), b"\0"[..]);
}

impl Counted {
    fn codec_extract(&self, headers: &Headers) -> SpanContext {
        use tracehound::propagation::Extractor;
        self.codec.extract(headers).unwrap().expect("a context")
    }
}
