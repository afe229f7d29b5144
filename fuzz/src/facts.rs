//! All that a context says, and how much of it each format keeps.

use tracehound::SpanContext;
use tracehound::model::{Baggage, Flags, SpanId, TraceId, TraceState};
use tracehound::propagation::{ExtractError, Propagation};

use crate::slow::is_token;

/// All that a context says. (Two contexts are equal if their ids, flags and baggage are.)
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Trace, span and parent.
    pub ids: Option<(TraceId, SpanId, Option<SpanId>)>,
    /// The flags of the trace.
    pub flags: Flags,
    /// Whether the decision about the trace is left to the receiver.
    pub is_open: bool,
    /// The decision about a trace that the receiver starts.
    pub decision: Option<Flags>,
    /// The debug id.
    pub debug_id: Option<String>,
    /// The baggage.
    pub baggage: Baggage,
    /// The list of W3C Trace Context.
    pub trace_state: Option<TraceState>,
    /// Whether W3C Trace Context calls the trace id random.
    pub is_random: bool,
    /// Whether formats contradicted each other.
    pub is_conflict: bool,
}

/// The facts that are found in a carrier, if any.
pub type Found = Result<Option<Facts>, Malformed>;

/// A header is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A format of a carrier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Jaeger's format in a text map, which holds baggage as it is.
    JaegerText,
    /// A format in HTTP headers.
    Http(Propagation),
    /// The binary carrier.
    Binary,
}

impl Facts {
    /// Returns the facts of a context.
    pub fn of(context: &SpanContext) -> Self {
        let ids = context.trace_id().zip(context.span_id());
        Self {
            ids: ids.map(|(trace, span)| (trace, span, context.parent_id())),
            flags: context.flags(),
            is_open: !context.is_sampling_final(),
            decision: context.decision_without_trace(),
            debug_id: context.debug_id().map(str::to_owned),
            baggage: context.baggage().clone(),
            trace_state: context.trace_state().cloned(),
            is_random: context.has_random_trace_id(),
            is_conflict: context.conflict().is_some(),
        }
    }

