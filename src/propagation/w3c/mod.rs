mod baggage;
mod ot_member;
mod trace_parent;
mod trace_state;

use baggage::ReceivedMembers;
pub(crate) use trace_parent::TraceParent;
pub(crate) use trace_state::reopened;

use crate::metrics::{Counter, Metrics};
use crate::model::{Baggage, Carried, ShortList, TraceState};
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
    baggage: Option<Key>,
    metrics: Metrics,
}

/// The headers of W3C Trace Context.
#[derive(Clone, Debug)]
struct TraceKeys {
    parent: Key,
    state: Key,
    /// Whether the last of several headers counts.
    last_counts: bool,
}

impl W3cCodec {
    /// Returns the codec of `traceparent`, `tracestate` and `baggage`.
    pub fn new() -> Self {
        Self::of(Some(TraceKeys::new()), Some(baggage_key()))
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
        Self::of(None, Some(baggage_key()))
    }

    /// Makes the last of several headers count, as in messages.
    pub(in crate::propagation) fn for_messages(mut self) -> Self {
        if let Some(keys) = &mut self.trace {
            keys.last_counts = true;
        }
        self
    }

    fn of(trace: Option<TraceKeys>, baggage: Option<Key>) -> Self {
        let names = trace.iter().flat_map(|keys| [&keys.parent, &keys.state]);
        Self {
            headers: HeaderSet::new(names.chain(&baggage).cloned(), []),
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
            parent,
            state,
            last_counts: false,
        }
    }
}

fn baggage_key() -> Key {
    Key::from_static("baggage")
}

impl Injector for W3cCodec {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        if let Some(key) = &self.baggage
            && !context.baggage().is_empty()
        {
            return self.inject_with_baggage(context, key, carrier);
        }
        let Some((keys, parent)) = self.trace.as_ref().zip(TraceParent::of(context)) else {
            return carrier.remove_owned(&self.headers, &[]);
        };
        if !self.write_trace(context, keys, &parent, None, carrier) {
            self.count_refused();
            // It says nothing without `traceparent`.
            carrier.remove_where(&|key| keys.state.matches(key));
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

/// A header that is written.
type Header<'h> = (&'h Key, &'h [u8]);

impl W3cCodec {
    /// Writes the trace, if there is one, and baggage, in one pass over the carrier.
    #[inline(never)]
    fn inject_with_baggage(
        &self,
        context: &SpanContext,
        key: &Key,
        carrier: &mut dyn TextMapWriter,
    ) {
        let (text, mut skipped) = baggage::print(context.baggage());
        let header = Some((key, &*text)).filter(|(_, text)| !text.is_empty());
        let is_whole = match self.trace.as_ref().zip(TraceParent::of(context)) {
            Some((keys, parent)) => self.write_trace(context, keys, &parent, header, carrier),
            None => carrier.replace(&self.headers, header.as_slice()),
        };
        if !is_whole {
            // The carrier refuses one of the headers. Each is tried by itself, and counted.
            let trace = context.clone().with_baggage(Baggage::default());
            self.inject(&trace, carrier);
            if header.is_some_and(|(key, text)| !carrier.set_key(key, text)) {
                skipped = context.baggage().len() as u64;
            }
        }
        if skipped > 0 {
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
    }

    /// Writes the trace and baggage in place of the headers of an earlier request. Returns false if the carrier refuses
    /// one of them.
    // `always`: most requests have no baggage, and then the code for it is left out.
    #[inline(always)]
    fn write_trace(
        &self,
        context: &SpanContext,
        keys: &TraceKeys,
        parent: &TraceParent,
        baggage: Option<Header<'_>>,
        carrier: &mut dyn TextMapWriter,
    ) -> bool {
        let parent = parent.print();
        let parent = (&keys.parent, &parent[..]);
        let mut are_written = true;
        trace_state::write(context, |state| {
            let state = (&keys.state, state.as_bytes());
            let headers: &[_] = match (state.1.is_empty(), baggage) {
                (true, None) => &[parent],
                (false, None) => &[parent, state],
                (true, Some(baggage)) => &[parent, baggage],
                (false, Some(baggage)) => &[parent, state, baggage],
            };
            are_written = carrier.replace(&self.headers, headers);
        });
        are_written
    }

    /// Counts headers of a trace that the carrier refuses.
    #[cold]
    fn count_refused(&self) {
        self.metrics.add(Counter::EncodingErrors, 1);
    }
}

/// The values of each header that was found, in the order of the carrier.
#[derive(Default)]
struct Received<'c> {
    parents: Values<'c>,
    states: Values<'c>,
    baggage: Values<'c>,
}

type Values<'c> = ShortList<&'c [u8], 1>;

impl W3cCodec {
    fn extract_any(&self, found: &FoundHeaders<'_>) -> Result<Option<SpanContext>, ExtractError> {
        let received = self.sorted(found);
        let trace = match &self.trace {
            Some(keys) => keys.extract(received.parents.as_slice())?,
            None => None,
        };
        let trace_state = match &self.trace {
            Some(keys) if trace.is_some() => {
                self.extract_trace_state(received.states.as_slice(), keys)
            }
            _ => TraceState::default(),
        };
        let baggage = self.extract_baggage(received.baggage.as_slice(), found.skipped());
        let context = trace.map_or_else(SpanContext::default, TraceParent::context);
        let context = context.with_carried(Carried::new(baggage, trace_state));
        Ok((!context.is_empty()).then_some(context))
    }

    /// Sorts the headers by their names.
    fn sorted<'c>(&self, found: &FoundHeaders<'c>) -> Received<'c> {
        let mut received = Received::default();
        for (name, value) in found.iter() {
            let keys = self.trace.as_ref();
            if self.baggage.as_ref().is_some_and(|key| key.matches(name)) {
                received.baggage.push(value);
            } else if keys.is_some_and(|keys| keys.parent.matches(name)) {
                received.parents.push(value);
            } else if keys.is_some_and(|keys| keys.state.matches(name)) {
                received.states.push(value);
            }
        }
        received
    }

