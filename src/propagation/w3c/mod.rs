mod baggage;
mod ot_member;
mod trace_parent;
mod trace_state;

use baggage::ReceivedMembers;
pub(crate) use trace_parent::TraceParent;
pub(crate) use trace_state::reopened;

use crate::metrics::{Counter, Metrics};
use crate::model::{Baggage, Carried, TraceState};
use crate::propagation::{
    Codec, ExtractError, Extractor, FoundHeaders, HeaderSet, Injector, Key, TextMapReader,
    TextMapWriter,
};
use crate::services::Services;
use crate::span::SpanContext;

/// The codec of W3C Trace Context (level 2) and W3C Baggage, the headers that most tracing systems have in common.
///
/// ```text
/// traceparent: {version}-{trace-id}-{span-id}-{flags}
/// traceparent: 00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01
/// tracestate: ot=th:8;rv:6e6d1a75832a2f,congo=t61rcWkgMzE
/// baggage: user=42,cart=7%20items;ttl=30
/// ```
///
/// It reads and writes carriers of any text, and HTTP headers and gRPC metadata alike.
///
/// # What it writes
///
/// - `traceparent` in version 00. Ids are padded with zeros to 32 and 16 digits. The flags are *sampled* and *random*
///   ([`SpanContext::has_random_trace_id`]); all others of Jaeger's flags are lost. Debug without sampled is not
///   sampled, as in the other formats.
/// - `tracestate` as it came, cut to [`TraceState::MAX_HEADER_CHARS`]. If a probability of this program kept the trace,
///   the member `ot` is set to the threshold and the random value of OpenTelemetry, so that a count of traces is right
///   over programs with either SDK. No other sampler sets one. A threshold that came with the trace is removed if the
///   trace was decided otherwise here.
/// - `baggage`: values are percent-encoded as in [`JaegerCodec`](crate::propagation::JaegerCodec), keys and properties
///   are not. At most [`Baggage::MAX_ITEMS`] items and [`Baggage::MAX_BYTES`] bytes; items at the end that do not fit
///   are left out, and so are those whose key is empty or not an HTTP token. Each is counted as
///   [`Counter::BaggageItemsSkipped`].
/// - A context without a trace writes only its baggage.
///
/// # What it reads
///
/// - `traceparent` of version 00, and those fields of later versions that W3C Trace Context promises to keep: ids and
///   *sampled*. Blanks at its ends are left out. Upper-case digits, ids of zero, the version `ff`, or several such
///   headers that differ are an error.
/// - In the text map of a [`Propagation`](crate::propagation::Propagation), the last valid `traceparent` counts, with
///   the last `tracestate`: some clients append theirs to a message that they publish again.
/// - `tracestate` only with a valid `traceparent`; [`TraceState`] has the rules. If it is malformed, it is left out and
///   counted as a [`Counter::DecodingErrors`]; the trace goes on. Of more than 2,048 characters as many are kept, by
///   the rule of [`TraceState::to_header`].
/// - `baggage`: values are percent-decoded; one with a malformed escape stays as it is. Keys are not decoded and keep
///   their case. Of several items with one key the last one counts. Items that are malformed, or beyond the limits of
///   [`Baggage`], are left out and counted as [`Counter::BaggageItemsSkipped`]. Properties that are not printable ASCII
///   are left out. Baggage without a trace gives a context without a trace.
///
/// # Differences
///
/// A `+` in a value of baggage is a plus, as W3C Baggage says. OpenTelemetry for Python writes it for a space.
///
/// # Baggage to and from other clients
///
/// Measured over HTTP with the SDKs of OpenTelemetry for Go, Node, Python and Rust. All other baggage that was tried
/// arrives as it was sent: punctuation, characters beyond ASCII, and 64 items. `interop/BAGGAGE.md` has the reasons.
///
/// | baggage | from | to | arrives as |
/// |---|---|---|---|
/// | an empty value | this crate | Node | nothing |
/// | a space | Python | this crate | `a+b` |
/// | spaces at the ends | this crate | Python, Rust | `a` |
/// | spaces at the ends | Python | this crate | `+a+` |
/// | spaces at the ends | Rust | this crate | `a` |
/// | an escape | Rust | this crate | `a b` |
/// | 4,096 bytes | this crate | Python | nothing |
/// | 4,096 bytes | Node, Python | this crate | nothing |
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::propagation::{Extractor, Injector, W3cCodec};
///
/// let codec = W3cCodec::new();
/// let incoming = BTreeMap::from([
///     ("traceparent", "00-463ac35c9f6413ad48485a3953bb6124-a2fb4a1d1a96d312-01"),
///     ("tracestate", "congo=t61rcWkgMzE"),
///     ("baggage", "user=42"),
/// ]);
/// let context = codec.extract(&incoming)?.expect("there is a traceparent");
/// assert!(context.is_sampled());
/// assert_eq!(context.baggage().get("user"), Some("42"));
///
/// let mut outgoing = BTreeMap::new();
/// codec.inject(&context, &mut outgoing);
/// assert_eq!(outgoing["tracestate"], "congo=t61rcWkgMzE");
/// # Ok::<(), tracehound::propagation::ExtractError>(())
/// ```
#[derive(Clone, Debug)]
pub struct W3cCodec {
    headers: HeaderSet,
    trace: Option<TraceKeys>,
    baggage: Option<BaggageKey>,
    metrics: Metrics,
}

