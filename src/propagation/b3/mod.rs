//! The B3 headers of Zipkin, Envoy and Spring.

mod content;
mod header_names;
mod multiple;
mod single;

use std::borrow::Cow;

use content::{Content, Malformed, State};
use header_names::B3HeaderNames;
use multiple::Values;

use crate::metrics::{Counter, Metrics};
use crate::model::{Baggage, hex_digits};
use crate::propagation::coding::{is_percent_encoded, percent_encoded, trim};
use crate::propagation::received_baggage::{ReceivedBaggage, ValueCoding, is_header_name};
use crate::propagation::{
    Codec, ExtractError, Extractor, FoundHeaders, HeaderSet, Injector, InvalidKey, Key,
    TextMapReader, TextMapWriter,
};
use crate::services::Services;
use crate::span::SpanContext;

/// The codec of B3, the headers of Zipkin, Envoy and Spring, in both of their forms.
///
/// Several headers ([`B3Codec::multiple_headers`]):
///
/// ```text
/// x-b3-traceid: 5b2b4e1f9d3a7c60
/// x-b3-spanid: 6ad04c2b18e7f935
/// x-b3-parentspanid: 05e3ac9a4f6e3b90
/// x-b3-sampled: 1
/// baggage-user: 42
/// ```
///
/// One header ([`B3Codec::single_header`]), `{trace-id}-{span-id}-{state}-{parent-span-id}`:
///
/// ```text
/// b3: 5b2b4e1f9d3a7c60-6ad04c2b18e7f935-1-05e3ac9a4f6e3b90
/// baggage-user: 42
/// ```
///
/// The rules are those of the [B3 specification](https://github.com/openzipkin/b3-propagation). Each codec writes one
/// form and reads both. It works for text maps and for HTTP headers:
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::propagation::B3Codec;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop")
///     .reporter(NullReporter::new())
///     .http_headers_codec(B3Codec::multiple_headers())
///     .text_map_codec(B3Codec::single_header())
///     .build()?;
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// # Sampling state
///
/// | state | several headers | one header | flags |
/// |---|---|---|---|
/// | accept | `x-b3-sampled: 1` | `1` | sampled |
/// | deny | `x-b3-sampled: 0` | `0` | none |
/// | debug | `x-b3-flags: 1` and `x-b3-sampled: 1` | `d` | sampled and debug |
/// | none | no header | left out | the sampler of the receiver decides |
///
/// - Ids without a state leave the decision to the sampler of the receiver, as B3 asks. Jaeger's clients take them for
///   not sampled.
/// - A state without ids decides on the next trace: the root that starts from it obeys it.
/// - Debug writes both headers, because some clients read only one of them. Debug alone is read as sampled, too.
/// - A context with the debug flag but without the sampled flag is written as not sampled. B3 cannot carry other flags.
///
/// # What it writes
///
/// - Names are in lower case. Ids are lower-case hex, padded to 16 digits; a trace id whose upper half is not zero has
///   32. A span without a parent has no parent id.
/// - One header without a state has no place for a parent id, which is then left out.
/// - Baggage values stay as they are if they are printable ASCII. A value with other characters, with a blank at an
///   end, or with an escape such as `%20` is percent-encoded.
/// - A context without a trace writes its baggage, and its state if it has one.
/// - Before it writes, it removes the headers of both forms that an earlier request has left in the carrier.
///
/// # What it reads
///
/// - Names match in any case. Ids may be in upper case or lack leading zeros. Values may have blanks at their ends.
/// - A well-formed `b3` header wins over the several. If it is malformed, the several are read.
/// - The states `true` and `false` are read in any case, and `d` in `x-b3-sampled` as accept. Other text is no state.
/// - The flags `1` win over `x-b3-sampled`. Other flags say nothing.
/// - A trace id or span id that is missing or zero means that there is no trace. The state counts all the same.
/// - A malformed id is an error, and so is a malformed `b3` header if the several say nothing. An empty
///   `x-b3-parentspanid` counts as none.
/// - Of several values of a header the first counts, of `b3` the first that is well-formed, also where a proxy has
///   joined them with commas. If they differ, or if the two forms disagree on the span or the state, a
///   [`Counter::PropagationConflicts`] is added.
/// - Baggage keys become lower case. A percent-encoded baggage value is decoded; one with a malformed escape stays as
///   it is.
///
/// # Limits
///
/// The limits of [`Baggage`] hold. Items beyond them, and items whose key cannot stand in a header name, are left out
/// and counted as [`Counter::BaggageItemsSkipped`]. After 64 items of a request it reads no more.
///
/// # Baggage
///
/// Baggage is no part of B3. The prefix `baggage-` is that of Jaeger's Go and Java clients, which write and read values
/// as they are; its Node client percent-encodes them. There is no form that all of them read alike.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::propagation::{B3Codec, Extractor, Injector};
///
/// let incoming = BTreeMap::from([
///     ("X-B3-TraceId".to_owned(), "1A2B".to_owned()),
///     ("X-B3-SpanId".to_owned(), "3c".to_owned()),
///     ("X-B3-Sampled".to_owned(), "1".to_owned()),
/// ]);
/// let codec = B3Codec::single_header();
/// let context = codec.extract(&incoming)?.expect("has ids");
/// assert!(context.is_sampled());
///
/// let mut outgoing = BTreeMap::new();
/// codec.inject(&context, &mut outgoing);
/// assert_eq!(outgoing["b3"], "0000000000001a2b-000000000000003c-1");
/// # Ok::<(), tracehound::propagation::ExtractError>(())
/// ```
#[derive(Clone, Debug)]
pub struct B3Codec {
    form: Form,
    names: B3HeaderNames,
    metrics: Metrics,
}

