use super::*;
use crate::model::{Tag, TagValue, tags};
use crate::reporter::OwnedSpan;

/// Reads a request with one span that has these further members.
fn span(members: &str) -> Result<OwnedSpan, Reason> {
    let ids = r#""traceId":"0000000000000000000000000000000a","spanId":"000000000000000B""#;
    let json =
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{ids}{members}}}]}}]}}]}}"#);
    let mut batches = otlp_json_request(json.as_bytes())?;
    Ok(batches.remove(0).spans.remove(0))
}

#[test]
fn every_value_keeps_its_type() {
    let json = r#","attributes":[
        {"key":"text","value":{"stringValue":"é"}},
        {"key":"bool","value":{"boolValue":false}},
        {"key":"int","value":{"intValue":"-9223372036854775808"}},
        {"key":"small","value":{"intValue":-1}},
        {"key":"double","value":{"doubleValue":0.5}},
        {"key":"nan","value":{"doubleValue":"NaN"}},
        {"key":"bytes","value":{"bytesValue":"AH8"}},
        {"key":"list","value":{"arrayValue":{"values":[{"intValue":1},{"stringValue":"a"}]}}},
        {"key":"map","value":{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}},
        {"key":"none","value":{}}, {"key":"null","value":null}]"#;
    let span = span(json).expect("well-formed");
    let value = |key: &str| {
        let tag = span.tags.iter().find(|tag| tag.key == key);
        tag.map(|tag| tag.value.clone()).expect("a tag")
    };
    assert_eq!(value("text"), "é".into());
    assert_eq!(value("bool"), false.into());
    assert_eq!(value("int"), i64::MIN.into());
    assert_eq!(value("small"), (-1).into());
    assert_eq!(value("double"), 0.5.into());
    assert!(matches!(value("nan"), TagValue::Double(nan) if nan.is_nan()));
    assert_eq!(value("bytes"), TagValue::Binary(vec![0, 0x7f]));
    assert_eq!(value("list"), r#"[1,"a"]"#.into());
    assert_eq!(value("map"), r#"{"a":true}"#.into());
    assert_eq!(value("none"), "".into());
    assert_eq!(value("null"), "".into());
}

#[test]
fn names_may_have_underscores_and_enumerations_names() {
    for json in [
        r#","kind":2,"status":{"code":2,"message":"m"},"start_time_unix_nano":"5000","end_time_unix_nano":7000"#,
        r#","kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR","message":"m"},
           "startTimeUnixNano":5000,"endTimeUnixNano":"7000","unknown":[{}],"traceState":null"#,
    ] {
        let span = span(json).expect(json);
        assert_eq!((span.start.as_micros(), span.duration.as_micros()), (5, 2));
        let expected = [
            Tag::new(tags::SPAN_KIND, "server"),
            Tag::new("otel.status_code", "ERROR"),
            Tag::new(tags::ERROR, true),
            Tag::new("otel.status_description", "m"),
        ];
        assert_eq!(span.tags, expected);
    }
}

#[test]
fn a_long_scope_is_cut_in_each_span() {
    for (sent, shown) in [
        ("é".repeat(128), "é".repeat(128)),
        (
            format!("a{}", "é".repeat(1_000)),
            format!("a{}", "é".repeat(127)),
        ),
    ] {
        let json = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"{sent}"}},"spans":[
            {{"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b"}}]}}]}}]}}"#
        );
        let batches = otlp_json_request(json.as_bytes()).expect("well-formed");
        assert_eq!(
            batches[0].spans[0].tags,
            [Tag::new("otel.scope.name", shown)]
        );
    }
}