/// The headers of W3C Trace Context.
#[derive(Clone, Debug)]
struct TraceKeys {
    parent: Key,
    state: Key,
    set: HeaderSet,
    /// Whether the last of several headers counts.
    last_counts: bool,
}

/// The header of W3C Baggage.
#[derive(Clone, Debug)]
struct BaggageKey {
    key: Key,
    set: HeaderSet,
}

impl W3cCodec {
    /// Returns the codec of `traceparent`, `tracestate` and `baggage`.
    pub fn new() -> Self {
        Self::of(Some(TraceKeys::new()), Some(BaggageKey::new()))
    }

    /// Returns the codec of `traceparent` and `tracestate` alone. It neither reads nor writes nor removes baggage.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tracehound::propagation::{Codec, W3cCodec};
    ///
    /// let codec = W3cCodec::trace_context();
    /// let names: Vec<&str> = codec.headers().names().collect();
    /// assert_eq!(names, ["traceparent", "tracestate"]);
    /// ```
    pub fn trace_context() -> Self {
        Self::of(Some(TraceKeys::new()), None)
    }

    /// Returns the codec of `baggage` alone, for use beside another format of the trace, in a
    /// [`CompositeCodec`](crate::propagation::CompositeCodec).
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tracehound::SpanContext;
    /// use tracehound::propagation::{Injector, W3cCodec};
    ///
    /// let context = SpanContext::default().with_baggage_item("user", "4 2");
    /// let mut headers = BTreeMap::new();
    /// W3cCodec::baggage().inject(&context, &mut headers);
    /// assert_eq!(headers["baggage"], "user=4%202");
    /// ```
    pub fn baggage() -> Self {
        Self::of(None, Some(BaggageKey::new()))
    }

    /// Makes the last of several headers count, as in messages.
    pub(in crate::propagation) fn for_messages(mut self) -> Self {
        if let Some(keys) = &mut self.trace {
            keys.last_counts = true;
        }
        self
    }

    fn of(trace: Option<TraceKeys>, baggage: Option<BaggageKey>) -> Self {
        let trace_set = trace.iter().map(|keys| &keys.set);
        let sets = trace_set.chain(baggage.iter().map(|baggage| &baggage.set));
        Self {
            headers: HeaderSet::union(sets),
            trace,
            baggage,
            metrics: Metrics::default(),
        }
    }
}

impl Default for W3cCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl TraceKeys {
    fn new() -> Self {
        let [parent, state] = ["traceparent", "tracestate"].map(Key::from_static);
        Self {
            set: HeaderSet::new([parent.clone(), state.clone()], []),
            parent,
            state,
            last_counts: false,
        }
    }
}

impl BaggageKey {
    fn new() -> Self {
        let key = Key::from_static("baggage");
        Self {
            set: HeaderSet::new([key.clone()], []),
            key,
        }
    }
}

impl Injector for W3cCodec {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        let baggage = self.baggage.as_ref();
        let baggage = baggage.filter(|_| !context.baggage().is_empty());
        match self.trace.as_ref().zip(TraceParent::of(context)) {
            Some((keys, parent)) => {
                // One pass removes baggage of an earlier request, too, unless other baggage takes its place.
                let owned = baggage.map_or(&self.headers, |_| &keys.set);
                if !keys.inject(context, &parent, owned, carrier) {
                    self.count_refused();
                }
            }
            None => carrier.remove_owned(&self.headers, &[]),
        }
        if let Some(baggage) = baggage {
            self.inject_baggage(context.baggage(), baggage, carrier);
        }
    }
}

