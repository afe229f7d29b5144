use std::fmt;

use crate::diagnostics::Diagnostics;
use crate::metrics::{Counter, Metrics};
use crate::model::{Baggage, Flags};
use crate::propagation::carrier::Places;
use crate::propagation::error::count_malformed;
use crate::propagation::{
    Codec, ExtractError, Extractor, FoundHeaders, HeaderSet, Injector, Key, TextMapReader,
    TextMapWriter,
};
use crate::services::Services;
use crate::span::SpanContext;

/// A codec of several formats. It writes all of them and reads the first one that holds a trace.
///
/// # What it writes
///
/// Every member writes its format. If the carrier holds headers of an earlier request, they are removed.
///
/// # What it reads
///
/// It looks for the headers of all members in one pass. A member that has none of them there is not asked. Then:
///
/// - The first member with a trace gives ids, flags and sampling decision.
/// - A malformed header of one format hides no other format. If no member finds a trace, the first error is returned.
///   Otherwise the first error is logged, and one [`Counter::DecodingErrors`] is counted for the carrier.
/// - Baggage of all members is taken; of several items with one key, that of the first member. Items for which there is
///   no room are counted as [`Counter::BaggageItemsSkipped`].
/// - If a later member names the same trace, `tracestate` and the random flag are taken from it.
/// - If another member names another trace or span, or another sampling decision, that is a *conflict*. One
///   [`Counter::PropagationConflicts`] is counted for the carrier, and the span that is started from the context gets
///   one tag `propagation.conflict` with what the other formats said. A format that leaves the decision open disagrees
///   with none.
/// - If no member finds a trace, a debug id and a decision without ids are taken from the first member that has one.
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::propagation::{CompositeCodec, Extractor, HeaderNames, JaegerCodec};
///
/// // A fleet that is about to rename its headers reads both.
/// let renamed = HeaderNames::default().trace_id("x-shop-trace")?;
/// let codec = CompositeCodec::new()
///     .member(JaegerCodec::http_headers().header_names(renamed))
///     .member(JaegerCodec::http_headers());
/// let headers = BTreeMap::from([("uber-trace-id", "1:2:0:1")]);
/// assert!(codec.extract(&headers)?.expect("a trace").is_sampled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CompositeCodec {
    members: Vec<Member>,
    headers: HeaderSet,
    /// Whether one member owns headers that another one writes.
    writers_overlap: bool,
    metrics: Metrics,
    diagnostics: Diagnostics,
}

struct Member {
    codec: Box<dyn Codec>,
    reads: bool,
    writes: bool,
    /// The places of the member's headers among those of all members.
    places: Places,
}

impl CompositeCodec {
    /// Makes a codec without members: it writes nothing and finds nothing.
    pub fn new() -> Self {
        Self {
            members: Vec::new(),
            headers: HeaderSet::new([], []),
            writers_overlap: false,
            metrics: Metrics::default(),
            diagnostics: Diagnostics::silent(),
        }
    }

    /// Adds a member after the others.
    #[must_use]
    pub fn member(self, codec: impl Codec + 'static) -> Self {
        self.with(codec, [true, true])
    }

    /// Adds a member that only reads, for a format that others speak and this program should not. Its headers are
    /// removed from a carrier before the other members write, so that none is passed on by accident.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tracehound::propagation::{B3Codec, CompositeCodec, Extractor, Injector, JaegerCodec};
    ///
    /// // A gateway: B3 outside, Jaeger inside.
    /// let codec = CompositeCodec::new()
    ///     .reader(B3Codec::single_header())
    ///     .member(JaegerCodec::http_headers());
    /// let mut headers = BTreeMap::from([("b3".to_owned(), "1-2-1".to_owned())]);
    /// let context = codec.extract(&headers)?.expect("a trace");
    /// codec.inject(&context, &mut headers);
    /// assert!(headers.into_keys().eq(["uber-trace-id"]));
    /// # Ok::<(), tracehound::propagation::ExtractError>(())
    /// ```
    #[must_use]
    pub fn reader(self, codec: impl Codec + 'static) -> Self {
        self.with(codec, [true, false])
    }

    /// Adds a member that only writes.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tracehound::propagation::{B3Codec, CompositeCodec, Extractor, Injector, JaegerCodec};
    ///
    /// // Services behind this one know B3 alone; what they send back is not read.
    /// let codec = CompositeCodec::new()
    ///     .member(JaegerCodec::http_headers())
    ///     .writer(B3Codec::single_header());
    /// let mut headers = BTreeMap::from([("uber-trace-id".to_owned(), "1:2:0:1".to_owned())]);
    /// let context = codec.extract(&headers)?.expect("a trace");
    /// codec.inject(&context, &mut headers);
    /// assert!(headers.contains_key("b3"));
    /// # Ok::<(), tracehound::propagation::ExtractError>(())
    /// ```
    #[must_use]
    pub fn writer(self, codec: impl Codec + 'static) -> Self {
        self.with(codec, [false, true])
    }

