mod header_names;
mod trace_header;

pub use header_names::HeaderNames;
use trace_header::{MAX_BYTES, ReceivedTrace, TraceHeader};

use crate::metrics::{Counter, Metrics};
use crate::model::Baggage;
use crate::propagation::coding::percent_encoded;
use crate::propagation::received_baggage::{ReceivedBaggage, ValueCoding, is_header_name};
use crate::propagation::{
    Codec, ExtractError, Extractor, FoundHeaders, HeaderSet, Injector, TextMapReader, TextMapWriter,
};
use crate::services::Services;
use crate::span::SpanContext;

/// The codec of Jaeger's own headers, in the form that its clients in all languages write and read.
///
/// ```text
/// uber-trace-id: {trace-id}:{span-id}:{parent-span-id}:{flags}
/// uber-trace-id: 5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:1
/// uberctx-user: 42
/// ```
///
/// # What it writes
///
/// - Ids are lower-case hex, padded to 16 digits; a trace id whose upper half is not zero has 32. A span without a
///   parent has the parent id `0`. Flags are hex without padding.
/// - Baggage values are percent-encoded in HTTP headers, a space as `%20`. In text maps they stay as they are.
/// - A context without a trace writes only its baggage.
/// - Before it writes, it removes all of Jaeger's headers that an earlier request has left in the carrier, if the
///   carrier can remove ([`TextMapWriter::remove_where`]).
///
/// # What it reads
///
/// It reads what it writes, and also what other clients and proxies make of it:
///
/// - Ids may be in upper case or lack leading zeros. The trace header may be percent-encoded or have blanks at its
///   ends.
/// - An id of zero means that there is no trace.
/// - Of several trace headers, the last one with a trace counts. If they differ, a [`Counter::PropagationConflicts`] is
///   added.
/// - Baggage keys become lower case. In HTTP headers, `%XX` and `+` in baggage values are decoded; a value with a
///   malformed escape stays as it is.
/// - `jaeger-baggage: user=42, cart=7` is read as baggage, too. An `uberctx-` header with an equal key wins.
/// - `jaeger-debug-id` asks for a new trace that is always kept. It counts only if there is no trace.
///
/// # Limits
///
/// The limits of [`Baggage`] hold. Items beyond them, items that a carrier cannot hold, and debug ids of more than
/// 4,096 bytes are left out and counted as [`Counter::BaggageItemsSkipped`]. After 64 items of a request it reads no
/// more.
///
/// # Differences
///
/// Flags are hex, because all other clients write and read them so. jaeger-client-go alone reads decimal and refuses
/// `a` to `f`, which need the firehose flag. This crate never sets that flag.
///
/// # Baggage to and from other clients
///
/// Measured over HTTP with the published clients of Jaeger. All other baggage that was tried arrives as it was sent:
/// spaces, punctuation, escapes, characters beyond ASCII, and 64 items. `interop/BAGGAGE.md` has the reasons.
///
/// | baggage | from | to | arrives as |
/// |---|---|---|---|
/// | an empty value | Go | this crate | nothing |
/// | 4,096 bytes | Go, Java, Node | this crate | its first 2,048 bytes |
/// | a key in mixed case | this crate | Go, Java, Node, Python | key `user-id` |
/// | a key in mixed case | Go, Java, Python | this crate | key `user-id` |
/// | a key in mixed case | Node | this crate | key `user-id` |
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::propagation::{Extractor, Injector, JaegerCodec};
///
/// let codec = JaegerCodec::text_map();
/// let incoming = BTreeMap::from([
///     ("Uber-Trace-Id".to_owned(), "1A2B:3c:0:1".to_owned()),
///     ("uberctx-user".to_owned(), "42".to_owned()),
/// ]);
/// let context = codec.extract(&incoming)?.expect("there is a trace header");
/// assert!(context.is_sampled());
/// assert_eq!(context.baggage().get("user"), Some("42"));
///
/// let mut outgoing = BTreeMap::new();
/// codec.inject(&context, &mut outgoing);
/// assert_eq!(outgoing["uber-trace-id"], "0000000000001a2b:000000000000003c:0:1");
/// # Ok::<(), tracehound::propagation::ExtractError>(())
/// ```
///
/// A carrier that is not text does not compile:
///
/// ```compile_fail
/// use tracehound::SpanContext;
/// use tracehound::propagation::{Injector, JaegerCodec};
///
/// let mut bytes: Vec<u8> = Vec::new();
/// JaegerCodec::text_map().inject(&SpanContext::default(), &mut bytes);
/// ```
#[derive(Clone, Debug)]
pub struct JaegerCodec {
    names: HeaderNames,
    values: ValueCoding,
    metrics: Metrics,
}

impl JaegerCodec {
    /// Returns the codec for carriers of any text ([`WriteTo::TextMap`](crate::propagation::WriteTo::TextMap)).
    pub fn text_map() -> Self {
        Self::new(ValueCoding::Plain)
    }

    /// Returns the codec for HTTP headers and gRPC metadata
    /// ([`WriteTo::HttpHeaders`](crate::propagation::WriteTo::HttpHeaders)).
    pub fn http_headers() -> Self {
        Self::new(ValueCoding::Form)
    }