impl Extractor for W3cCodec {
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        let mut found = FoundHeaders::default();
        found.fill(carrier, &self.headers);
        if found.is_empty() {
            return Ok(None);
        }
        // Nearly every request with headers of ours has this one alone.
        if let (Some((name, value)), Some(keys)) = (found.only(), &self.trace)
            && keys.parent.matches(name)
            && let Ok(parent) = TraceParent::parse(value)
        {
            return Ok(Some(parent.context()));
        }
        self.extract_any(&found)
    }
}

impl Codec for W3cCodec {
    fn headers(&self) -> &HeaderSet {
        &self.headers
    }

    fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
    }
}

impl W3cCodec {
    fn extract_any(&self, found: &FoundHeaders<'_>) -> Result<Option<SpanContext>, ExtractError> {
        let trace = match &self.trace {
            Some(keys) => keys.extract(found)?,
            None => None,
        };
        let trace_state = match &self.trace {
            Some(keys) if trace.is_some() => self.extract_trace_state(found, keys),
            _ => TraceState::default(),
        };
        let baggage = self.extract_baggage(found);
        let context = trace.map_or_else(SpanContext::default, TraceParent::context);
        let context = context.with_carried(Carried::new(baggage, trace_state));
        Ok((!context.is_empty()).then_some(context))
    }

    /// Counts headers of a trace that the carrier refuses.
    #[cold]
    fn count_refused(&self) {
        self.metrics.add(Counter::EncodingErrors, 1);
    }

    fn extract_trace_state(&self, found: &FoundHeaders<'_>, keys: &TraceKeys) -> TraceState {
        let count = found.values(&keys.state).count();
        let stale = if keys.last_counts {
            count.saturating_sub(1)
        } else {
            0
        };
        TraceState::received(found.values(&keys.state).skip(stale)).unwrap_or_else(|_| {
            self.metrics.add(Counter::DecodingErrors, 1);
            TraceState::default()
        })
    }

    fn extract_baggage(&self, found: &FoundHeaders<'_>) -> Baggage {
        let Some(BaggageKey { key, .. }) = &self.baggage else {
            return Baggage::default();
        };
        let mut received = ReceivedMembers::default();
        received.reserve(found.values(key));
        for header in found.values(key) {
            received.read(header);
        }
        let (baggage, skipped) = received.build();
        let skipped = skipped + found.skipped();
        if skipped > 0 {
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
        baggage
    }

    fn inject_baggage(
        &self,
        baggage: &Baggage,
        BaggageKey { key, set }: &BaggageKey,
        carrier: &mut dyn TextMapWriter,
    ) {
        let (text, mut skipped) = baggage::print(baggage);
        let header = [(key, text.as_bytes())];
        let header = if text.is_empty() { &[] } else { &header[..] };
        if !carrier.replace(set, header) {
            skipped = baggage.len() as u64;
        }
        if skipped > 0 {
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
    }
}

impl TraceKeys {
    /// Writes both headers in place of those of `owned`. Returns false if the carrier refuses one; `tracestate` is then
    /// removed, because it says nothing without `traceparent`.
    fn inject(
        &self,
        context: &SpanContext,
        parent: &TraceParent,
        owned: &HeaderSet,
        carrier: &mut dyn TextMapWriter,
    ) -> bool {
        let parent = parent.print();
        let mut is_whole = true;
        trace_state::write(context, |state| {
            let headers = [(&self.parent, &parent[..]), (&self.state, state.as_bytes())];
            let count = if state.is_empty() { 1 } else { 2 };
            is_whole = carrier.replace(owned, &headers[..count]);
            if !is_whole {
                carrier.remove_where(&|key| self.state.matches(key));
            }
        });
        is_whole
    }

    /// Reads the trace.
    fn extract(&self, found: &FoundHeaders<'_>) -> Result<Option<TraceParent>, ExtractError> {
        let mut values = found.values(&self.parent);
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let parsed = match values.next() {
            None => TraceParent::parse(value),
            Some(_) => self.extract_repeated(found),
        };
        let corrupted = |rule| ExtractError::corrupted(self.parent.as_str(), rule, value);
        parsed.map(Some).map_err(corrupted)
    }

    /// Reads the trace of several headers: the last valid one, or else the one that all of them name.
    #[cold]
    fn extract_repeated(&self, found: &FoundHeaders<'_>) -> Result<TraceParent, &'static str> {
        let mut parents = found.values(&self.parent).map(TraceParent::parse);
        let chosen = if self.last_counts {
            parents.filter_map(Result::ok).last()
        } else {
            let first = parents.next().and_then(Result::ok);
            first.filter(|first| parents.all(|other| other == Ok(*first)))
        };
        chosen.ok_or("expected one header, found several")
    }
}
