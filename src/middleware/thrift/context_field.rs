//! The field that carries a context in the arguments of a call.
//!
//! It has the form that `SpanProtocol` and `SpanProcessor` of OpenTracing's Java library for Thrift give it:
//! a `map<string, string>` with the id 3333, which holds the headers of a text map. A reader that does not know it
//! skips it, as it skips every unknown field.

use thrift::protocol::{TFieldIdentifier, TInputProtocol, TMapIdentifier, TOutputProtocol, TType};

use crate::propagation::MessageHeaders;
use crate::span::SpanContext;
use crate::tracer::Tracer;

const ID: i16 = 3_333;

/// Whether a field may be the one with the context. Its map decides: see [`Received::begin`].
pub(super) fn is_candidate(field: &TFieldIdentifier) -> bool {
    field.id == Some(ID) && field.field_type == TType::Map
}

/// Writes the field.
pub(super) fn write(
    output: &mut dyn TOutputProtocol,
    headers: &[(String, String)],
) -> thrift::Result<()> {
    // A context has at most three headers and 64 items of baggage.
    let map = TMapIdentifier::new(TType::String, TType::String, headers.len() as i32);
    output.write_field_begin(&TFieldIdentifier::new("span", TType::Map, ID))?;
    output.write_map_begin(&map)?;
    for text in headers.iter().flat_map(|(key, value)| [key, value]) {
        output.write_string(text)?;
    }
    output.write_map_end()?;
    output.write_field_end()
}

/// The entries of a context field that have been received, up to a bound.
#[derive(Debug, Default)]
pub(super) struct Received {
    entries: Vec<(String, Vec<u8>)>,
    key: Option<Vec<u8>>,
    bytes: usize,
}

impl Received {
    /// Begins with the entries of a map, in place of those of an earlier field. Returns false if this is no map from
    /// texts to texts: then it is no context.
    pub(super) fn begin(&mut self, map: &TMapIdentifier) -> bool {
        let is_text = |kind: Option<TType>| kind == Some(TType::String);
        if map.size <= 0 || !is_text(map.key_type) || !is_text(map.value_type) {
            return false;
        }
        *self = Self::default();
        true
    }

    /// Whether there is no room for more.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES
    }

    /// Takes the next key or value.
    pub(super) fn push(&mut self, text: &[u8]) {
        if self.is_full() {
            return;
        }
        self.bytes = self.bytes.saturating_add(text.len());
        let text = match self.bytes <= MAX_BYTES {
            true => text.to_vec(),
            false => return,
        };
        match self.key.take() {
            None => self.key = Some(text),
            // The name of a header is a text. A value may be anything: the codec decides.
            Some(key) => {
                if let Ok(key) = String::from_utf8(key) {
                    self.entries.push((key, text));
                }
            }
        }
    }

    /// Reads the entries of a map that has begun, and its end.
    pub(super) fn read(
        &mut self,
        input: &mut dyn TInputProtocol,
        map: &TMapIdentifier,
    ) -> thrift::Result<()> {
        for _ in 0..i64::from(map.size) * 2 {
            if self.is_full() {
                input.skip_binary()?;
            } else {
                self.push(&input.read_bytes()?);
            }
        }
        input.read_map_end()
    }

    /// Returns the caller's context. A malformed one is none: the tracer counts and logs it.
    pub(super) fn extract(&self, tracer: &dyn Tracer) -> Option<SpanContext> {
        let headers = MessageHeaders(&self.entries[..]);
        tracer.extract(&headers).ok().flatten()
    }
}

/// The bounds of what is kept of a context field. A context within its own limits, 64 items of baggage with 8,192
/// bytes, has room enough.
const MAX_ENTRIES: usize = 128;
const MAX_BYTES: usize = 32 * 1_024;
