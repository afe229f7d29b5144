//! The members of a list: how they are read, and which rules they keep.

use super::error::TraceStateError;

/// The most members that a list may have.
pub(super) const MAX_MEMBERS: usize = 32;

/// The members of a list in the making, without copies.
#[derive(Default)]
pub(super) struct Members<'t> {
    members: [&'t str; MAX_MEMBERS],
    len: usize,
    /// The members that were read, of which those with a known key are not kept.
    read: usize,
}

impl<'t> Members<'t> {
    /// Adds the members of one header.
    pub(super) fn read(&mut self, header: &'t str) -> Result<(), TraceStateError> {
        let mut rest = header;
        loop {
            rest = &rest[run(rest, |byte| matches!(byte, b' ' | b'\t' | b','))..];
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
            }
            rest = after;
        }
    }

    pub(super) fn push(&mut self, member: &'t str) {
        if let Some(place) = self.members.get_mut(self.len) {
            *place = member;
            self.len += 1;
        }
    }

    /// Removes members until the text has at most `max_bytes`.
    pub(super) fn cut(&mut self, max_bytes: usize) {
        let is_long = |member: &&str| member.len() > LONG_MEMBER_CHARS;
        while self.text_bytes() > max_bytes {
            let last = self.len - 1;
            let at = self.kept().iter().rposition(is_long).unwrap_or(last);
            self.members.copy_within(at + 1..self.len, at);
            self.len = last;
        }
    }

    pub(super) fn kept(&self) -> &[&'t str] {
        self.members.get(..self.len).unwrap_or_default()
    }

    /// Returns the length of [`Members::joined`].
    pub(super) fn text_bytes(&self) -> usize {
        let members: usize = self.kept().iter().map(|member| member.len()).sum();
        members + self.len.saturating_sub(1)
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
    let key = &list[..run(list, |byte| KEY_BYTES[usize::from(byte)])];
    let value = list[key.len()..].strip_prefix('=')?;
    let (value, rest) = value.split_at(run(value, |byte| VALUE_BYTES[usize::from(byte)]));
    let rest = &rest[run(rest, is_blank)..];
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
        && key.bytes().all(|byte| KEY_BYTES[usize::from(byte)]);
    is_legal.then_some(()).ok_or(TraceStateError::Key)
}

pub(super) fn check_value(value: &str) -> Result<(), TraceStateError> {
    let is_legal = (1..=MAX_PART_CHARS).contains(&value.len())
        && !value.ends_with(' ')
        && value.bytes().all(|byte| VALUE_BYTES[usize::from(byte)]);
    is_legal.then_some(()).ok_or(TraceStateError::Value)
}

/// The bytes that a key may hold.
const KEY_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(
            byte as u8,
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@'
        );
        byte += 1;
    }
    table
};

/// The bytes that a value may hold.
const VALUE_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = matches!(byte as u8, b' '..=b'~') && !matches!(byte as u8, b',' | b'=');
        byte += 1;
    }
    table
};

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

/// Returns how many bytes at the front of `text` are as `is` says.
#[inline]
fn run(text: &str, is: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| is(*byte)).count()
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