    /// Returns the facts of an extract.
    pub fn found(answer: Result<Option<SpanContext>, ExtractError>) -> Found {
        let facts = answer.map(|context| context.map(|context| Self::of(&context)));
        facts.map_err(|_| Malformed)
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the facts that arrive in one format.
    pub fn kept_by(&self, format: Format) -> Self {
        let baggage = self.baggage_in(format);
        let ids = self.ids;
        let without_trace = Self {
            baggage: baggage.clone(),
            ..Self::default()
        };
        match format {
            Format::Http(Propagation::Baggage) => without_trace,
            Format::Http(Propagation::B3 | Propagation::B3Single) => {
                let is_single = format == Format::Http(Propagation::B3Single);
                let has_state = !self.is_open;
                let ids = ids.map(|(trace, span, parent)| {
                    (trace, span, parent.filter(|_| has_state || !is_single))
                });
                let decision = self.decision.map(b3_flags);
                Self {
                    ids,
                    flags: match ids {
                        Some(_) if has_state => b3_flags(self.flags),
                        Some(_) => Flags::default(),
                        None => decision.unwrap_or_default(),
                    },
                    is_open: ids.is_some() && self.is_open,
                    decision,
                    ..without_trace
                }
            }
            _ if ids.is_none() => without_trace,
            Format::Http(Propagation::W3c | Propagation::TraceContext) => {
                let header = self.trace_state.as_ref().map(TraceState::to_header);
                let header = header.filter(|header| !header.is_empty());
                Self {
                    ids: ids.map(|(trace, span, _)| (trace, span, None)),
                    flags: Flags::from_bits(self.flags.is_sampled().into()),
                    is_random: self.is_random,
                    trace_state: header.map(|header| header.parse().expect("written by us")),
                    ..without_trace
                }
            }
            Format::JaegerText | Format::Binary | Format::Http(Propagation::Jaeger) => Self {
                ids,
                flags: self.flags,
                ..without_trace
            },
            Format::Http(other) => panic!("add to `kept_by`: what {other} keeps of a context"),
        }
    }

    fn baggage_in(&self, format: Format) -> Baggage {
        let mut kept = Baggage::default();
        let items = self.baggage.iter_with_properties();
        match format {
            Format::Http(Propagation::TraceContext) => {}
            Format::Http(Propagation::W3c | Propagation::Baggage) => {
                let mut len = 0;
                for (key, value, properties) in items.filter(|(key, ..)| is_token(key)) {
                    let properties = properties.trim_matches([' ', '\t']);
                    len += 1 + wire_bytes((key, value, properties));
                    if len > Baggage::MAX_BYTES {
                        break;
                    }
                    len += 1;
                    let with = kept.with_properties(key, value, properties);
                    kept = with.expect("within the limits");
                }
            }
            Format::Binary => {
                for (key, value, _) in
                    items.filter(|(key, value, _)| key.len() + value.len() <= 4_096)
                {
                    kept = kept.with(key, value).expect("within the limits");
                }
            }
            Format::JaegerText => {
                // A text map holds a key once, in whichever case of ASCII.
                let mut map: Vec<(&str, &str)> = Vec::new();
                for (key, value, _) in items {
                    map.retain(|(known, _)| !known.eq_ignore_ascii_case(key));
                    map.push((key, value));
                }
                for (key, value) in map {
                    kept = kept.with(&key.to_lowercase(), value).unwrap_or(kept);
                }
            }
            Format::Http(_) => {
                for (key, value, _) in items.filter(|(key, ..)| is_token(key)) {
                    let with = kept.with(&key.to_ascii_lowercase(), value);
                    kept = with.expect("within the limits");
                }
            }
        }
        kept
    }
}

/// Merges the facts of several formats as a composite should.
pub fn merged(members: &[Found]) -> Found {
    let found: Vec<_> = members
        .iter()
        .filter_map(|member| member.as_ref().ok()?.as_ref())
        .collect();
    let chosen = found.iter().position(|facts| facts.ids.is_some());
    if chosen.is_none() && members.iter().any(Result::is_err) {
        return Err(Malformed);
    }
    let chosen = chosen.unwrap_or(0);
    let Some(first) = found.get(chosen) else {
        return Ok(None);
    };
    let mut facts = Facts::clone(first);
    let baggage = found.iter().map(|member| &member.baggage);
    facts.baggage = baggage.fold(Baggage::default(), |all, other| joined(&all, other));
    let mut earlier = found[..chosen].iter().filter_map(|member| decision(member));
    let first_decision = earlier.next();
    facts.is_conflict |= earlier.any(|other| Some(other) != first_decision);
    facts.is_conflict |= differ(first_decision, decision(&facts));
    for later in &found[chosen + 1..] {
        facts.is_conflict |= differ(decision(&facts), decision(later));
        let Some((trace, span, _)) = later.ids else {
            if facts.ids.is_none() {
                facts.debug_id = facts.debug_id.or(later.debug_id.clone());
                facts.decision = facts.decision.or(later.decision);
                facts.flags = facts.decision.unwrap_or_default();
            }
            continue;
        };
        let own = facts.ids.map(|(trace, span, _)| (trace, span));
        let is_same_trace = own.is_some_and(|(own, _)| own == trace);
        if is_same_trace {
            facts.trace_state = facts.trace_state.or(later.trace_state.clone());
            facts.is_random |= later.is_random;
        }
        facts.is_conflict |= own != Some((trace, span));
    }
    Ok(Some(facts))
}

/// The items of two formats. A key may have lost its case in one of them, and an item its properties.
fn joined(first: &Baggage, second: &Baggage) -> Baggage {
    if first.is_empty() {
        return second.clone();
    }
    let mut list: Vec<_> = first.iter_with_properties().collect();
    for (key, value, properties) in second.iter_with_properties() {
        let place = |is_same: &dyn Fn(&str) -> bool| {
            list.iter().position(|(k, v, _)| is_same(k) && *v == value)
        };
        let same = place(&|k| k == key).or_else(|| place(&|k| k.eq_ignore_ascii_case(key)));
        let mut with = list.clone();
        let own = match same {
            None => {
                with.push((key, value, properties));
                None
            }
            Some(at) => {
                let (k, _, p) = list[at];
                let has_case = k.bytes().any(|byte| byte.is_ascii_uppercase());
                with[at] = (
                    if has_case { k } else { key },
                    value,
                    if p.is_empty() { properties } else { p },
                );
                Some(k)
            }
        };
        let key = with[same.unwrap_or(list.len())].0;
        let is_taken = own != Some(key) && list.iter().any(|(k, ..)| *k == key);
        let bytes: usize = with.iter().map(|item| wire_bytes(*item)).sum();
        if !is_taken && with.len() <= Baggage::MAX_ITEMS && bytes <= Baggage::MAX_BYTES {
            list = with;
        }
    }
    let items = list.into_iter();
    items.fold(Baggage::default(), |all, (key, value, properties)| {
        let with = all.with_properties(key, value, properties);
        with.expect("within the limits")
    })
}

/// How much of the limit an item takes.
fn wire_bytes((key, value, properties): (&str, &str, &str)) -> usize {
    let property_bytes = properties.len() + usize::from(!properties.is_empty());
    key.len() + encoded_len(value) + property_bytes
}

/// Returns whether the trace is kept, if that is decided.
fn decision(facts: &Facts) -> Option<bool> {
    let flags = match facts.ids {
        Some(_) => (!facts.is_open).then_some(facts.flags),
        None => facts.decision,
    };
    flags.map(Flags::is_sampled)
}

fn differ(one: Option<bool>, other: Option<bool>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

/// The flags that B3 has a state for.
fn b3_flags(flags: Flags) -> Flags {
    match (flags.is_sampled(), flags.is_debug()) {
        (false, _) => Flags::default(),
        (true, false) => Flags::SAMPLED,
        (true, true) => Flags::SAMPLED.with(Flags::DEBUG),
    }
}

fn encoded_len(value: &str) -> usize {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let bytes = value.bytes();
    bytes.map(|byte| if is_kept(byte) { 1 } else { 3 }).sum()
}