    fn with(mut self, codec: impl Codec + 'static, [reads, writes]: [bool; 2]) -> Self {
        let mut writers = self.members.iter().filter(|known| known.writes && writes);
        self.writers_overlap |=
            writers.any(|known| known.codec.headers().overlaps(codec.headers()));
        self.members.push(Member {
            codec: Box::new(codec),
            reads,
            writes,
            places: Places::default(),
        });
        let sets = self.members.iter().map(|member| member.codec.headers());
        self.headers = HeaderSet::union(sets);
        for member in &mut self.members {
            member.places = self.headers.places_of(member.codec.headers());
        }
        self
    }
}

impl Default for CompositeCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl Injector for CompositeCodec {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        let writers = self.members.iter().filter(|member| member.writes);
        let is_used = carrier.may_hold(&self.headers);
        if is_used && !self.writers_overlap {
            for reader in self.members.iter().filter(|member| !member.writes) {
                carrier.remove_owned(reader.codec.headers(), &[]);
            }
            for member in writers {
                member.codec.inject(context, carrier);
            }
            return;
        }
        if is_used {
            // Else the later member would remove what the earlier one has just written.
            carrier.remove_owned(&self.headers, &[]);
        }
        let mut carrier = Fresh(carrier);
        for member in writers {
            member.codec.inject(context, &mut carrier);
        }
    }
}

/// A carrier without headers of an earlier request, so that no member looks for its own.
struct Fresh<'c>(&'c mut dyn TextMapWriter);

impl TextMapWriter for Fresh<'_> {
    fn set(&mut self, key: &str, value: &str) -> bool {
        self.0.set(key, value)
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        self.0.remove_where(is_stale);
    }

    fn remove_owned(&mut self, _: &HeaderSet, _: &[&Key]) {}

    fn may_hold(&self, _: &HeaderSet) -> bool {
        false
    }

    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        self.0.set_key(key, value)
    }
}

impl Extractor for CompositeCodec {
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        let mut found = FoundHeaders::default();
        found.fill(carrier, &self.headers);
        if found.is_empty() {
            return Ok(None);
        }
        let mut received = Received {
            skipped: found.skipped(),
            ..Received::default()
        };
        // Most requests speak one format. A member is not asked if none of its headers was found.
        let is_asked = |member: &&Member| member.reads && member.places.overlap(found.places());
        for member in self.members.iter().filter(is_asked) {
            match member.codec.extract(&found) {
                Ok(Some(context)) => received.add(context, member.codec.headers(), &found),
                Ok(None) => {}
                Err(error) => received.refuse(error),
            }
        }
        if received.is_plain() {
            return Ok(received.context);
        }
        received.finish(&self.metrics, &self.diagnostics)
    }
}

impl Codec for CompositeCodec {
    fn headers(&self) -> &HeaderSet {
        &self.headers
    }

    fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
        self.diagnostics = services.diagnostics().clone();
        for member in &mut self.members {
            member.codec.attach(services);
        }
    }
}

impl fmt::Debug for CompositeCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.members.iter().map(|member| member.codec.headers());
        f.debug_list().entries(members).finish()
    }
}

/// The result of asking the members for one carrier.
#[derive(Default)]
struct Received<'m> {
    /// The context of the first member with a trace, or else what members without one have found.
    context: Option<SpanContext>,
    /// The headers of the member that has decided.
    decided_by: Option<&'m HeaderSet>,
    error: Option<ExtractError>,
    conflict: String,
    /// The number of baggage items that were left out.
    skipped: u64,
}

impl<'m> Received<'m> {
    #[inline]
    fn add(&mut self, context: SpanContext, headers: &'m HeaderSet, found: &FoundHeaders<'_>) {
        match self.context.take() {
            None => (self.context, self.decided_by) = (Some(context), Some(headers)),
            Some(first) => self.join(first, context, headers, found),
        }
    }

    #[inline(never)]
    fn join(
        &mut self,
        first: SpanContext,
        other: SpanContext,
        headers: &'m HeaderSet,
        found: &FoundHeaders<'_>,
    ) {
        let is_first_trace = !first.has_trace() && other.has_trace();
        let takes_decision = is_first_trace || (!first.has_trace() && decision(&first).is_none());
        let (mut chosen, other, said_by) = match is_first_trace {
            true => (other, first, self.decided_by),
            false => (first, other, Some(headers)),
        };
        if disagree(&chosen, &other) {
            self.note(&other, said_by, found);
        }
        if takes_decision {
            self.decided_by = Some(headers);
        }
        if chosen.trace_id() == other.trace_id() {
            chosen = chosen.joined_with(&other);
        }
        if !other.baggage().is_empty() {
            let (first, second) = match is_first_trace {
                true => (other.baggage(), chosen.baggage()),
                false => (chosen.baggage(), other.baggage()),
            };
            let baggage = self.joined(first, second);
            chosen = chosen.with_baggage(baggage);
        }
        self.context = Some(chosen);
    }

