use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::decode::json::{Json, Members, plain, text, whole};
use crate::decode::parts::Parts;
use crate::decode::zipkin::batches;
use crate::decode::zipkin::span::{Endpoint, ZipkinSpan};
use crate::decode::{Reason, ReceivedBatch};
use crate::model::{SpanId, TagValue, Timestamp, TraceId};

/// Reads a list of spans in the JSON of Zipkin's second version. Spans of one process are a batch.
///
/// All values of tags are text. As in a Zipkin, a number may be text, a time below zero is none, and a parent is none if
/// its id is zero or that of the span. A span that cannot be read is left out.
///
/// # Errors
///
/// Fails if the text is no list, or if none of its spans can be read.
pub(crate) fn zipkin_list(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    list(bytes, span)
}

/// Reads a list of spans, each by `read`.
pub(super) fn list(
    bytes: &[u8],
    read: fn(&Members<'_>, &mut Parts) -> Result<ZipkinSpan, Reason>,
) -> Result<Vec<ReceivedBatch>, Reason> {
    let text = String::from_utf8_lossy(bytes);
    let Json::List(list) = Json::read(&text)? else {
        return Err("it is no list of spans".to_owned());
    };
    batches(list.into_iter(), |raw, parts| match Json::of(raw)? {
        Json::Object(json) => read(&json, parts),
        _ => Err("a span is no object".to_owned()),
    })
}

fn span(json: &Members<'_>, parts: &mut Parts) -> Result<ZipkinSpan, Reason> {
    let mut span = head(json, parts)?;
    span.kind = text(json, "kind").map(|kind| kind.to_ascii_lowercase());
    for (key, raw) in object(json, "tags")?.into_iter().flatten() {
        parts.take()?;
        let value = match Json::of(raw)? {
            Json::Plain(Value::Null) => continue,
            Json::Plain(Value::String(text)) => text,
            // A number, for example.
            _ => raw.get().to_owned(),
        };
        span.tags.insert(key, TagValue::from(value));
    }
    span.local = endpoint(json, "localEndpoint")?;
    span.remote = endpoint(json, "remoteEndpoint")?;
    for annotation in items(json, "annotations")? {
        let annotation = member_of_list(annotation, "an annotation", parts)?;
        let at = Timestamp::from_micros(micros(&annotation, "timestamp")?);
        let text = text(&annotation, "value").unwrap_or_default();
        span.annotations.push((at, text));
    }
    Ok(span)
}

/// Reads the members that both versions have.
pub(super) fn head(json: &Members<'_>, parts: &mut Parts) -> Result<ZipkinSpan, Reason> {
    parts.take()?;
    let trace_id: TraceId = id(json, "traceId")?.ok_or("a span has no traceId")?;
    let span_id: SpanId = id(json, "id")?.ok_or("a span has no id")?;
    let mut span = ZipkinSpan::new(trace_id, span_id);
    span.name = text(json, "name").unwrap_or_default();
    let is_none = |id: String| id.bytes().all(|digit| digit == b'0');
    if !text(json, "parentId").is_some_and(is_none) {
        span.parent_id = id(json, "parentId")?.filter(|&parent| parent != span_id);
    }
    span.start = Timestamp::from_micros(micros(json, "timestamp")?);
    span.duration = Duration::from_micros(micros(json, "duration")?.unsigned_abs());
    span.is_debug = plain(json, "debug") == Some(Value::Bool(true));
    Ok(span)
}

/// Reads a member that is an endpoint. It is empty if the member is absent.
pub(super) fn endpoint(json: &Members<'_>, key: &str) -> Result<Endpoint, Reason> {
    let Some(endpoint) = object(json, key)? else {
        return Ok(Endpoint::default());
    };
    let number = plain(&endpoint, "port").and_then(|number| whole(&number));
    Ok(Endpoint {
        service: text(&endpoint, "serviceName"),
        ipv4: text(&endpoint, "ipv4"),
        ipv6: text(&endpoint, "ipv6"),
        port: number.and_then(|(number, _)| u16::try_from(number).ok()),
    })
}

/// Returns the items of a member that is a list.
pub(super) fn items<'a>(json: &Members<'a>, key: &str) -> Result<Vec<&'a RawValue>, Reason> {
    Ok(match field(json, key)? {
        Some(Json::List(items)) => items,
        _ => Vec::new(),
    })
}

/// Reads an item that is an object, and counts it.
pub(super) fn member_of_list<'a>(
    raw: &'a RawValue,
    name: &str,
    parts: &mut Parts,
) -> Result<Members<'a>, Reason> {
    parts.take()?;
    match Json::of(raw)? {
        Json::Object(members) => Ok(members),
        _ => Err(format!("{name} is no object")),
    }
}

/// Returns a member. One that is null counts as absent.
fn field<'a>(json: &Members<'a>, key: &str) -> Result<Option<Json<'a>>, Reason> {
    let raw = json.get(key).filter(|raw| raw.get() != "null");
    raw.map(|raw| Json::of(raw)).transpose()
}

/// Returns a member that is an object.
fn object<'a>(json: &Members<'a>, key: &str) -> Result<Option<Members<'a>>, Reason> {
    Ok(match field(json, key)? {
        Some(Json::Object(members)) => Some(members),
        _ => None,
    })
}

fn id<T: std::str::FromStr>(json: &Members<'_>, key: &str) -> Result<Option<T>, Reason> {
    if field(json, key)?.is_none() {
        return Ok(None);
    }
    let id = text(json, key).and_then(|id| id.parse().ok());
    id.map(Some)
        .ok_or_else(|| format!("{key} is not an id in hex"))
}

