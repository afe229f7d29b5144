//! The rules of B3, as slow and as simple as they can be written.

use tracehound::model::{Flags, SpanId, TraceId};

use crate::facts::{Facts, Found, Malformed};
use crate::slow::{hex, pieces};

/// The several headers: trace id, span id, parent, state, debug.
pub const SEVERAL: [&str; 5] = [
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
];

/// Returns the first well-formed value of the header `b3`, or `None` if there is no value.
pub fn read_single<'v>(values: impl Iterator<Item = &'v [u8]>) -> Found {
    let read: Vec<_> = values.flat_map(pieces).map(read_piece).collect();
    let first = read.iter().find_map(|one| one.clone().ok());
    match first {
        Some(facts) => Ok(Some(facts)),
        None if read.is_empty() => Ok(None),
        None => Err(Malformed),
    }
}

fn read_piece(text: &[u8]) -> Result<Facts, Malformed> {
    let parts: Vec<_> = text.split(|byte| *byte == b'-').collect();
    match parts[..] {
        [state] => Ok(facts(None, Some(state_of(state).ok_or(Malformed)?))),
        [trace, span] => Ok(facts(Some(ids(trace, span, None)?), None)),
        [trace, span, state] => Ok(facts(Some(ids(trace, span, None)?), state_of(state))),
        [trace, span, state, parent] => Ok(facts(
            Some(ids(trace, span, Some(parent))?),
            state_of(state),
        )),
        _ => Err(Malformed),
    }
}

/// Reads the several headers from the values of each, in the order of [`SEVERAL`].
pub fn read_several(values: [Option<&[u8]>; 5]) -> Result<Facts, Malformed> {
    let [trace, span, parent, sampled, flags] = values.map(|value| pieces(value?).next());
    let number = |text: Option<&[u8]>, most| match text {
        Some(text) => hex(text, most).map(Some).ok_or(Malformed),
        None => Ok(None),
    };
    let (trace, span) = (number(trace, 32)?, number(span, 16)?);
    // An empty parent id is none.
    let parent = number(parent.filter(|parent| !parent.is_empty()), 16)?;
    let state = match (flags, sampled.and_then(state_of)) {
        (Some(b"1"), _) => Some(DEBUG),
        (_, Some(DEBUG)) => Some(Flags::SAMPLED),
        (_, state) => state,
    };
    let ids = trace.zip(span).map(|(trace, span)| (trace, span, parent));
    Ok(facts(ids, state))
}

const DEBUG: Flags = Flags::SAMPLED.with(Flags::DEBUG);

type Numbers = (u128, u128, Option<u128>);

fn ids(trace: &[u8], span: &[u8], parent: Option<&[u8]>) -> Result<Numbers, Malformed> {
    let parent = match parent {
        Some(parent) => Some(hex(parent, 16).ok_or(Malformed)?),
        None => None,
    };
    Ok((
        hex(trace, 32).ok_or(Malformed)?,
        hex(span, 16).ok_or(Malformed)?,
        parent,
    ))
}

fn state_of(text: &[u8]) -> Option<Flags> {
    match text.to_ascii_lowercase().as_slice() {
        b"1" | b"true" => Some(Flags::SAMPLED),
        b"0" | b"false" => Some(Flags::default()),
        _ if text == b"d" => Some(DEBUG),
        _ => None,
    }
}

fn facts(ids: Option<Numbers>, state: Option<Flags>) -> Facts {
    let ids = ids.and_then(|(trace, span, parent)| {
        let trace = TraceId::new((trace >> 64) as u64, trace as u64)?;
        let parent = parent.and_then(|parent| SpanId::new(parent as u64));
        Some((trace, SpanId::new(span as u64)?, parent))
    });
    Facts {
        ids,
        flags: state.unwrap_or_default(),
        is_open: ids.is_some() && state.is_none(),
        decision: state.filter(|_| ids.is_none()),
        ..Facts::default()
    }
}
