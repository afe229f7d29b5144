use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::json::Json;
use crate::decode::{Reason, ReceivedBatch, otlp_request};

/// Reads an `ExportTraceServiceRequest` in JSON, by way of its protobuf.
///
/// Ids are in hex, as OTLP has them; other bytes are base64. Numbers of 64 bits may be text. Unknown members, and
/// members that are null, count as absent.
pub(crate) fn otlp_json_request(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    let mut message = Vec::new();
    write_message(&mut message, Json::read(bytes)?, &REQUEST, MAX_DEPTH)?;
    otlp_request(&message)
}

/// A field of a message: its name in JSON, its number, and its type.
type Field = (&'static str, u32, Type);

#[derive(Clone, Copy)]
enum Type {
    Text,
    /// Bytes in hex digits.
    Id,
    /// Bytes in base64.
    Bytes,
    Bool,
    Int,
    /// A number, or its name without this prefix.
    Enum(&'static str, &'static [&'static str]),
    Fixed64,
    Fixed32,
    Double,
    Message(&'static [Field]),
    List(&'static [Field]),
}

/// Writes the members of an object. A value is at most `depth` levels deep.
fn write_message(
    out: &mut Vec<u8>,
    json: Json<'_>,
    fields: &[Field],
    depth: u8,
) -> Result<(), Reason> {
    let depth = depth.checked_sub(1).ok_or("it is nested too deep")?;
    let Json::Object(members) = json else {
        return Err(wrong("an object", &json));
    };
    for (name, raw) in members {
        let known = fields.iter().find(|(known, ..)| is_named(&name, known));
        if let Some(&(_, number, kind)) = known.filter(|_| raw.get() != "null") {
            let within = |why| format!("{name}: {why}");
            write_field(out, number, kind, raw, depth).map_err(within)?;
        }
    }
    Ok(())
}

/// Returns whether a member has this name, in camelCase or in snake_case.
fn is_named(name: &str, known: &str) -> bool {
    let mut letters = name.chars().filter(|&letter| letter != '_');
    let is_alike = known.chars().all(|letter| {
        letters
            .next()
            .is_some_and(|it| it.eq_ignore_ascii_case(&letter))
    });
    is_alike && letters.next().is_none()
}

fn write_field(
    out: &mut Vec<u8>,
    number: u32,
    kind: Type,
    raw: &RawValue,
    depth: u8,
) -> Result<(), Reason> {
    let json = Json::of(raw)?;
    match kind {
        Type::Text => {
            let text = text(&json).ok_or_else(|| wrong("text", &json))?;
            write_bytes(out, number, text.as_bytes());
        }
        Type::Id => {
            let id = text(&json).and_then(unhex);
            write_bytes(out, number, &id.ok_or_else(|| wrong("hex digits", &json))?);
        }
        Type::Bytes => {
            let bytes = text(&json).and_then(|text| BASE64.decode(text).ok());
            write_bytes(out, number, &bytes.ok_or_else(|| wrong("base64", &json))?);
        }
        Type::Bool => {
            let Json::Plain(Value::Bool(value)) = json else {
                return Err(wrong("true or false", &json));
            };
            write_varint(out, u64::from(number) << 3);
            write_varint(out, value.into());
        }
        Type::Int | Type::Enum(..) => {
            let value = match kind {
                Type::Enum(prefix, names) => named(&json, prefix, names).or_else(|| integer(&json)),
                _ => integer(&json),
            };
            let value = value.ok_or_else(|| wrong("a whole number", &json))?;
            write_varint(out, u64::from(number) << 3);
            // Negative numbers are as large as those of 64 bits can be.
            write_varint(out, value as u64);
        }
        Type::Fixed64 => {
            let value = integer(&json).and_then(|value| u64::try_from(value).ok());
            write_varint(out, u64::from(number) << 3 | 1);
            let value = value.ok_or_else(|| wrong("a time in nanoseconds", &json))?;
            out.extend_from_slice(&value.to_le_bytes());
        }
        Type::Fixed32 => {
            let value = integer(&json).and_then(|value| u32::try_from(value).ok());
            write_varint(out, u64::from(number) << 3 | 5);
            let value = value.ok_or_else(|| wrong("a number of 32 bits", &json))?;
            out.extend_from_slice(&value.to_le_bytes());
        }
        Type::Double => {
            let value = double(&json).ok_or_else(|| wrong("a number", &json))?;
            write_varint(out, u64::from(number) << 3 | 1);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Type::Message(fields) => {
            let mut message = Vec::new();
            write_message(&mut message, json, fields, depth)?;
            write_bytes(out, number, &message);
        }
        Type::List(fields) => {
            let Json::List(items) = json else {
                return Err(wrong("a list", &json));
            };
            for raw in items {
                let mut message = Vec::new();
                write_message(&mut message, Json::of(raw)?, fields, depth)?;
                write_bytes(out, number, &message);
            }
        }
    }
    Ok(())
}

fn write_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    write_varint(out, u64::from(number) << 3 | 2);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads a whole number, which may be text.
fn integer(json: &Json<'_>) -> Option<i128> {
    let number = match json {
        Json::Plain(Value::Number(number)) => return number.as_i128(),
        json => text(json)?.parse::<i128>().ok()?,
    };
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    range.contains(&number).then_some(number)
}

fn double(json: &Json<'_>) -> Option<f64> {
    match json {
        Json::Plain(Value::Number(number)) => number.as_f64(),
        json => match text(json)? {
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
    }
}

fn text<'j>(json: &'j Json<'_>) -> Option<&'j str> {
    match json {
        Json::Plain(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Reads the name of a value of an enumeration.
fn named(json: &Json<'_>, prefix: &str, names: &[&str]) -> Option<i128> {
    let name = text(json)?.strip_prefix(prefix)?;
    let place = names.iter().position(|known| *known == name)?;
    i128::try_from(place).ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |letter: u8| char::from(letter).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match *pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}

fn wrong(wanted: &str, json: &Json<'_>) -> Reason {
    format!("expected {wanted}, found {}", json.kind())
}

/// The levels of the deepest message: those of a request down to a value, and those that a value may have.
const MAX_DEPTH: u8 = 48;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

static REQUEST: [Field; 1] = [("resourceSpans", 1, Type::List(&RESOURCE_SPANS))];
static RESOURCE_SPANS: [Field; 2] = [
    ("resource", 1, Type::Message(&RESOURCE)),
    ("scopeSpans", 2, Type::List(&SCOPE_SPANS)),
];
static RESOURCE: [Field; 1] = [("attributes", 1, Type::List(&KEY_VALUE))];
static SCOPE_SPANS: [Field; 2] = [
    ("scope", 1, Type::Message(&SCOPE)),
    ("spans", 2, Type::List(&SPAN)),
];
static SCOPE: [Field; 2] = [("name", 1, Type::Text), ("version", 2, Type::Text)];
static SPAN: [Field; 13] = [
    ("traceId", 1, Type::Id),
    ("spanId", 2, Type::Id),
    ("traceState", 3, Type::Text),
    ("parentSpanId", 4, Type::Id),
    ("name", 5, Type::Text),
    ("kind", 6, Type::Enum("SPAN_KIND_", &KINDS)),
    ("startTimeUnixNano", 7, Type::Fixed64),
    ("endTimeUnixNano", 8, Type::Fixed64),
    ("attributes", 9, Type::List(&KEY_VALUE)),
    ("events", 11, Type::List(&EVENT)),
    ("links", 13, Type::List(&LINK)),
    ("status", 15, Type::Message(&STATUS)),
    ("flags", 16, Type::Fixed32),
];
static EVENT: [Field; 3] = [
    ("timeUnixNano", 1, Type::Fixed64),
    ("name", 2, Type::Text),
    ("attributes", 3, Type::List(&KEY_VALUE)),
];
static LINK: [Field; 3] = [
    ("traceId", 1, Type::Id),
    ("spanId", 2, Type::Id),
    ("attributes", 4, Type::List(&KEY_VALUE)),
];
static STATUS: [Field; 2] = [
    ("message", 2, Type::Text),
    ("code", 3, Type::Enum("STATUS_CODE_", &CODES)),
];
static KEY_VALUE: [Field; 2] = [
    ("key", 1, Type::Text),
    ("value", 2, Type::Message(&ANY_VALUE)),
];
static ANY_VALUE: [Field; 7] = [
    ("stringValue", 1, Type::Text),
    ("boolValue", 2, Type::Bool),
    ("intValue", 3, Type::Int),
    ("doubleValue", 4, Type::Double),
    ("arrayValue", 5, Type::Message(&ARRAY)),
    ("kvlistValue", 6, Type::Message(&KEY_VALUE_LIST)),
    ("bytesValue", 7, Type::Bytes),
];
static ARRAY: [Field; 1] = [("values", 1, Type::List(&ANY_VALUE))];
static KEY_VALUE_LIST: [Field; 1] = [("values", 1, Type::List(&KEY_VALUE))];
const KINDS: [&str; 6] = [
    "UNSPECIFIED",
    "INTERNAL",
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
];
const CODES: [&str; 3] = ["UNSET", "OK", "ERROR"];

#[cfg(test)]
mod tests {
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
            (r#","attributes":{}"#, "attributes: expected a list"),
            (r#","attributes":[1]"#, "attributes: expected an object"),
            (r#","kind":"SERVER""#, "kind: expected a whole number"),
            (
                r#","startTimeUnixNano":-1"#,
                "startTimeUnixNano: expected a time",
            ),
            (
                r#","startTimeUnixNano":1.5"#,
                "startTimeUnixNano: expected a time",
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
}
