//! Contexts as bytes: the binary carrier of Jaeger's Go, Java and Python clients.

use crate::metrics::{Counter, Metrics};
use crate::model::{Baggage, BaggageBuilder, Flags, SpanId, TraceId};
use crate::propagation::ExtractError;
use crate::services::Services;
use crate::span::SpanContext;

/// The codec of Jaeger's binary carrier ([`WriteTo::Binary`](crate::propagation::WriteTo::Binary)), as its Go, Java and
/// Python clients write and read it.
///
/// All numbers are big-endian:
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 16 | trace id |
/// | 16 | 8 | span id |
/// | 24 | 8 | parent id, 0 if there is no parent |
/// | 32 | 1 | flags |
/// | 33 | 4 | number of baggage items |
/// | 37 | | each item: length of the key (4), key, length of the value (4), value |
///
/// # What it writes
///
/// - The bytes replace all that the carrier held.
/// - Items are sorted by key, so that equal contexts are equal bytes.
/// - An item whose key and value together have more than 4,096 bytes is left out: jaeger-client-go refuses a whole
///   carrier that has such an item.
/// - A context without a trace has zeros for ids and flags.
///
/// # What it reads
///
/// - Keys and values are UTF-8 and stay as they are, an empty key and upper case included. Of several items with one
///   key the last one counts.
/// - A trace id or span id of zero means that there is no trace. The baggage is kept.
/// - Bytes after the last item are ignored. An empty carrier holds no context.
///
/// # Limits
///
/// A carrier that says that it has more than 180 items, or an item that is longer than the rest of the carrier, is
/// malformed; nothing is allocated for it. The limits of [`Baggage`] hold for the rest. Items that are left out in
/// either direction are counted as [`Counter::BaggageItemsSkipped`].
///
/// # Differences
///
/// - jaeger-client-go reads no item of more than 4,096 bytes; this codec reads one of up to [`Baggage::MAX_BYTES`].
/// - The Java client writes the length of a value in characters instead of bytes, so that its values outside ASCII
///   arrive cut.
/// - The C++ client swaps the bytes of all numbers. Nothing in a carrier tells this.
///
/// # Examples
///
/// ```
/// use tracehound::SpanContext;
/// use tracehound::model::{Flags, SpanId, TraceId};
/// use tracehound::propagation::BinaryCodec;
///
/// let codec = BinaryCodec::default();
/// let ids = TraceId::new(0, 1).zip(SpanId::new(2)).expect("not zero");
/// let context = SpanContext::new(ids.0, ids.1, None, Flags::SAMPLED);
/// let context = context.with_baggage_item("user", "42");
///
/// let mut bytes = Vec::new();
/// codec.inject(&context, &mut bytes);
/// assert_eq!(bytes.len(), 37 + 4 + "user".len() + 4 + "42".len());
/// assert_eq!(codec.extract(&bytes)?, Some(context));
/// # Ok::<(), tracehound::propagation::ExtractError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BinaryCodec {
    metrics: Metrics,
}

impl BinaryCodec {
    /// Takes the tracer's services: where to count. The tracer's builder calls it once, before the first carrier.
    ///
    /// ```
    /// use tracehound::metrics::Counter;
    /// use tracehound::model::Process;
    /// use tracehound::propagation::BinaryCodec;
    /// use tracehound::services::Services;
    ///
    /// let services = Services::detached(Process::new("shop", vec![]));
    /// let mut codec = BinaryCodec::default();
    /// codec.attach(&services);
    /// assert!(codec.extract(b"cut off").is_err());
    /// assert_eq!(services.metrics().get(Counter::BaggageItemsSkipped), 0);
    /// ```
    pub fn attach(&mut self, services: &Services) {
        self.metrics = services.metrics().clone();
    }

