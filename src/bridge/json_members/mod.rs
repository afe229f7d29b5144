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
            self.writer.write_str("\"")?;
            self.writer.write_str(id.as_str())?;
            self.writer.write_str("\"")?;
        }
        if let (false, Some((key, is_sampled))) = (has_sampled, self.ids.sampled) {
            self.write_key(key)?;
            let value = if is_sampled { "true" } else { "false" };
            self.writer.write_str(value)?;
        }
        Ok(())
    }

    fn write_key(&mut self, key: &str) -> fmt::Result {
        let begin = if self.scan.is_empty { "\"" } else { ",\"" };
        self.scan.is_empty = false;
        self.writer.write_str(begin)?;
        let needs_escape = |c| matches!(c, '"' | '\\' | '\0'..='\x1f');
        let mut rest = key;
        while let Some(at) = rest.find(needs_escape) {
            let (before, from) = rest.split_at(at);
            let (escaped, after) = from.split_at(1);
            self.writer.write_str(before)?;
            for byte in escaped.bytes() {
                write!(self.writer, "\\u{byte:04x}")?;
            }
            rest = after;
        }
        self.writer.write_str(rest)?;
        self.writer.write_str("\":")
    }
}

impl<W: Write> Write for JsonMembers<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.is_written {
            return self.writer.write_str(text);
        }
        let Some((at, event)) = self.scan.read(text.as_bytes()) else {
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

/// The next event of the scan: the byte that closes the outermost object, or one that does not belong to an object.
#[derive(Clone, Copy)]
enum ScanEvent {
    EndOfObject,
    NoObject,
}

/// Finds the end of a JSON object that comes in pieces, and which of three members it has.
struct ObjectScan {
    names: [&'static str; 3],
    seen: [bool; 3],
    is_empty: bool,
    /// Open objects and arrays.
    depth: usize,
    place: Place,
    /// The length of the name so far, in bytes, and which of `names` begin like it.
    name_len: usize,
    may_be: [bool; 3],
}

#[derive(Clone, Copy)]
enum Place {
    Outside,
    /// Outside, and the next text is the name of a member of the outermost object.
    BeforeName,
    Name,
    /// In a name, after a backslash.
    NameEscape,
    /// In a name, after `\u` and this many digits.
    NameCode {
        digits: u8,
        code: u32,
    },
    Text,
    /// In a text, after a backslash.
    TextEscape,
}

impl ObjectScan {
    fn new(names: [&'static str; 3]) -> Self {
        Self {
            names,
            seen: [false; 3],
            is_empty: true,
            depth: 0,
            place: Place::Outside,
            name_len: 0,
            may_be: [true; 3],
        }
    }

    /// Reads a piece. Returns where the object ends, if it does, or where something else than an object begins.
    fn read(&mut self, piece: &[u8]) -> Option<(usize, ScanEvent)> {
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            match self.place {
                Place::Outside | Place::BeforeName => {
                    if let Some(event) = self.read_outside(byte) {
                        return Some((at, event));
                    }
                    at += 1;
                }
                Place::Text => {
                    at += plain_len(&piece[at..]);
                    self.place = match piece.get(at)? {
                        b'"' => Place::Outside,
                        _ => Place::TextEscape,
                    };
                    at += 1;
                }
                Place::TextEscape => {
                    self.place = Place::Text;
                    at += 1;
                }
                Place::Name => {
                    let len = plain_len(&piece[at..]);
                    self.read_name(&piece[at..at + len]);
                    at += len;
                    match piece.get(at)? {
                        b'"' => self.end_name(),
                        _ => self.place = Place::NameEscape,
                    }
                    at += 1;
                }
                Place::NameEscape => {
                    self.read_name_escape(piece[at]);
                    at += 1;
                }
                Place::NameCode { digits, code } => {
                    self.read_name_code(digits, code, piece[at]);
                    at += 1;
                }
            }
        }
        None
    }

    fn read_name(&mut self, part: &[u8]) {
        for (name, may_be) in self.names.iter().zip(&mut self.may_be) {
            let rest = name.as_bytes().get(self.name_len..);
            *may_be &= rest.is_some_and(|rest| rest.starts_with(part));
        }
        self.name_len += part.len();
    }

    fn read_name_escape(&mut self, byte: u8) {
        self.place = Place::Name;
        let meant = match byte {
            b'u' => {
                self.place = Place::NameCode { digits: 0, code: 0 };
                return;
            }
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            itself => itself,
        };
        self.read_name(&[meant]);
    }

    fn read_name_code(&mut self, digits: u8, code: u32, byte: u8) {
        let digit = char::from(byte).to_digit(16).unwrap_or_default();
        let code = code << 4 | digit;
        if digits < 3 {
            let digits = digits + 1;
            self.place = Place::NameCode { digits, code };
            return;
        }
        self.place = Place::Name;
        match char::from_u32(code) {
            Some(meant) => self.read_name(meant.encode_utf8(&mut [0; 4]).as_bytes()),
            // One half of a character above U+FFFF. Such a name is taken for another one.
            None => self.may_be = [false; 3],
        }
    }

    fn end_name(&mut self) {
        for (n, name) in self.names.iter().enumerate() {
            self.seen[n] |= self.may_be[n] && name.len() == self.name_len;
        }
        self.place = Place::Outside;
    }

    fn read_outside(&mut self, byte: u8) -> Option<ScanEvent> {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => {}
            b'{' if self.depth == 0 => {
                self.depth = 1;
                self.place = Place::BeforeName;
            }
            _ if self.depth == 0 => return Some(ScanEvent::NoObject),
            b'"' => {
                self.is_empty = false;
                if let Place::BeforeName = self.place {
                    (self.name_len, self.may_be) = (0, [true; 3]);
                    self.place = Place::Name;
                } else {
                    self.place = Place::Text;
                }
            }
            b',' if self.depth == 1 => self.place = Place::BeforeName,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth == 1 => return Some(ScanEvent::EndOfObject),
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        None
    }
}

/// Returns how many bytes of a text come before its end or an escape. Most of a line is texts.
fn plain_len(text: &[u8]) -> usize {
    let end = text.iter().position(|byte| matches!(byte, b'"' | b'\\'));
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests;