    fn extract_trace_state(&self, values: &[&[u8]], keys: &TraceKeys) -> TraceState {
        let values = match values {
            [.., last] if keys.last_counts => std::slice::from_ref(last),
            values => values,
        };
        TraceState::received(values.iter().copied()).unwrap_or_else(|_| {
            self.metrics.add(Counter::DecodingErrors, 1);
            TraceState::default()
        })
    }

    /// Reads baggage. Counts items that were left out, here or before.
    fn extract_baggage(&self, values: &[&[u8]], skipped: u64) -> Baggage {
        if self.baggage.is_none() {
            return Baggage::default();
        }
        let mut received = ReceivedMembers::default();
        received.reserve(values);
        for header in values {
            received.read(header);
        }
        let (baggage, malformed) = received.build();
        let skipped = skipped + malformed;
        if skipped > 0 {
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
        baggage
    }
}

impl TraceKeys {
    /// Reads the trace.
    fn extract(&self, values: &[&[u8]]) -> Result<Option<TraceParent>, ExtractError> {
        let Some(value) = values.first() else {
            return Ok(None);
        };
        let parsed = match values {
            [value] => TraceParent::parse(value),
            _ => self.extract_repeated(values),
        };
        let corrupted = |rule| ExtractError::corrupted(self.parent.as_str(), rule, value);
        parsed.map(Some).map_err(corrupted)
    }

    /// Reads the trace of several headers: the last valid one, or else the one that all of them name.
    #[cold]
    fn extract_repeated(&self, values: &[&[u8]]) -> Result<TraceParent, &'static str> {
        let mut parents = values.iter().map(|value| TraceParent::parse(value));
        let chosen = if self.last_counts {
            parents.filter_map(Result::ok).next_back()
        } else {
            let first = parents.next().and_then(Result::ok);
            first.filter(|first| parents.all(|other| other == Ok(*first)))
        };
        chosen.ok_or("expected one header, found several")
    }
}
