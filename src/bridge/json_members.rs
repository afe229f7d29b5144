use std::fmt::{self, Write};

use crate::bridge::log_ids::LogIds;

/// A writer that passes a JSON object on and adds ids before its end. A member that the object has already is left as
/// it is, so no name comes twice. If the text is no object, the ids are written before it instead.
///
/// It keeps nothing of the text, so it allocates nothing. Text after the object passes as it is.
pub(super) struct JsonMembers<'w, W> {
    writer: &'w mut W,
    ids: &'w LogIds,
    scan: ObjectScan,
    is_written: bool,
}

impl<'w, W: Write> JsonMembers<'w, W> {
    pub(super) fn new(writer: &'w mut W, ids: &'w LogIds) -> Self {
        let names = [
            ids.trace_id.0,
            ids.span_id.0,
            ids.sampled.map_or("", |(key, _)| key),
        ];
        Self {
            writer,
            ids,
            scan: ObjectScan::new(names),
            is_written: false,
        }
    }

    fn write_members(&mut self) -> fmt::Result {
        let [has_trace_id, has_span_id, has_sampled] = self.scan.seen;
        let ids = [
            (!has_trace_id).then_some(&self.ids.trace_id),
            (!has_span_id).then_some(&self.ids.span_id),
        ];
        for (key, id) in ids.into_iter().flatten() {
            self.write_key(key)?;
            write!(self.writer, "\"{}\"", id.as_str())?;
        }
        if let (false, Some((key, is_sampled))) = (has_sampled, self.ids.sampled) {
            self.write_key(key)?;
            write!(self.writer, "{is_sampled}")?;
        }
        Ok(())
    }

    fn write_key(&mut self, key: &str) -> fmt::Result {
        if !self.scan.is_empty {
            self.writer.write_char(',')?;
        }
        self.scan.is_empty = false;
        self.writer.write_char('"')?;
        for c in key.chars() {
            match c {
                '"' | '\\' => write!(self.writer, "\\{c}")?,
                '\0'..='\x1f' => write!(self.writer, "\\u{:04x}", u32::from(c))?,
                _ => self.writer.write_char(c)?,
            }
        }
        self.writer.write_str("\":")
    }
}

impl<W: Write> Write for JsonMembers<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_written {
            return self.writer.write_str(text);
        }
        let mut bytes = text.bytes().enumerate();
        let event = bytes.find_map(|(at, byte)| Some((at, self.scan.step(byte)?)));
        let Some((at, event)) = event else {
            return self.writer.write_str(text);
        };
        // The byte at `at` is `}`, or the first one of a character.
        let (before, rest) = text.split_at(at);
        self.is_written = true;
        self.writer.write_str(before)?;
        match event {
            ScanEvent::EndOfObject => self.write_members()?,
            ScanEvent::NoObject => write!(self.writer, "{} ", self.ids)?,
        }
        self.writer.write_str(rest)
    }
}

/// What [`ObjectScan`] has found: the next byte is the one that closes the object, or begins something else.
#[derive(Clone, Copy, PartialEq, Debug)]
enum ScanEvent {
    EndOfObject,
    NoObject,
}

