//! Writes JSON.

use std::fmt::Display;
use std::io::Write;
use std::mem;

use crate::model::TagRef;

/// The members of an object, or the items of a list, which is left out if it is empty.
pub(super) struct Members<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    separator: u8,
    is_empty: bool,
}

impl<'a> Members<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, key: &str, bracket: u8) -> Self {
        let start = out.len();
        write_key(out, key);
        Self {
            out,
            start,
            separator: bracket,
            is_empty: true,
        }
    }

    /// Returns where to append the next one.
    pub(super) fn next(&mut self) -> &mut Vec<u8> {
        self.out.push(mem::replace(&mut self.separator, b','));
        self.is_empty = false;
        self.out
    }

    pub(super) fn end(self, bracket: u8) {
        if self.is_empty {
            self.out.truncate(self.start);
        } else {
            self.out.push(bracket);
        }
    }
}

/// Appends a comma and a key that needs no escapes.
pub(super) fn write_key(out: &mut Vec<u8>, key: &str) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Appends the text of a value.
pub(super) fn write_text(out: &mut Vec<u8>, value: TagRef<'_>) {
    match value {
        TagRef::String(text) => write_string(out, text),
        // Numbers, `true`, `false` and hex digits need no escapes.
        value => write_shown(out, value),
    }
}

pub(super) fn write_string(out: &mut Vec<u8>, text: &str) {
    write_quoted(out, text.as_bytes());
}

pub(super) fn write_quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    write_escaped(out, text);
    out.push(b'"');
}

/// Appends in quotes what needs no escapes.
pub(super) fn write_shown(out: &mut Vec<u8>, value: impl Display) {
    write!(out, "\"{value}\"").expect("to memory");
}

pub(super) fn write_number(out: &mut Vec<u8>, number: impl Display) {
    write!(out, "{number}").expect("to memory");
}

/// Appends UTF-8 text as it stands between quotes in JSON.
pub(super) fn write_escaped(out: &mut Vec<u8>, mut text: &[u8]) {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    while let Some(at) = text.iter().position(is_special) {
        out.extend_from_slice(&text[..at]);
        match text[at] {
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => write!(out, "\\u{byte:04x}").expect("to memory"),
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}
