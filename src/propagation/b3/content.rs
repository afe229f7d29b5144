use crate::model::{Flags, SpanId, TraceId, parse_hex};
use crate::propagation::ExtractError;
use crate::span::SpanContext;

/// The content of B3 headers: the ids of a span, a sampling state, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) ids: Option<Ids>,
    pub(super) state: Option<State>,
}

/// The ids of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) parent_id: Option<SpanId>,
}

/// A sampling decision. Without one the receiver decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Deny,
    Accept,
    Debug,
}

impl Content {
    /// Returns what the headers of `context` say.
    pub(super) fn of(context: &SpanContext) -> Self {
        let ids = context.trace_id().zip(context.span_id());
        let ids = ids.map(|(trace_id, span_id)| Ids {
            trace_id,
            span_id,
            parent_id: context.parent_id(),
        });
        let flags = match ids {
            Some(_) if context.is_deferred() => None,
            Some(_) => Some(context.flags()),
            None => context.decision_without_trace(),
        };
        Self {
            ids,
            state: flags.map(State::of),
        }
    }

    /// Returns the context, or `None` if the headers say nothing.
    pub(super) fn context(self) -> Option<SpanContext> {
        let flags = self.state.map(State::flags);
        match (self.ids, flags) {
            (Some(ids), Some(flags)) => Some(ids.context(flags)),
            (Some(ids), None) => Some(ids.context(Flags::default()).with_deferred_sampling()),
            (None, Some(flags)) => Some(SpanContext::without_trace(flags)),
            (None, None) => None,
        }
    }

    /// Returns whether both name a span or a state, and not the same one.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        let span = |ids: Ids| (ids.trace_id, ids.span_id);
        let spans = self.ids.map(span).zip(other.ids.map(span));
        let states = self.state.zip(other.state);
        spans.is_some_and(|(one, other)| one != other)
            || states.is_some_and(|(one, other)| one != other)
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.ids.is_none() && self.state.is_none()
    }
}

impl Ids {
    /// Joins ids that have been read. Returns `None` if the trace id or the span id is missing or zero.
    pub(super) fn new(
        trace_id: Option<u128>,
        span_id: Option<u64>,
        parent_id: Option<u64>,
    ) -> Option<Self> {
        let trace_id = trace_id?;
        Some(Self {
            trace_id: TraceId::new((trace_id >> 64) as u64, trace_id as u64)?,
            span_id: SpanId::new(span_id?)?,
            parent_id: parent_id.and_then(SpanId::new),
        })
    }

    fn context(self, flags: Flags) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.parent_id, flags)
    }
}

impl State {
    /// Reads a state, or returns `None` for any other text.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        match text {
            b"1" => Some(Self::Accept),
            b"0" => Some(Self::Deny),
            b"d" => Some(Self::Debug),
            _ if text.eq_ignore_ascii_case(b"true") => Some(Self::Accept),
            _ if text.eq_ignore_ascii_case(b"false") => Some(Self::Deny),
            _ => None,
        }
    }

    /// Returns the state of a decision. Debug implies accept in B3, so that debug without sampled cannot be told.
    fn of(flags: Flags) -> Self {
        match (flags.is_sampled(), flags.is_debug()) {
            (false, _) => Self::Deny,
            (true, false) => Self::Accept,
            (true, true) => Self::Debug,
        }
    }

    fn flags(self) -> Flags {
        match self {
            Self::Deny => Flags::default(),
            Self::Accept => Flags::SAMPLED,
            Self::Debug => Flags::SAMPLED.with(Flags::DEBUG),
        }
    }
}

/// A malformed header and the rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed<'c> {
    pub(super) header: &'static str,
    pub(super) reason: &'static str,
    pub(super) value: &'c [u8],
}

impl Malformed<'_> {
    pub(super) fn into_error(self) -> ExtractError {
        ExtractError::corrupted(self.header, self.reason, self.value)
    }
}

pub(super) const TRACE_ID_RULE: &str = "expected a trace id of 1 to 32 hex digits";
pub(super) const SPAN_ID_RULE: &str = "expected a span id of 1 to 16 hex digits";
pub(super) const PARENT_ID_RULE: &str = "expected a parent span id of 1 to 16 hex digits";

/// Reads a trace id of either case, with or without leading zeros.
pub(super) fn trace_id(text: &[u8]) -> Option<u128> {
    parse_hex(text, 32)
}

/// Reads a span id of either case, with or without leading zeros.
pub(super) fn span_id(text: &[u8]) -> Option<u64> {
    parse_hex(text, 16).map(|id| id as u64)
}
