//! The single header: `{trace-id}-{span-id}-{state}-{parent-span-id}`, or a state alone.

use super::content::{
    Content, Ids, Malformed, PARENT_ID_RULE, SPAN_ID_RULE, State, TRACE_ID_RULE, span_id, trace_id,
};
use crate::model::{SpanId, hex_digits};

/// The name of the header.
pub(super) const NAME: &str = "b3";

/// The length of the longest value: 32 + 16 + 1 + 16 digits and three dashes.
pub(super) const MAX_BYTES: usize = 68;

/// Reads the values of the header, without blanks at their ends. The first well-formed one counts.
///
/// Notes whether another one differs. Returns `Ok(None)` if there is no value, and the rule that the first one breaks
/// if all are malformed.
pub(super) fn read<'c>(
    values: impl Iterator<Item = &'c [u8]>,
    differ: &mut bool,
) -> Result<Option<Content>, Malformed<'c>> {
    let mut outcome = Ok(None);
    for value in values {
        match (parse(value), &outcome) {
            (Ok(content), Ok(Some(first))) => *differ |= content != *first,
            (Ok(content), _) => outcome = Ok(Some(content)),
            (Err(reason), Ok(None)) => {
                outcome = Err(Malformed {
                    header: NAME,
                    reason,
                    value,
                });
            }
            (Err(_), _) => {}
        }
    }
    outcome
}

/// Parses one value. A state that is no known text counts as none, as in the header for it alone.
fn parse(value: &[u8]) -> Result<Content, &'static str> {
    let mut parts = value.split(|byte| *byte == b'-');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let Some(second) = second else {
        let state = State::parse(first).ok_or("expected ids or a sampling state")?;
        return Ok(Content {
            ids: None,
            state: Some(state),
        });
    };
    let trace_id = trace_id(first).ok_or(TRACE_ID_RULE)?;
    let own_id = span_id(second).ok_or(SPAN_ID_RULE)?;
    let state = parts.next().and_then(State::parse);
    let parent_id = match parts.next() {
        Some(parent_id) => Some(span_id(parent_id).ok_or(PARENT_ID_RULE)?),
        None => None,
    };
    if parts.next().is_some() {
        return Err("expected at most four parts with dashes between them");
    }
    Ok(Content {
        ids: Ids::new(Some(trace_id), Some(own_id), parent_id),
        state,
    })
}

/// Prints the value, or returns `None` if there is nothing to say.
///
/// Without a state there is no place for a parent: the parent is then left out.
pub(super) fn print<'b>(content: &Content, buffer: &'b mut [u8; MAX_BYTES]) -> Option<&'b [u8]> {
    let state = content.state.map(|state| match state {
        State::Deny => b"0",
        State::Accept => b"1",
        State::Debug => b"d",
    });
    let mut text = Text {
        buffer: &mut *buffer,
        len: 0,
    };
    if let Some(ids) = &content.ids {
        if ids.trace_id.high() != 0 {
            text.push(&hex_digits(ids.trace_id.high()));
        }
        text.push(&hex_digits(ids.trace_id.low()));
        text.push(b"-");
        text.push(&hex_digits(ids.span_id.get()));
        if let Some(state) = state {
            text.push(b"-");
            text.push(state);
            if let Some(parent_id) = ids.parent_id.map(SpanId::get) {
                text.push(b"-");
                text.push(&hex_digits(parent_id));
            }
        }
    } else {
        text.push(state?);
    }
    let len = text.len;
    Some(&buffer[..len])
}

/// Text in a buffer that is long enough for every value.
struct Text<'b> {
    buffer: &'b mut [u8; MAX_BYTES],
    len: usize,
}

impl Text<'_> {
    fn push(&mut self, text: &[u8]) {
        self.buffer[self.len..][..text.len()].copy_from_slice(text);
        self.len += text.len();
    }
}
