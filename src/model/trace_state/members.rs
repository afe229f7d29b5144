//! The members of a list: how they are read, and which rules they keep.

use super::error::TraceStateError;
use crate::model::ShortList;

/// The most members that a list may have.
pub(super) const MAX_MEMBERS: usize = 32;

/// The key of OpenTelemetry's member. Each inject looks for it, and most lists have none: reading the list tells that.
pub(crate) const OT_KEY: &str = "ot";

/// The members of a list in the making, without copies.
#[derive(Default)]
pub(super) struct Members<'t> {
    kept: ShortList<&'t str, 4>,
    /// The bytes of the kept members and a comma for each.
    bytes: usize,
    /// The members that were read, of which those with a known key are not kept.
    read: usize,
    /// A member has the key [`OT_KEY`].
    pub(super) has_ot: bool,
}

impl<'t> Members<'t> {
    /// Adds the members of one header.
    pub(super) fn read(&mut self, header: &'t str) -> Result<(), TraceStateError> {
        let mut rest = header;
        loop {
            rest = &rest[run(rest, SEPARATOR)..];
            if rest.is_empty() {
                return Ok(());
            }
            if self.read == MAX_MEMBERS {
                return Err(TraceStateError::Members);
            }
            self.read += 1;
            let Some((key, member, after)) = split_member(rest) else {
                return Err(broken_rule(rest));
            };
            if !self.kept().iter().any(|known| has_key(known, key)) {
                self.push(member);
                self.has_ot |= key == OT_KEY;
            }
            rest = after;
        }
    }

    pub(super) fn push(&mut self, member: &'t str) {
        self.kept.push(member);
        self.bytes += member.len() + 1;
    }

    /// Removes members until the text has at most `max_bytes`.
    pub(super) fn cut(&mut self, max_bytes: usize) {
        let is_long = |member: &&str| member.len() > LONG_MEMBER_CHARS;
        while self.text_bytes() > max_bytes {
            let members = self.kept();
            let at = members.iter().rposition(is_long);
            let at = at.unwrap_or(members.len() - 1);
            self.bytes -= members[at].len() + 1;
            self.kept.remove(at);
        }
    }

    pub(super) fn kept(&self) -> &[&'t str] {
        self.kept.as_slice()
    }

    /// Returns the length of [`Members::joined`].
    pub(super) fn text_bytes(&self) -> usize {
        self.bytes.saturating_sub(1)
    }

    pub(super) fn joined(&self) -> String {
        self.kept().join(",")
    }
}

/// The length of a member above which it is the first to be left out.
const LONG_MEMBER_CHARS: usize = 128;

/// The most characters of a key or a value.
const MAX_PART_CHARS: usize = 256;

/// Returns whether a well-formed member has this key.
pub(super) fn has_key(member: &str, key: &str) -> bool {
    // Most keys differ in length, which is known without a comparison.
    member.as_bytes().get(key.len()) == Some(&b'=') && member.starts_with(key)
}

/// Splits a list behind its first member, which does not begin with a blank. Returns the member's key, the member and
/// what follows it, or `None` if the member breaks a rule. Looks at each byte once.
fn split_member(list: &str) -> Option<(&str, &str, &str)> {
    let (key, value) = list.split_at(run(list, KEY));
    let value = value.strip_prefix('=')?;
    let (value, rest) = value.split_at(run(value, VALUE));
    let rest = &rest[run(rest, BLANK)..];
    let value = trim_blanks_at_end(value);
    let is_legal = key.bytes().next().is_some_and(may_begin_key)
        && key.len() <= MAX_PART_CHARS
        && (1..=MAX_PART_CHARS).contains(&value.len())
        && (rest.is_empty() || rest.starts_with(','));
    let member = &list[..key.len() + 1 + value.len()];
    is_legal.then_some((key, member, rest))
}

/// Returns the rule that the first member of a list breaks.
#[cold]
fn broken_rule(list: &str) -> TraceStateError {
    let member = list.split(',').next().unwrap_or_default();
    let Some((key, value)) = member.split_once('=') else {
        return TraceStateError::NoValue;
    };
    let broken = check_key(key).and_then(|()| check_value(trim_blanks_at_end(value)));
    broken.err().unwrap_or(TraceStateError::Value)
}

pub(super) fn check_key(key: &str) -> Result<(), TraceStateError> {
    let first = key.bytes().next();
    let is_legal = key.len() <= MAX_PART_CHARS
        && first.is_some_and(may_begin_key)
        && run(key, KEY) == key.len();
    is_legal.then_some(()).ok_or(TraceStateError::Key)
}

pub(super) fn check_value(value: &str) -> Result<(), TraceStateError> {
    let is_legal = (1..=MAX_PART_CHARS).contains(&value.len())
        && !value.ends_with(' ')
        && run(value, VALUE) == value.len();
    is_legal.then_some(()).ok_or(TraceStateError::Value)
}

/// The bytes that a key may hold.
const KEY: u8 = 1;
/// The bytes that a value may hold.
const VALUE: u8 = 2;
/// Spaces and tabs.
const BLANK: u8 = 4;
/// The bytes that may stand between members.
const SEPARATOR: u8 = 8;

/// The classes of each byte.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = classes_of(byte as u8);
        byte += 1;
    }
    classes
};

const fn classes_of(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@' => KEY | VALUE,
        b' ' => VALUE | BLANK | SEPARATOR,
        b'\t' => BLANK | SEPARATOR,
        b',' => SEPARATOR,
        b'=' => 0,
        b'!'..=b'~' => VALUE,
        _ => 0,
    }
}

/// Splits a list at its commas. Nothing is left of an empty list.
pub(super) fn members_of(list: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(list).filter(|list| !list.is_empty());
    std::iter::from_fn(move || {
        let list = rest?;
        let Some(at) = position(list, b',') else {
            return rest.take();
        };
        rest = list.get(at + 1..);
        list.get(..at)
    })
}

/// Returns the place of the first `separator`, which is ASCII.
///
/// Members are so short that a loop over their bytes takes fewer instructions than the search of [`str`].
fn position(text: &str, separator: u8) -> Option<usize> {
    text.bytes().position(|byte| byte == separator)
}

/// Returns how many bytes at the front of `text` are of `class`.
#[inline]
fn run(text: &str, class: u8) -> usize {
    let is_other = |byte: u8| CLASSES[usize::from(byte)] & class == 0;
    text.bytes().position(is_other).unwrap_or(text.len())
}

fn trim_blanks_at_end(text: &str) -> &str {
    let mut text = text;
    while text.bytes().next_back().is_some_and(is_blank) {
        text = &text[..text.len() - 1];
    }
    text
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn may_begin_key(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}
