//! The several headers: one for each id, one for the sampling state and one for debug.

use super::content::{
    Content, Ids, Malformed, PARENT_ID_RULE, SPAN_ID_RULE, State, TRACE_ID_RULE, span_id, trace_id,
};

pub(super) const TRACE_ID: &str = "x-b3-traceid";
pub(super) const SPAN_ID: &str = "x-b3-spanid";
pub(super) const PARENT_ID: &str = "x-b3-parentspanid";
pub(super) const SAMPLED: &str = "x-b3-sampled";
pub(super) const FLAGS: &str = "x-b3-flags";

/// The first value of each header, without blanks at its ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Values<'c> {
    pub(super) trace_id: Option<&'c [u8]>,
    pub(super) span_id: Option<&'c [u8]>,
    pub(super) parent_id: Option<&'c [u8]>,
    pub(super) sampled: Option<&'c [u8]>,
    pub(super) flags: Option<&'c [u8]>,
}

impl<'c> Values<'c> {
    /// Reads the values. Without a trace id or a span id there is no trace, but the state counts.
    pub(super) fn content(&self) -> Result<Content, Malformed<'c>> {
        let trace_id = read(TRACE_ID, TRACE_ID_RULE, self.trace_id, trace_id)?;
        let own_id = read(SPAN_ID, SPAN_ID_RULE, self.span_id, span_id)?;
        // Programs behind Envoy pass an empty parent id on where they got none.
        let parent_id = self.parent_id.filter(|value| !value.is_empty());
        let parent_id = read(PARENT_ID, PARENT_ID_RULE, parent_id, span_id)?;
        Ok(Content {
            ids: Ids::new(trace_id, own_id, parent_id),
            state: self.state(),
        })
    }

    /// Returns the state. Debug wins over the state of the other header.
    fn state(&self) -> Option<State> {
        if self.flags == Some(b"1") {
            return Some(State::Debug);
        }
        match State::parse(self.sampled?)? {
            // Debug has a header of its own.
            State::Debug => Some(State::Accept),
            state => Some(state),
        }
    }
}

fn read<'c, I>(
    header: &'static str,
    reason: &'static str,
    value: Option<&'c [u8]>,
    parse: fn(&[u8]) -> Option<I>,
) -> Result<Option<I>, Malformed<'c>> {
    let Some(value) = value else {
        return Ok(None);
    };
    match parse(value) {
        Some(id) => Ok(Some(id)),
        None => Err(Malformed {
            header,
            reason,
            value,
        }),
    }
}