    /// Sets the names of the headers. Defaults to [`HeaderNames::default`], Jaeger's own.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// use tracehound::propagation::{Extractor, HeaderNames, JaegerCodec};
    ///
    /// let names = HeaderNames::default().debug_id("x-debug")?.baggage("x-baggage")?;
    /// let codec = JaegerCodec::http_headers().header_names(names);
    /// let headers = BTreeMap::from([("x-debug", "ticket 7"), ("x-baggage", "user=42")]);
    /// let context = codec.extract(&headers)?.expect("a debug id");
    /// assert_eq!(context.debug_id(), Some("ticket 7"));
    /// assert_eq!(context.baggage().get("user"), Some("42"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn header_names(mut self, names: HeaderNames) -> Self {
        self.names = names;
        self
    }

    fn new(values: ValueCoding) -> Self {
        Self {
            names: HeaderNames::default(),
            values,
            metrics: Metrics::default(),
        }
    }

    /// Counts a trace header that the carrier refuses.
    #[cold]
    fn count_refused(&self) {
        self.metrics.add(Counter::EncodingErrors, 1);
    }

    fn inject_baggage(&self, baggage: &Baggage, carrier: &mut dyn TextMapWriter) {
        let prefix = self.names.prefix().as_str();
        let mut name = String::from(prefix);
        let mut skipped = 0;
        for (key, value) in baggage.iter() {
            name.truncate(prefix.len());
            name.push_str(key);
            let is_written = !self.names.is_reserved(key)
                && match self.values {
                    ValueCoding::Plain => carrier.set(&name, value),
                    ValueCoding::Percent | ValueCoding::Form => {
                        is_header_name(key) && carrier.set(&name, &percent_encoded(value))
                    }
                };
            skipped += u64::from(!is_written);
        }
        self.metrics.add(Counter::BaggageItemsSkipped, skipped);
    }

    fn extract_baggage(&self, found: &FoundHeaders<'_>, items: &mut ReceivedBaggage) {
        let lists = found.values(self.names.baggage_key());
        let headers = found.with_prefix(self.names.prefix());
        items.reserve(headers.chain(lists.map(|list| ("", list))));
        for (key, value) in found.with_prefix(self.names.prefix()) {
            if !self.names.is_reserved(key) {
                items.read(key, value);
            }
        }
        items.protect();
        for list in found.values(self.names.baggage_key()) {
            items.read_list(list);
        }
    }

    fn extract_debug_id(&self, found: &FoundHeaders<'_>, skipped: &mut u64) -> Option<String> {
        let is_too_long = |len| len > MAX_DEBUG_ID_BYTES;
        let mut debug_id = None;
        for value in found.values(self.names.debug_id_key()) {
            if is_too_long(self.values.min_len(value)) {
                *skipped += 1;
                continue;
            }
            let value = self.values.decoded(value);
            if is_too_long(value.len()) {
                *skipped += 1;
            } else if !value.is_empty() {
                debug_id = Some(value.into_owned());
            }
        }
        debug_id
    }
}

/// The longest debug id that is read, before and after decoding.
const MAX_DEBUG_ID_BYTES: usize = 4_096;

impl Injector for JaegerCodec {
    fn inject(&self, context: &SpanContext, carrier: &mut dyn TextMapWriter) {
        let (owned, trace_key) = (self.names.set(), self.names.trace_id_key());
        if let Some(id) = TraceHeader::of(context) {
            let buffer = &mut [0; MAX_BYTES];
            if !carrier.replace(owned, &[(trace_key, id.print(buffer))]) {
                self.count_refused();
            }
        } else {
            carrier.remove_owned(owned, &[]);
        }
        if !context.baggage().is_empty() {
            self.inject_baggage(context.baggage(), carrier);
        }
    }
}

impl Extractor for JaegerCodec {
    fn extract(&self, carrier: &dyn TextMapReader) -> Result<Option<SpanContext>, ExtractError> {
        let mut found = FoundHeaders::default();
        found.fill(carrier, self.names.set());
        if found.is_empty() {
            return Ok(None);
        }
        // Nearly every request with headers of ours has the trace header alone.
        if let Some((name, value)) = found.only()
            && self.names.trace_id_key().matches(name)
            && let Some(context) = TraceHeader::parse_padded(value).and_then(TraceHeader::context)
        {
            return Ok(Some(context));
        }
        self.extract_any(&found)
    }
}

impl Codec for JaegerCodec {
    fn headers(&self) -> &HeaderSet {
        self.names.set()
    }

    fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
    }
}

impl JaegerCodec {
    /// Reads everything that may have been found, slowly.
    #[cold]
    fn extract_any(&self, found: &FoundHeaders<'_>) -> Result<Option<SpanContext>, ExtractError> {
        let mut received = ReceivedTrace::default();
        for value in found.values(self.names.trace_id_key()) {
            received.read(value);
        }
        if received.is_conflict() {
            self.metrics.add(Counter::PropagationConflicts, 1);
        }
        let trace = received.context(self.names.trace_id_key().as_str())?;

        let mut items = ReceivedBaggage::new(self.values, found.skipped());
        self.extract_baggage(found, &mut items);
        let mut context = match trace {
            Some(context) => context,
            None => match self.extract_debug_id(found, &mut items.skipped) {
                Some(debug_id) => SpanContext::default().with_debug_id(&debug_id),
                None => SpanContext::default(),
            },
        };
        if let Some(baggage) = items.finish(&self.metrics) {
            context = context.with_baggage(baggage);
        }
        Ok((!context.is_empty()).then_some(context))
    }
}
