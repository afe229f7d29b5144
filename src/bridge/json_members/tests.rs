use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::bridge::LogKeys;
use crate::model::{Flags, SpanId, TraceId};
use crate::span::SpanContext;

fn ids() -> LogIds {
    named(LogKeys::new())
}

fn named(keys: LogKeys) -> LogIds {
    let trace_id = TraceId::new(0, 1).expect("not zero");
    let span_id = SpanId::new(2).expect("not zero");
    let context = SpanContext::new(trace_id, span_id, None, Flags::SAMPLED);
    keys.name(context.trace_ids()).expect("a trace")
}

/// Writes `text` in pieces of `size` bytes, or of one character if that is longer.
fn written(text: &str, size: usize, ids: &LogIds) -> String {
    let mut line = String::new();
    let mut members = JsonMembers::new(&mut line, ids);
    let mut rest = text;
    while !rest.is_empty() {
        let end = (size..).find(|end| rest.is_char_boundary((*end).min(rest.len())));
        let (piece, more) = rest.split_at(end.expect("the end is one").min(rest.len()));
        members.write_str(piece).expect("a string takes all");
        rest = more;
    }
    line
}

const MEMBERS: &str =
    r#""trace_id":"0000000000000001","span_id":"0000000000000002","sampled":true"#;

#[test]
fn members_come_at_the_end_of_the_outermost_object() {
    let rows = [
        ("{}\n", "{MEMBERS}\n"),
        (" { } {}", " { MEMBERS} {}"),
        (r#"{"a":1}"#, r#"{"a":1,MEMBERS}"#),
        (r#"{"a":{},"b":[]}"#, r#"{"a":{},"b":[],MEMBERS}"#),
        (r#"{"a":{"b":[{}]}}"#, r#"{"a":{"b":[{}]},MEMBERS}"#),
        (r#"{"}":"{","\"}":"\\"}"#, r#"{"}":"{","\"}":"\\",MEMBERS}"#),
        (r#"{"ü":"☂}"}"#, r#"{"ü":"☂}",MEMBERS}"#),
        ("{\n  \"a\": 1\n}\n", "{\n  \"a\": 1\n,MEMBERS}\n"),
        // Deeper members of the same name, and values, are no obstacle.
        (
            r#"{"f":{"trace_id":1},"m":"trace_id","l":["span_id"]}"#,
            r#"{"f":{"trace_id":1},"m":"trace_id","l":["span_id"],MEMBERS}"#,
        ),
        (
            r#"{"trace_i":1,"trace_idx":2}"#,
            r#"{"trace_i":1,"trace_idx":2,MEMBERS}"#,
        ),
    ];
    for (text, expected) in rows {
        let expected = expected.replace("MEMBERS", MEMBERS);
        for size in 1..=text.len() {
            assert_eq!(written(text, size, &ids()), expected, "in pieces of {size}");
        }
    }
}

#[test]
fn a_member_that_is_there_stays_as_it_is() {
    let text = r#"{"a":1, "span_id" : "mine","b":{"trace_id":2},"sampled":"no"}"#;
    for size in 1..=text.len() {
        let line = written(text, size, &ids());
        assert_eq!(
            line,
            text.replace("no\"}", "no\",\"trace_id\":\"0000000000000001\"}")
        );
    }
    let text = r#"{"trace_id":1,"span_id":2,"sampled":3}"#;
    assert_eq!(written(text, 5, &ids()), text);
}

#[test]
fn a_name_is_found_however_it_is_escaped() {
    let keys = LogKeys::new()
        .trace_id("a/\"\\\u{8}\u{c}\n\r\t\u{1}☂")
        .span_id("span_id")
        .sampled(None);
    let ids = named(keys);
    for text in [
        r#"{"a/\"\\\b\f\n\r\t\u0001☂":1,"span_id":2}"#,
        r#"{"\u0061\/\u0022\u005C\u0008\u000c\u000a\u000d\u0009\u0001\u2602":1,"\u0073pan_id":2}"#,
    ] {
        for size in 1..=text.len() {
            assert_eq!(written(text, size, &ids), text, "in pieces of {size}");
        }
    }
    for other in [
        r"span\u005fi",
        r"span\u005fidx",
        r"span\\id",
        r"span_id\ud83d\ude00",
        r"\ud83dspan_id",
    ] {
        let text = format!(r#"{{"{other}":2}}"#);
        let line = written(&text, 3, &ids);
        assert_eq!(line.matches("0000000000000002").count(), 1, "{line}");
    }
}

#[test]
fn other_text_has_the_ids_before_it() {
    let prefix = "trace_id=0000000000000001 span_id=0000000000000002 sampled=true";
    for text in ["INFO {paid}\n", "[1]", "ü"] {
        assert_eq!(written(text, 2, &ids()), format!("{prefix} {text}"));
    }
    assert_eq!(written("\n", 1, &ids()), "\n");
}

#[test]
fn names_are_escaped() {
    let keys = LogKeys::new()
        .trace_id("a\"\\\n☂")
        .span_id("dd.span_id")
        .sampled(None);
    let ids = named(keys);
    let line: Value = serde_json::from_str(&written("{}", 1, &ids)).expect("an object");
    assert_eq!(line["a\"\\\n☂"], "0000000000000001");
    assert_eq!(line["dd.span_id"], "0000000000000002");
    assert_eq!(line.as_object().map(|object| object.len()), Some(2));
}

/// Returns JSON of any kind, with the names of ids among those of members.
fn values() -> impl Strategy<Value = Value> {
    let texts = prop_oneof![
        Just("trace_id".to_owned()),
        Just("sampled".to_owned()),
        "[\\PC\n\"\\\\{}\\[\\],:]{0,8}",
    ];
    let leaves = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.clone().prop_map(Value::from),
    ];
    leaves.prop_recursive(4, 24, 4, move |inner| {
        let members = prop::collection::vec((texts.clone(), inner.clone()), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            members.prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn any_object_has_its_own_members_and_the_ids_behind_them(
        value in values(), size in 1_usize..20, is_pretty: bool,
    ) {
        let text = match is_pretty {
            true => serde_json::to_string_pretty(&value),
            false => serde_json::to_string(&value),
        };
        let text = text.expect("a value has a text");
        let line = written(&text, size, &ids());
        let Value::Object(mut expected) = value else {
            prop_assert_eq!(line, format!("{} {text}", ids()));
            return Ok(());
        };
        let added = serde_json::from_str::<Map<_, _>>(&format!("{{{MEMBERS}}}"));
        for (key, id) in added.expect("an object") {
            expected.entry(key).or_insert(id);
        }
        let found: Map<_, _> = serde_json::from_str(&line).expect("still an object");
        prop_assert_eq!(Vec::from_iter(&found), Vec::from_iter(&expected), "{}", line);
    }
}
