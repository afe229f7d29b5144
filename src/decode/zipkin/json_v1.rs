use serde_json::Value;

use crate::decode::json::{Json, Members, text};
use crate::decode::parts::Parts;
use crate::decode::zipkin::json::{endpoint, head, items, list, member_of_list, micros};
use crate::decode::zipkin::span::ZipkinSpan;
use crate::decode::zipkin::v1::{Annotation, BinaryAnnotation, annotate};
use crate::decode::{Reason, ReceivedBatch};
use crate::model::{TagValue, Timestamp};

/// Reads a list of spans in the JSON of Zipkin's first version, by the rules of the second one's.
///
/// # Errors
///
/// Fails if the text is no list, or if none of its spans can be read.
pub(crate) fn zipkin_v1_list(bytes: &[u8]) -> Result<Vec<ReceivedBatch>, Reason> {
    list(bytes, span)
}

fn span(json: &Members<'_>, parts: &mut Parts) -> Result<ZipkinSpan, Reason> {
    let mut span = head(json, parts)?;
    let mut annotations = Vec::new();
    for raw in items(json, "annotations")? {
        let annotation = member_of_list(raw, "an annotation", parts)?;
        annotations.push(Annotation {
            at: Timestamp::from_micros(micros(&annotation, "timestamp")?),
            value: text(&annotation, "value").unwrap_or_default(),
            host: endpoint(&annotation, "endpoint")?,
        });
    }
    let mut binary = Vec::new();
    for raw in items(json, "binaryAnnotations")? {
        let annotation = member_of_list(raw, "a binary annotation", parts)?;
        let value = match annotation.get("value") {
            Some(raw) => match Json::of(raw)? {
                Json::Plain(Value::String(text)) => TagValue::from(text),
                Json::Plain(Value::Bool(value)) => value.into(),
                Json::Plain(Value::Null) => String::new().into(),
                // A number, for example.
                _ => raw.get().to_owned().into(),
            },
            None => String::new().into(),
        };
        binary.push(BinaryAnnotation {
            key: text(&annotation, "key").unwrap_or_default(),
            value,
            host: endpoint(&annotation, "endpoint")?,
        });
    }
    let has_start = span.start != Timestamp::default();
    annotate(&mut span, annotations, binary, has_start);
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::parts::MAX_PARTS;
    use crate::model::Tag;

    fn read(members: &str) -> ReceivedBatch {
        let list = format!(r#"[{{"traceId":"a","id":"b"{members}}}]"#);
        zipkin_v1_list(list.as_bytes()).expect(members).remove(0)
    }

    #[test]
    fn annotations_tell_the_kind_the_service_and_the_times() {
        let host = r#""endpoint":{"serviceName":"shop","ipv4":"10.0.0.1","port":80}"#;
        for (first, last, kind) in [
            ("cs", "cr", "client"),
            ("sr", "ss", "server"),
            ("ms", "ms", "producer"),
            ("mr", "mr", "consumer"),
        ] {
            let batch = read(&format!(
                r#","annotations":[{{"timestamp":9,"value":"{last}",{host}}},{{"timestamp":4,"value":"{first}",{host}}},
                {{"timestamp":6,"value":"retry"}}]"#
            ));
            assert_eq!(batch.process.service_name, "shop");
            let tags = [Tag::new("ipv4", "10.0.0.1"), Tag::new("port", "80")];
            assert_eq!(batch.process.tags, tags);
            let span = &batch.spans[0];
            assert_eq!(span.tags, [Tag::new("span.kind", kind)]);
            assert_eq!(span.start.as_micros(), 4);
            assert_eq!(span.duration.as_micros(), 5);
            assert_eq!(span.logs.len(), 1);
            assert_eq!(span.logs[0].fields, [Tag::new("event", "retry")]);
        }
        let own_times = read(
            r#","timestamp":7,"duration":2,"annotations":[{"timestamp":1,"value":"sr"},{"timestamp":3,"value":"ss"}]"#,
        );
        assert_eq!(own_times.spans[0].start.as_micros(), 7);
        assert_eq!(own_times.spans[0].duration.as_micros(), 2);
    }

    #[test]
    fn binary_annotations_are_tags_and_addresses() {
        let batch = read(
            r#","binaryAnnotations":[
            {"key":"sa","value":true,"endpoint":{"serviceName":"redis","ipv6":"::1","port":6379}},
            {"key":"http.path","value":"/a","endpoint":{"serviceName":"shop"}},
            {"key":"n","value":5},{"key":"ok","value":true},{"key":"lc","value":"cache"},
            {"key":"none"},{"key":"error","value":"refused"}]"#,
        );
        assert_eq!(batch.process.service_name, "shop");
        let tags = [
            Tag::new("component", "cache"),
            Tag::new("error", "refused"),
            Tag::new("http.path", "/a"),
            Tag::new("n", "5"),
            Tag::new("none", ""),
            Tag::new("ok", true),
            Tag::new("peer.service", "redis"),
            Tag::new("net.peer.ip", "::1"),
            Tag::new("net.peer.port", 6_379),
            Tag::new("otel.status_code", "ERROR"),
            Tag::new("error", true),
        ];
        assert_eq!(batch.spans[0].tags, tags);
    }

    #[test]
    fn a_service_is_told_by_its_component_or_has_no_name() {
        let local = read(r#","binaryAnnotations":[{"key":"lc","value":"cache"}]"#);
        assert_eq!(local.process.service_name, "cache");
        for none in [
            "",
            r#","annotations":[{"value":"sr"}]"#,
            r#","binaryAnnotations":[{"key":"sa","value":true,"endpoint":{"serviceName":"redis"}}]"#,
        ] {
            assert_eq!(read(none).process.service_name, "", "{none}");
        }
    }

    #[test]
    fn a_list_has_a_bounded_number_of_parts() {
        for name in ["annotations", "binaryAnnotations"] {
            let span = |count: usize| {
                let items = "{},".repeat(count - 1);
                format!(r#"[{{"traceId":"a","id":"b","{name}":[{items}{{}}]}}]"#)
            };
            assert!(zipkin_v1_list(span(1_000).as_bytes()).is_ok());
            assert!(zipkin_v1_list(span(MAX_PARTS).as_bytes()).is_err());
            assert!(zipkin_v1_list(br#"[{"traceId":"a","id":"b","annotations":[7]}]"#).is_err());
        }
    }
}