    /// Replaces the content of `carrier` by `context`.
    pub fn inject(&self, context: &SpanContext, carrier: &mut Vec<u8>) {
        let ids = context.trace_id().zip(context.span_id());
        let (trace_id, span_id, parent_id, flags) = match ids {
            Some((trace_id, span_id)) => (
                trace_id.to_bytes(),
                span_id.get(),
                context.parent_id().map_or(0, SpanId::get),
                context.flags().bits(),
            ),
            None => ([0; 16], 0, 0, 0),
        };
        carrier.clear();
        carrier.extend_from_slice(&trace_id);
        carrier.extend_from_slice(&span_id.to_be_bytes());
        carrier.extend_from_slice(&parent_id.to_be_bytes());
        carrier.push(flags);

        let mut items: Vec<_> = context.baggage().iter().collect();
        let all = items.len();
        items.retain(|(key, value)| key.len() + value.len() <= MAX_WRITTEN_ITEM_BYTES);
        items.sort_unstable();
        if items.len() < all {
            let skipped = (all - items.len()) as u64;
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
        // Baggage holds 64 items of together 8,192 bytes, so that every length fits.
        carrier.extend_from_slice(&(items.len() as u32).to_be_bytes());
        for text in items.into_iter().flat_map(|(key, value)| [key, value]) {
            carrier.extend_from_slice(&(text.len() as u32).to_be_bytes());
            carrier.extend_from_slice(text.as_bytes());
        }
    }

    /// Reads the context, or returns `Ok(None)` if `carrier` is empty or holds neither a trace nor baggage.
    ///
    /// # Errors
    ///
    /// [`ExtractError::CorruptedBinary`] if `carrier` ends early, says that it has more than 180 items, or has a key or
    /// a value that is not UTF-8.
    pub fn extract(&self, carrier: &[u8]) -> Result<Option<SpanContext>, ExtractError> {
        if carrier.is_empty() {
            return Ok(None);
        }
        let mut rest = Rest(carrier);
        let context = rest.take_ids()?;
        let (baggage, skipped) = rest.take_baggage()?;
        if skipped > 0 {
            self.metrics.add(Counter::BaggageItemsSkipped, skipped);
        }
        let context = context.unwrap_or_default().with_baggage(baggage);
        Ok((!context.is_empty()).then_some(context))
    }
}

/// The longest item that jaeger-client-go reads, key and value together.
const MAX_WRITTEN_ITEM_BYTES: usize = 4_096;

/// The most items that a carrier may say it has: the limit of jaeger-client-go, from a draft of W3C Baggage.
const MAX_READ_ITEMS: u32 = 180;

/// The bytes that have not been read yet.
struct Rest<'c>(&'c [u8]);

impl<'c> Rest<'c> {
    /// Reads ids and flags. Returns `None` if the trace id or the span id is zero.
    fn take_ids(&mut self) -> Result<Option<SpanContext>, ExtractError> {
        let [high, low, span_id, parent_id] = [
            self.take_number()?,
            self.take_number()?,
            self.take_number()?,
            self.take_number()?,
        ];
        let [flags] = self.take_bytes()?;
        let ids = TraceId::new(high, low).zip(SpanId::new(span_id));
        Ok(ids.map(|(trace_id, span_id)| {
            let parent_id = SpanId::new(parent_id);
            SpanContext::new(trace_id, span_id, parent_id, Flags::from_bits(flags))
        }))
    }

    /// Reads the items. Returns those within the limits, and the number of those that are left out.
    fn take_baggage(&mut self) -> Result<(Baggage, u64), ExtractError> {
        let count = self.take_length()?;
        if count > MAX_READ_ITEMS {
            return Err(corrupted("expected at most 180 baggage items"));
        }
        let mut baggage = BaggageBuilder::default();
        let mut skipped = 0;
        for _ in 0..count {
            let (key, value) = (self.take_text()?, self.take_text()?);
            if baggage.set(key, value).is_err() {
                skipped += 1;
            }
        }
        Ok((baggage.build(), skipped))
    }

    fn take_text(&mut self) -> Result<&'c str, ExtractError> {
        let length = usize::try_from(self.take_length()?).map_err(|_| ends_early())?;
        let (text, rest) = self.0.split_at_checked(length).ok_or_else(ends_early)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| corrupted("expected UTF-8 in the baggage"))
    }

    fn take_number(&mut self) -> Result<u64, ExtractError> {
        self.take_bytes().map(u64::from_be_bytes)
    }

    fn take_length(&mut self) -> Result<u32, ExtractError> {
        self.take_bytes().map(u32::from_be_bytes)
    }

    fn take_bytes<const N: usize>(&mut self) -> Result<[u8; N], ExtractError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or_else(ends_early)?;
        self.0 = rest;
        Ok(*bytes)
    }
}

#[cold]
fn ends_early() -> ExtractError {
    corrupted("it ends before its last field")
}

#[cold]
fn corrupted(reason: &'static str) -> ExtractError {
    ExtractError::CorruptedBinary { reason }
}
