use std::fmt;

use crate::metrics::{Counter, Metrics};
use crate::propagation::{
    Codec, ExtractError, Extractor, HeaderSet, Injector, Key, TextMapReader, TextMapWriter,
};
use crate::services::Services;
use crate::span::SpanContext;

/// A codec of several formats. It writes all of them and reads the first one that holds a trace.
///
/// # What it writes
///
/// What every member writes. The headers of an earlier request are removed in one pass, if there are any.
///
/// # What it reads
///
/// It looks for the headers of all members in one pass. Then:
///
/// - The first member with a trace gives ids, flags and sampling decision.
/// - A malformed header of one format is counted as [`Counter::DecodingErrors`] and hides no other format. If no
///   member finds a trace, the first error is returned.
/// - Baggage of all members is taken; of several items with one key, that of the first member.
/// - If a later member names the same trace, `tracestate` and the random flag are taken from it.
/// - If a later member names another trace or span, or another sampling decision, that is a *conflict*. It is counted
///   as [`Counter::PropagationConflicts`], and the span that is started from the context gets a tag
///   `propagation.conflict` with what the other formats said.
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
}

struct Member {
    codec: Box<dyn Codec>,
    reads: bool,
    writes: bool,
}

impl CompositeCodec {
    /// Makes a codec without members: it writes nothing and finds nothing.
    pub fn new() -> Self {
        Self {
            members: Vec::new(),
            headers: HeaderSet::new([], []),
            writers_overlap: false,
            metrics: Metrics::default(),
        }
    }

    /// Adds a member after the others.
    #[must_use]
    pub fn member(self, codec: impl Codec + 'static) -> Self {
        self.with(Member {
            codec: Box::new(codec),
            reads: true,
            writes: true,
        })
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
        self.with(Member {
            codec: Box::new(codec),
            reads: true,
            writes: false,
        })
    }

    /// Adds a member that only writes.
    #[must_use]
    pub fn writer(self, codec: impl Codec + 'static) -> Self {
        self.with(Member {
            codec: Box::new(codec),
            reads: false,
            writes: true,
        })
    }

    fn with(mut self, member: Member) -> Self {
        let mut writers = self.members.iter().filter(|member| member.writes);
        self.writers_overlap |= member.writes
            && writers.any(|other| overlap(other.codec.headers(), member.codec.headers()));
        self.members.push(member);
        let sets = self.members.iter().map(|member| member.codec.headers());
        self.headers = HeaderSet::union(sets);
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

    fn replace(&mut self, _: &HeaderSet, key: &Key, value: &[u8]) -> bool {
        self.0.set_key(key, value)
    }

    fn may_hold(&self, _: &HeaderSet) -> bool {
        false
    }

    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        self.0.set_key(key, value)
    }
}

impl Extractor for CompositeCodec {
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        let found = carrier.find(&self.headers);
        if found.is_empty() {
            return Ok(None);
        }
        let mut received = Received::default();
        for member in self.members.iter().filter(|member| member.reads) {
            match member.codec.extract(&found) {
                Ok(Some(context)) => received.add(context, member.codec.headers()),
                Ok(None) => {}
                Err(error) => received.refuse(error),
            }
        }
        if found.skipped() > 0 {
            let counter = Counter::BaggageItemsSkipped;
            self.metrics.add(counter, found.skipped());
        }
        received.finish(&self.metrics)
    }
}

impl Codec for CompositeCodec {
    fn headers(&self) -> &HeaderSet {
        &self.headers
    }

    fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
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

/// What the members have found in one carrier.
#[derive(Default)]
struct Received {
    /// The context of the first member with a trace, or else what members without one have found.
    context: Option<SpanContext>,
    error: Option<ExtractError>,
    malformed: u64,
    conflict: String,
}

impl Received {
    fn add(&mut self, other: SpanContext, headers: &HeaderSet) {
        let Some(first) = self.context.take() else {
            self.context = Some(other);
            return;
        };
        let is_replaced = !first.has_trace() && other.has_trace();
        let is_merged = !other.baggage().is_empty() || (is_replaced && !first.baggage().is_empty());
        let baggage = is_merged.then(|| first.baggage().clone().or_also(other.baggage()));
        let (mut chosen, other) = match is_replaced {
            true => (other, first),
            false => (first, other),
        };
        if chosen.trace_id() == other.trace_id() {
            chosen = chosen.joined_with(&other);
        }
        if let Some(baggage) = baggage {
            chosen = chosen.with_baggage(baggage);
        }
        if other.has_trace() && !agree(&chosen, &other) {
            self.note(&other, headers);
        }
        self.context = Some(chosen);
    }

    #[cold]
    fn note(&mut self, other: &SpanContext, headers: &HeaderSet) {
        if !self.conflict.is_empty() {
            self.conflict.push_str(", ");
        }
        let name = headers.names().next().unwrap_or_default();
        self.conflict += &format!("{name} {other}");
    }

    fn refuse(&mut self, error: ExtractError) {
        self.malformed += 1;
        self.error.get_or_insert(error);
    }

    fn finish(self, metrics: &Metrics) -> Result<Option<SpanContext>, ExtractError> {
        let has_trace = self.context.as_ref().is_some_and(SpanContext::has_trace);
        if let (Some(error), false) = (self.error, has_trace) {
            return Err(error);
        }
        if self.malformed > 0 {
            metrics.add(Counter::DecodingErrors, self.malformed);
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

/// Returns whether two sets have a header in common.
fn overlap(one: &HeaderSet, other: &HeaderSet) -> bool {
    let mut prefixes = one.prefixes();
    one.names().any(|name| other.contains(name))
        || other.names().any(|name| one.contains(name))
        || prefixes.any(|prefix| {
            let mut others = other.prefixes();
            others.any(|other| prefix.starts_with(other) || other.starts_with(prefix))
        })
}

/// Returns whether two contexts name one span and decide alike. A context that leaves the decision open agrees with
/// each.
fn agree(chosen: &SpanContext, other: &SpanContext) -> bool {
    let is_decided = chosen.is_sampling_final() && other.is_sampling_final();
    chosen.trace_id() == other.trace_id()
        && chosen.span_id() == other.span_id()
        && (!is_decided || chosen.is_sampled() == other.is_sampled())
}