/// Finds the end of a JSON object, byte by byte, and which of three members it has.
struct ObjectScan {
    names: [&'static str; 3],
    seen: [bool; 3],
    is_empty: bool,
    /// Open objects and arrays.
    depth: usize,
    place: Place,
}

#[derive(Clone, Copy)]
enum Place {
    /// Between texts. `true` where the next text is the name of a member of the outermost object.
    Outside {
        before_name: bool,
    },
    Text {
        is_escaped: bool,
    },
    /// After `len` bytes of a name, which are the first ones of the names that are marked.
    Name {
        len: usize,
        may_be: [bool; 3],
        is_escaped: bool,
    },
}

impl ObjectScan {
    fn new(names: [&'static str; 3]) -> Self {
        Self {
            names,
            seen: [false; 3],
            is_empty: true,
            depth: 0,
            place: Place::Outside { before_name: false },
        }
    }

    #[inline]
    fn step(&mut self, byte: u8) -> Option<ScanEvent> {
        self.place = match self.place {
            Place::Outside { before_name } => return self.step_outside(byte, before_name),
            Place::Text { is_escaped: true } => Place::Text { is_escaped: false },
            Place::Text { .. } if byte == b'"' => Place::Outside { before_name: false },
            Place::Text { .. } => Place::Text {
                is_escaped: byte == b'\\',
            },
            Place::Name {
                len,
                may_be,
                is_escaped: false,
            } if byte == b'"' => {
                for (n, name) in self.names.iter().enumerate() {
                    self.seen[n] |= may_be[n] && name.len() == len;
                }
                Place::Outside { before_name: false }
            }
            Place::Name {
                len,
                mut may_be,
                is_escaped,
            } => {
                for (n, name) in self.names.iter().enumerate() {
                    may_be[n] &= name.as_bytes().get(len) == Some(&byte);
                }
                let is_escaped = !is_escaped && byte == b'\\';
                Place::Name {
                    len: len + 1,
                    may_be,
                    is_escaped,
                }
            }
        };
        None
    }

    fn step_outside(&mut self, byte: u8, before_name: bool) -> Option<ScanEvent> {
        let mut before_next_name = before_name;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if self.depth == 0 && byte != b'{' => return Some(ScanEvent::NoObject),
            b'{' | b'[' => {
                before_next_name = self.depth == 0;
                self.is_empty &= self.depth == 0;
                self.depth += 1;
            }
            b'}' | b']' => {
                if self.depth == 1 {
                    return Some(ScanEvent::EndOfObject);
                }
                before_next_name = false;
                self.depth -= 1;
            }
            b',' => before_next_name = self.depth == 1,
            b'"' => {
                self.is_empty = false;
                self.place = if before_name {
                    Place::Name {
                        len: 0,
                        may_be: [true; 3],
                        is_escaped: false,
                    }
                } else {
                    Place::Text { is_escaped: false }
                };
                return None;
            }
            _ => self.is_empty = false,
        }
        self.place = Place::Outside {
            before_name: before_next_name,
        };
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::bridge::LogKeys;
    use crate::model::{Flags, SpanId, TraceId};
    use crate::span::SpanContext;

    fn ids() -> LogIds {
        let trace_id = TraceId::new(0, 1).expect("not zero");
        let span_id = SpanId::new(2).expect("not zero");
        let context = SpanContext::new(trace_id, span_id, None, Flags::SAMPLED);
        LogKeys::new().name(context.trace_ids()).expect("a trace")
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
    fn other_text_has_the_ids_before_it() {
        let prefix = "trace_id=0000000000000001 span_id=0000000000000002 sampled=true";
        for text in ["INFO {paid}\n", "[1]", "ü"] {
            assert_eq!(written(text, 2, &ids()), format!("{prefix} {text}"));
        }
        assert_eq!(written("\n", 1, &ids()), "\n");
    }

    #[test]
    fn names_are_escaped() {
        let context = SpanContext::new(
            TraceId::new(0, 1).expect("not zero"),
            SpanId::new(2).expect("not zero"),
            None,
            Flags::default(),
        );
        let keys = LogKeys::new()
            .trace_id("a\"\\\n☂")
            .span_id("dd.span_id")
            .sampled(None);
        let ids = keys.name(context.trace_ids()).expect("a trace");
        let line: Value = serde_json::from_str(&written("{}", 1, &ids)).expect("an object");
        assert_eq!(line["a\"\\\n☂"], "0000000000000001");
        assert_eq!(line["dd.span_id"], "0000000000000002");
        assert_eq!(line.as_object().map(|object| object.len()), Some(2));
    }
}