/// The form that a codec writes.
#[derive(Clone, Copy, Debug)]
enum Form {
    Multiple,
    Single,
}

impl B3Codec {
    /// Returns the codec that writes several headers, which every B3 library reads.
    pub fn multiple_headers() -> Self {
        Self::new(Form::Multiple)
    }

    /// Returns the codec that writes one header, for carriers in which each header costs, such as those of messages.
    ///
    /// Jaeger's own clients do not read it.
    pub fn single_header() -> Self {
        Self::new(Form::Single)
    }

    /// Sets the prefix of the headers that hold one baggage item each. Defaults to `baggage-`.
    ///
    /// # Errors
    ///
    /// Fails if `prefix` is empty or no header name can begin with it.
    ///
    /// ```
    /// use tracehound::propagation::B3Codec;
    ///
    /// // The default prefix of Jaeger's Node client.
    /// let codec = B3Codec::multiple_headers().baggage_prefix("uberctx-")?;
    /// # Ok::<(), tracehound::propagation::InvalidKey>(())
    /// ```
    pub fn baggage_prefix(self, prefix: &str) -> Result<Self, InvalidKey> {
        let names = B3HeaderNames::new(Key::new(prefix)?);
        Ok(Self { names, ..self })
    }

    fn new(form: Form) -> Self {
        Self {
            form,
            names: B3HeaderNames::default(),
            metrics: Metrics::default(),
        }
    }

    fn inject_multiple(&self, content: &Content, carrier: &mut dyn TextMapWriter) {
        let names = &self.names;
        let mut headers: [(&Key, &[u8]); 5] = [(&names.trace_id, b""); 5];
        let mut places = headers.iter_mut();
        let mut put = |header| {
            if let Some(place) = places.next() {
                *place = header;
            }
        };
        let (trace_id, span_id, parent_id);
        if let Some(ids) = &content.ids {
            trace_id = [ids.trace_id.high(), ids.trace_id.low()].map(hex_digits);
            span_id = hex_digits(ids.span_id.get());
            let from = if ids.trace_id.high() == 0 { 16 } else { 0 };
            put((&names.trace_id, &trace_id.as_flattened()[from..]));
            put((&names.span_id, &span_id));
            if let Some(parent) = ids.parent_id {
                parent_id = hex_digits(parent.get());
                put((&names.parent_id, &parent_id));
            }
        }
        if let Some(state) = content.state {
            if state == State::Debug {
                put((&names.flags, b"1"));
            }
            let is_sampled = state != State::Deny;
            put((&names.sampled, if is_sampled { b"1" } else { b"0" }));
        }
        let unused = places.len();
        let count = headers.len() - unused;
        if !carrier.replace(&names.set, headers.get(..count).unwrap_or_default()) {
            self.count_refused();
        }
    }

    fn inject_single(&self, content: &Content, carrier: &mut dyn TextMapWriter) {
        match single::print(content, &mut [0; single::MAX_BYTES]) {
            Some(value) => {
                if !carrier.replace(&self.names.set, &[(&self.names.single, value)]) {
                    self.count_refused();
                }
            }
            None => carrier.remove_owned(&self.names.set, &[]),
        }
    }

