use std::any::Any;

use crate::propagation::Key;

/// What a context can be written into. Implement it for a type of your own by saying what it is.
pub trait InjectCarrier {
    /// This carrier and its format.
    fn write(&mut self) -> WriteTo<'_>;
}

/// What a context can be read out of.
pub trait ExtractCarrier {
    /// This carrier and its format.
    fn read(&self) -> ReadFrom<'_>;
}

/// A carrier to write into, with its format.
#[non_exhaustive]
#[expect(
    missing_debug_implementations,
    reason = "holds what only its trait knows"
)]
pub enum WriteTo<'c> {
    /// Keys and values of any text.
    TextMap(&'c mut dyn TextMapWriter),
    /// HTTP headers or gRPC metadata: values are percent-encoded.
    HttpHeaders(&'c mut dyn TextMapWriter),
    /// Bytes.
    Binary(&'c mut Vec<u8>),
    /// A carrier that a [`CustomCodec`](crate::propagation::CustomCodec) knows.
    Custom(&'c mut dyn Any),
}

/// A carrier to read, with its format.
#[non_exhaustive]
#[expect(
    missing_debug_implementations,
    reason = "holds what only its trait knows"
)]
pub enum ReadFrom<'c> {
    /// Keys and values of any text.
    TextMap(&'c dyn TextMapReader),
    /// HTTP headers or gRPC metadata: values are percent-encoded.
    HttpHeaders(&'c dyn TextMapReader),
    /// Bytes.
    Binary(&'c [u8]),
    /// A carrier that a [`CustomCodec`](crate::propagation::CustomCodec) knows.
    Custom(&'c dyn Any),
}

/// The writing side of a text carrier.
pub trait TextMapWriter {
    /// Sets `key` to `value` in place of what was there.
    ///
    /// False where the carrier cannot hold the key or the value; the item is then counted and left out.
    fn set(&mut self, key: &str, value: &str) -> bool;

    /// The same for a key that is known beforehand.
    fn set_key(&mut self, key: &Key, value: &str) -> bool {
        self.set(key.as_str(), value)
    }
}

/// The reading side of a text carrier. Keys match without regard to case.
///
/// Values are bytes: a header may hold what is not UTF-8.
pub trait TextMapReader {
    /// Calls `visit` with every value of `key`, in order.
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8]));

    /// Calls `visit` with the rest of every key that starts with `prefix`, in lower case or as it is, and its value.
    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8]));
}