#[test]
fn what_is_none_of_otlp_is_an_error_that_names_the_place() {
    for (json, why) in [
        (r#","name":1"#, "name: expected text, found a number"),
        (r#","traceId":"0g""#, "traceId: expected hex digits"),
        (r#","traceId":"0a0""#, "traceId: expected hex digits"),
        (
            r#","attributes":{}"#,
            "attributes: invalid type: map, expected a list",
        ),
        (
            r#","attributes":[1]"#,
            "attributes: invalid type: integer `1`, expected an object",
        ),
        (r#","kind":"SERVER""#, "kind: expected a whole number"),
        (
            r#","startTimeUnixNano":-1"#,
            "startTimeUnixNano: expected a time",
        ),
        (
            r#","startTimeUnixNano":"soon""#,
            "startTimeUnixNano: expected a time",
        ),
        (
            r#","attributes":[{"key":"a","value":{"intValue":1.5}}]"#,
            "intValue: expected a whole number",
        ),
        (
            r#","flags":4294967296"#,
            "flags: expected a number of 32 bits",
        ),
    ] {
        let error = span(json).expect_err(json);
        assert!(error.contains(why), "{json}: {error}");
    }
    for json in ["", "[]", "{", "1", r#"{"resourceSpans":[[]]}"#] {
        assert!(otlp_json_request(json.as_bytes()).is_err(), "{json}");
    }
    assert!(otlp_json_request(b"{}").is_ok_and(|batches| batches.is_empty()));
}

#[test]
fn a_value_is_nested_so_deep_at_most() {
    let nested = |depth: usize| {
        let (open, close) = (r#"{"arrayValue":{"values":["#, "]}}");
        let value = format!("{}{}", open.repeat(depth), close.repeat(depth));
        span(&format!(r#","attributes":[{{"key":"a","value":{value}}}]"#))
    };
    assert!(nested(14).is_ok());
    for depth in [17, 1_000, 10_000] {
        let why = nested(depth).expect_err("too deep");
        assert!(why.contains("nested"), "{why}");
    }
}

#[test]
fn a_large_member_that_is_not_known_is_passed_over() {
    let unknown = format!(r#","x":[{}1]"#, r#"{"":1},"#.repeat(100_000));
    assert!(span(&unknown).is_ok());
}

/// Requests that programs have sent to collectors which refused them.
#[test]
fn other_spellings_are_read() {
    let json = r#"{"resource_spans":[{"resource":null,"instrumentationLibrarySpans":[{
        "instrumentationLibrary":{"name":"bk"},
        "spans":[{"traceId":"cgXI6uihz643E6Zqq7Nl4w==","spanId":"+iPdFTeJDX8=","parentSpanId":"-iPdFTeJDX8",
            "kind":"SPAN_KIND_INTERNAL","startTimeUnixNano":1.6218392697742354e18,"endTimeUnixNano":"1621839269774235401.5",
            "attributes":[
                {"key":"half","value":{"stringValue":"a\ud83d"}},
                {"key":"exponent","value":{"intValue":"1e3"}},
                {"key":"url","value":{"bytesValue":"_-8="}},
                {"key":"list","value":{"arrayValue":{"values":[null,{"intValue":1}]}}},
                null]}, null]}]}]}"#;
    let batches = otlp_json_request(json.as_bytes()).expect("well-formed");
    assert_eq!((batches[0].spans.len(), batches[0].left_out), (1, 1));
    let span = &batches[0].spans[0];
    assert_eq!(
        span.trace_id.to_string(),
        "7205c8eae8a1cfae3713a66aabb365e3"
    );
    assert_eq!(span.span_id.to_string(), "fa23dd1537890d7f");
    assert_eq!(span.parent_id, Some(span.span_id));
    assert_eq!(span.start.as_micros(), 1_621_839_269_774_235);
    assert_eq!(span.duration.as_micros(), 0);
    let expected = [
        Tag::new("otel.scope.name", "bk"),
        Tag::new("half", "a\u{fffd}"),
        Tag::new("exponent", 1_000),
        Tag::new("url", TagValue::Binary(vec![0xff, 0xef])),
        Tag::new("list", r#"["",1]"#),
        Tag::new("", ""),
        Tag::new(tags::SPAN_KIND, "internal"),
    ];
    assert_eq!(span.tags, expected);
}

#[test]
fn letters_of_base64_that_are_hex_digits_are_no_hex() {
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"AAAAAAAAAAAABBBBCCCCDA","spanId":"AAAAAAAABBA"},
        {"traceId":"AAAAAAAAAAAAAAAAAAAAAA","spanId":"AAAAAAAAAAA="}]}]}]}"#;
    let batches = otlp_json_request(json.as_bytes()).expect("well-formed");
    assert_eq!((batches[0].spans.len(), batches[0].left_out), (1, 1));
    let span = &batches[0].spans[0];
    let trace_id = span.trace_id.to_string();
    assert_eq!(trace_id.trim_start_matches('0'), "410410820820c");
}

#[test]
fn a_number_beyond_64_bits_with_a_sign_is_text() {
    for (json, expected) in [
        ("9223372036854775807", TagValue::Long(i64::MAX)),
        (r#""9223372036854775808""#, "9223372036854775808".into()),
        ("18446744073709551615", "18446744073709551615".into()),
        ("1e20", "100000000000000000000".into()),
        (r#""-9223372036854775809""#, "-9223372036854775809".into()),
    ] {
        let json = format!(r#","attributes":[{{"key":"n","value":{{"intValue":{json}}}}}]"#);
        assert_eq!(
            span(&json).expect("well-formed").tags,
            [Tag::new("n", expected)]
        );
    }
    assert!(span(r#","attributes":[{"key":"n","value":{"intValue":1e300}}]"#).is_err());
    assert!(span(r#","kind":9223372036854775808"#).is_err());
}

#[test]
fn an_empty_id_leaves_one_span_out() {
    let json = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"","spanId":""},
        {"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b"}]}]}]}"#;
    let batches = otlp_json_request(json.as_bytes()).expect("well-formed");
    assert_eq!((batches[0].spans.len(), batches[0].left_out), (1, 1));
}

#[test]
fn the_bytes_of_a_name_that_are_not_utf_8_are_replaced() {
    let (head, tail) = (
        br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"0000000000000000000000000000000a","spanId":"000000000000000b","name":"a"#,
        br#""}]}]}]}"#,
    );
    let json = [&head[..], b"\xff", tail].concat();
    let batches = otlp_json_request(&json).expect("well-formed");
    assert_eq!(batches[0].spans[0].operation_name, "a\u{fffd}");
}