    /// Counts headers of a trace that the carrier refuses.
    #[cold]
    fn count_refused(&self) {
        self.metrics.add(Counter::EncodingErrors, 1);
    }

    fn inject_baggage(&self, baggage: &Baggage, carrier: &mut dyn TextMapWriter) {
        let prefix = self.names.baggage_prefix.as_str();
        let mut name = String::from(prefix);
        let mut skipped = 0;
        for (key, value) in baggage.iter() {
            name.truncate(prefix.len());
            name.push_str(key);
            let is_written = is_header_name(key)
                && !self.names.is_reserved(key)
                && carrier.set(&name, &written(value));
            skipped += u64::from(!is_written);
        }
        if skipped > 0 {
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
    }

    /// Returns what the headers say, and counts those that disagree.
    fn content(&self, found: &FoundHeaders<'_>) -> Result<Content, ExtractError> {
        let mut differ = false;
        let one = single::read(pieces(found, &self.names.single), &mut differ);
        let mut first = |key| first(found, key, &mut differ);
        let several = Values {
            trace_id: first(&self.names.trace_id),
            span_id: first(&self.names.span_id),
            parent_id: first(&self.names.parent_id),
            sampled: first(&self.names.sampled),
            flags: first(&self.names.flags),
        };
        let several = several.content();
        let chosen = choose(one, several, &mut differ).map_err(Malformed::into_error)?;
        if differ {
            self.metrics.add(Counter::PropagationConflicts, 1);
        }
        Ok(chosen)
    }
}

impl Injector for B3Codec {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        let content = Content::of(context);
        match self.form {
            Form::Multiple => self.inject_multiple(&content, carrier),
            Form::Single => self.inject_single(&content, carrier),
        }
        if !context.baggage().is_empty() {
            self.inject_baggage(context.baggage(), carrier);
        }
    }
}

impl Extractor for B3Codec {
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        let mut found = FoundHeaders::default();
        found.fill(carrier, &self.names.set);
        if found.is_empty() {
            return Ok(None);
        }
        let context = self.content(&found)?.context();
        let mut items = ReceivedBaggage::new(ValueCoding::Percent, found.skipped());
        items.reserve(found.with_prefix(&self.names.baggage_prefix));
        for (key, value) in found.with_prefix(&self.names.baggage_prefix) {
            if !self.names.is_reserved(key) {
                items.read(key, value);
            }
        }
        Ok(match items.finish(&self.metrics) {
            Some(baggage) => Some(context.unwrap_or_default().with_baggage(baggage)),
            None => context,
        })
    }
}

impl Codec for B3Codec {
    fn headers(&self) -> &HeaderSet {
        &self.names.set
    }

    fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
    }
}

/// Chooses between the two forms: the one header, unless it is missing, or malformed while the several say something.
fn choose<'c>(
    one: Result<Option<Content>, Malformed<'c>>,
    several: Result<Content, Malformed<'c>>,
    differ: &mut bool,
) -> Result<Content, Malformed<'c>> {
    match (one, several) {
        (Ok(Some(one)), several) => {
            *differ |= several.is_ok_and(|several| one.contradicts(&several));
            Ok(one)
        }
        (Ok(None), several) => several,
        (Err(_), Ok(several)) if !several.is_nothing() => Ok(several),
        (Err(malformed), _) => Err(malformed),
    }
}

/// Returns the values of a header, without blanks at their ends. A proxy may have joined several with commas.
fn pieces<'c>(found: &FoundHeaders<'c>, key: &Key) -> impl Iterator<Item = &'c [u8]> {
    found
        .values(key)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(trim)
}

/// Returns the first value of a header, and notes whether another one differs.
fn first<'c>(found: &FoundHeaders<'c>, key: &Key, differ: &mut bool) -> Option<&'c [u8]> {
    let mut pieces = pieces(found, key);
    let first = pieces.next()?;
    *differ |= pieces.any(|other| other != first);
    Some(first)
}

/// Returns a baggage value as it is written. It is encoded if a reader would otherwise take it for another value.
fn written(value: &str) -> Cow<'_, str> {
    let is_printable = |byte: u8| matches!(byte, b' '..=b'~');
    let bytes = value.as_bytes();
    if bytes.iter().copied().all(is_printable)
        && trim(bytes).len() == bytes.len()
        && !is_percent_encoded(bytes)
    {
        value.into()
    } else {
        percent_encoded(value)
    }
}