    /// Joins the baggage of two members, and counts items for which there is no room.
    fn joined(&mut self, first: &Baggage, second: &Baggage) -> Baggage {
        let joined = first.clone().or_also(second);
        if !first.is_empty() {
            let is_in = |key: &str| {
                joined
                    .iter()
                    .any(|(known, _)| known.eq_ignore_ascii_case(key))
            };
            let skipped = second.iter().filter(|(key, _)| !is_in(key)).count();
            self.skipped += skipped as u64;
        }
        joined
    }

    /// Notes what another member says, and the first of its headers that is there and says so.
    #[cold]
    fn note(&mut self, other: &SpanContext, said_by: Option<&HeaderSet>, found: &FoundHeaders<'_>) {
        // A malformed header may stand before the one that was read.
        let id = other.trace_id().map(|id| format!("{:x}", id.low()));
        let says_so = |value: &[u8]| {
            let value = String::from_utf8_lossy(value).to_ascii_lowercase();
            id.as_ref().is_none_or(|id| value.contains(id))
        };
        let first = |must_say_so: bool| {
            said_by?.names().find(|name| {
                let mut headers = found.iter();
                headers.any(|(own, value)| {
                    own.eq_ignore_ascii_case(name) && (!must_say_so || says_so(value))
                })
            })
        };
        let name = first(true).or_else(|| first(false)).unwrap_or_default();
        if !self.conflict.is_empty() {
            self.conflict.push_str(", ");
        }
        self.conflict += &match other.decision_without_trace() {
            Some(flags) => format!("{name} flags {:x}", flags.bits()),
            None => format!("{name} {other}"),
        };
    }

    /// Returns whether there is nothing to count and nothing to note.
    #[inline]
    fn is_plain(&self) -> bool {
        self.error.is_none() && self.conflict.is_empty() && self.skipped == 0
    }

    #[cold]
    fn refuse(&mut self, error: ExtractError) {
        self.error.get_or_insert(error);
    }

    #[cold]
    fn finish(
        self,
        metrics: &Metrics,
        diagnostics: &Diagnostics,
    ) -> Result<Option<SpanContext>, ExtractError> {
        if self.skipped > 0 {
            metrics.add(Counter::BaggageItemsSkipped, self.skipped);
        }
        let has_trace = self.context.as_ref().is_some_and(SpanContext::has_trace);
        match self.error {
            Some(error) if has_trace => count_malformed(&error, metrics, diagnostics),
            Some(error) => return Err(error),
            None => {}
        }
        if self.conflict.is_empty() {
            return Ok(self.context);
        }
        metrics.add(Counter::PropagationConflicts, 1);
        Ok(self
            .context
            .map(|context| context.with_conflict(self.conflict)))
    }
}

/// Returns whether two contexts name different spans, or decide differently.
fn disagree(chosen: &SpanContext, other: &SpanContext) -> bool {
    let span = |context: &SpanContext| context.trace_id().zip(context.span_id());
    let spans = span(chosen).zip(span(other));
    let decisions = decision(chosen).zip(decision(other));
    spans.is_some_and(|(one, other)| one != other)
        || decisions.is_some_and(|(one, other)| one != other)
}

/// Returns whether a context says that the trace is kept, or `None` if it leaves that open.
fn decision(context: &SpanContext) -> Option<bool> {
    let flags = match context.has_trace() {
        true => context.is_sampling_final().then(|| context.flags()),
        false => context.decision_without_trace(),
    };
    flags.map(Flags::is_sampled)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::propagation::{B3Codec, JaegerCodec, W3cCodec};

    #[test]
    fn only_members_that_both_write_overlap() {
        let codec = |writes: [bool; 2]| {
            let b3 = || B3Codec::single_header();
            let mut codec = CompositeCodec::new();
            for writes in writes {
                codec = codec.with(b3(), [true, writes]);
            }
            codec.member(JaegerCodec::http_headers())
        };
        for writes in [[false, false], [false, true], [true, false], [true, true]] {
            let expected = writes == [true, true];
            assert_eq!(codec(writes).writers_overlap, expected, "{writes:?}");
        }
    }

    #[test]
    fn a_decision_without_a_trace_keeps_the_name_of_its_format() {
        let headers = BTreeMap::from([
            ("b3", "0"),
            ("uberctx-tenant", "acme"),
            (
                "traceparent",
                "00-00000000000000000000000000000001-0000000000000002-01",
            ),
        ]);
        let (b3, jaeger) = (B3Codec::single_header, JaegerCodec::http_headers);
        for codec in [
            CompositeCodec::new().member(b3()).member(jaeger()),
            CompositeCodec::new().member(jaeger()).member(b3()),
        ] {
            let codec = codec.member(W3cCodec::new());
            let context = codec.extract(&headers).expect("well-formed");
            let context = context.expect("a trace");
            assert!(context.has_trace() && context.is_sampled());
            assert_eq!(context.conflict(), Some("b3 flags 0"), "{codec:?}");
        }
    }
}