/// Returns a number of microseconds; zero if it is absent or below zero.
pub(super) fn micros(json: &Members<'_>, key: &str) -> Result<i64, Reason> {
    let number = match field(json, key)? {
        None => return Ok(0),
        Some(Json::Plain(value)) => whole(&value),
        Some(_) => None,
    };
    let micros = number.and_then(|(micros, _)| i64::try_from(micros.max(0)).ok());
    micros.ok_or_else(|| format!("{key} is not a number of microseconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::parts::MAX_PARTS;
    use crate::model::{LogRecord, Tag, tags};
    use crate::reporter::OwnedSpan;

    fn span(members: &str) -> Result<OwnedSpan, Reason> {
        let list = format!(r#"[{{"traceId":"a","id":"b"{members}}}]"#);
        let mut batches = zipkin_list(list.as_bytes())?;
        Ok(batches.remove(0).spans.remove(0))
    }

    #[test]
    fn an_annotation_is_fields_an_event_or_an_event_with_fields() {
        let event = |name: &'static str| Tag::new(tags::EVENT, name);
        for (value, expected) in [
            ("retry", vec![event("retry")]),
            (r#"{"n":2}"#, vec![Tag::new("n", 2)]),
            (
                r#"retry|{"n":2,"why":"a|b","list":[1]}|0"#,
                vec![
                    event("retry"),
                    Tag::new("list", "[1]"),
                    Tag::new("n", 2),
                    Tag::new("why", "a|b"),
                ],
            ),
            ("a|b", vec![event("a|b")]),
            ("a|b|c", vec![event("a|b|c")]),
            (r#"a|{"n":2}|many"#, vec![event(r#"a|{"n":2}|many"#)]),
            ("a|{|0", vec![event("a|{|0")]),
        ] {
            let json = serde_json::json!([{"timestamp": 5, "value": value}]);
            let span = span(&format!(r#","annotations":{json}"#)).expect(value);
            let expected = LogRecord::new(Timestamp::from_micros(5), expected);
            assert_eq!(span.logs, [expected], "{value}");
        }
    }

    #[test]
    fn a_list_has_a_bounded_number_of_parts() {
        let annotations = |count| format!(r#","annotations":[{}{{}}]"#, "{},".repeat(count - 1));
        assert!(span(&annotations(1_000)).is_ok());
        assert!(span(&annotations(MAX_PARTS)).is_err());
    }

    #[test]
    fn times_are_read_as_a_zipkin_reads_them() {
        for (number, expected) in [
            (r#""1760533672685056""#, 1_760_533_672_685_056),
            ("1.530259357671e+15", 1_530_259_357_671_000),
            ("5.9", 5),
            ("0.5", 0),
            ("-1", 0),
            ("null", 0),
        ] {
            let json = format!(
                r#","duration":{number},"timestamp":{number},"annotations":[{{"timestamp":{number}}}]"#
            );
            let span = span(&json).expect(number);
            assert_eq!(span.start.as_micros(), expected, "{number}");
            assert_eq!(span.logs[0].timestamp.as_micros(), expected, "{number}");
            assert_eq!(span.duration.as_micros(), expected as u128, "{number}");
        }
        for number in [
            "18446744073709551615",
            "1e400",
            "1e30",
            r#""soon""#,
            r#""""#,
            "[]",
            "true",
        ] {
            for key in ["timestamp", "duration"] {
                let why = span(&format!(r#","{key}":{number}"#)).expect_err(number);
                assert!(why.contains(key) || why.contains("number"), "{why}");
            }
        }
    }

    #[test]
    fn a_parent_of_zero_is_none() {
        for parent in ["", "0", "0000000000000000", "b", "000000000000000B"] {
            let span = span(&format!(r#","parentId":"{parent}""#)).expect(parent);
            assert_eq!((span.parent_id, span.references.len()), (None, 0));
        }
        let child = span(r#","parentId":"a0""#).expect("a parent");
        assert_eq!(child.parent_id, SpanId::new(0xa0));
        for parent in [r#""x""#, "7", "{}", r#""00000000000000000a""#] {
            assert!(span(&format!(r#","parentId":{parent}"#)).is_err());
        }
    }

    #[test]
    fn values_that_are_not_text_become_text() {
        let json = r#","tags":{"code":200,"half":"\ud83d","none":null,"ok":true,"list":[1, 2]},
            "remoteEndpoint":{"port":"8080"}"#;
        let tags = span(json).expect("well-formed").tags;
        let expected = [
            Tag::new("code", "200"),
            Tag::new("half", "\u{fffd}"),
            Tag::new("list", "[1, 2]"),
            Tag::new("ok", "true"),
            Tag::new("net.peer.port", 8_080),
        ];
        assert_eq!(tags, expected);
    }

    #[test]
    fn a_span_that_cannot_be_read_is_left_out_of_the_list() {
        let (head, tail) = (
            br#"[{"traceId":"a","id":"1"},{"traceId":"a","id":"2","duration":"long"},7,{"traceId":"0","id":"3"},
            {"traceId":"a","id":"4","name":""#,
            br#""}]"#,
        );
        let list = [&head[..], b"\xff", tail].concat();
        let batches = zipkin_list(&list).expect("two can be read");
        assert_eq!((batches.len(), batches[0].left_out), (1, 3));
        assert_eq!(batches[0].spans.len(), 2);
        assert_eq!(batches[0].spans[1].operation_name, "\u{fffd}");
        let why = zipkin_list(br#"[{"traceId":"a","id":"2","duration":"long"}]"#);
        assert_eq!(
            why,
            Err("duration is not a number of microseconds".to_owned())
        );
        assert_eq!(zipkin_list(b"[]"), Ok(Vec::new()));
    }
}
