mod borrowed;
mod environment;
#[cfg(feature = "tower")]
mod grpc_headers;
#[cfg(feature = "http")]
mod header_map;
mod header_set;
mod in_format;
mod key;
mod message_headers;
#[cfg(feature = "tonic")]
mod metadata_map;
#[cfg(feature = "nats")]
mod nats_headers;
mod scan;
mod text_map;

use std::any::Any;

pub use environment::{ChildEnvironment, Environment};
#[cfg(feature = "tower")]
pub(crate) use grpc_headers::GrpcHeaders;
pub use header_set::HeaderSet;
pub(crate) use header_set::NO_HEADERS;
pub(super) use header_set::Places;
pub use in_format::InFormat;
pub(super) use key::is_token;
pub use key::{InvalidKey, Key};
pub use message_headers::MessageHeaders;
pub use scan::{FoundHeaders, HeaderScan};
pub use text_map::HttpHeaders;

/// A carrier that a context can be written into.
///
/// Implement it for your own type by returning the format that the type has. The example is a message whose headers are
/// a list, in which a key may stand several times:
///
/// ```
/// use tracehound::propagation::{
///     ExtractCarrier, HeaderScan, InjectCarrier, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
/// };
///
/// #[derive(Default)]
/// struct Message {
///     headers: Vec<(String, Vec<u8>)>,
/// }
///
/// impl TextMapWriter for Message {
///     fn set(&mut self, key: &str, value: &str) -> bool {
///         self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(key));
///         self.headers.push((key.to_owned(), value.into()));
///         true
///     }
///
///     fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
///         self.headers.retain(|(known, _)| !is_stale(known));
///     }
/// }
///
/// impl TextMapReader for Message {
///     fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
///         for (key, value) in &self.headers {
///             scan.offer(key, value);
///         }
///     }
/// }
///
/// impl InjectCarrier for Message {
///     fn write(&mut self) -> WriteTo<'_> {
///         WriteTo::TextMap(self)
///     }
/// }
///
/// impl ExtractCarrier for Message {
///     fn read(&self) -> ReadFrom<'_> {
///         ReadFrom::TextMap(self)
///     }
/// }
///
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let span = tracer.start_span("send order");
/// let mut message = Message::default();
/// tracer.inject(&span.context(), &mut message);
/// assert_eq!(tracer.extract(&message)?.expect("written above"), span.context());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait InjectCarrier {
    /// Returns the carrier as the format that it has.
    fn write(&mut self) -> WriteTo<'_>;
}

/// A carrier that a context can be read from.
///
/// Implement it for your own type by returning the format that the type has; [`InjectCarrier`] has an example.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::propagation::{ExtractCarrier, ReadFrom};
/// use tracehound::reporter::NullReporter;
///
/// /// A message that holds a context in Jaeger's binary form.
/// struct Message {
///     context: Vec<u8>,
/// }
///
/// impl ExtractCarrier for Message {
///     fn read(&self) -> ReadFrom<'_> {
///         ReadFrom::Binary(&self.context)
///     }
/// }
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// let message = Message { context: Vec::new() };
/// assert_eq!(tracer.extract(&message)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ExtractCarrier {
    /// Returns the carrier as the format that it has.
    fn read(&self) -> ReadFrom<'_>;
}

/// A carrier to write into, as one of the formats that exist.
///
/// A carrier that does not have the format does not compile:
///
/// ```compile_fail
/// use std::collections::HashMap;
/// use tracehound::propagation::WriteTo;
///
/// let mut headers: HashMap<String, String> = HashMap::new();
/// let carrier = WriteTo::Binary(&mut headers);
/// ```
///
/// A type that is not a carrier does not compile either:
///
/// ```compile_fail
/// use tracehound::propagation::InjectCarrier;
///
/// let mut number = 42;
/// let carrier: &mut dyn InjectCarrier = &mut number;
/// ```
///
/// ```
/// use tracehound::propagation::{InjectCarrier, WriteTo};
///
/// /// A message with a field for the context, in Jaeger's binary form.
/// #[derive(Default)]
/// struct Message {
///     context: Vec<u8>,
/// }
///
/// impl InjectCarrier for Message {
///     fn write(&mut self) -> WriteTo<'_> {
///         WriteTo::Binary(&mut self.context)
///     }
/// }
///
/// assert!(matches!(Message::default().write(), WriteTo::Binary(_)));
/// ```
#[non_exhaustive]
#[expect(
    missing_debug_implementations,
    reason = "the traits of the carriers do not ask for Debug"
)]
pub enum WriteTo<'c> {
    /// Keys and values that may be any text.
    TextMap(&'c mut dyn TextMapWriter),
    /// HTTP headers or gRPC metadata, in which baggage values are percent-encoded.
    HttpHeaders(&'c mut dyn TextMapWriter),
    /// Bytes, which a [`BinaryCodec`](crate::propagation::BinaryCodec) writes.
    Binary(&'c mut Vec<u8>),
    /// Keys and values in the format that the tracer knows under this name. See
    /// [`InFormat`](crate::propagation::InFormat).
    Named(&'c str, &'c mut dyn TextMapWriter),
    /// A carrier whose type a [`CustomCodec`](crate::propagation::CustomCodec) of the tracer knows.
    Custom(&'c mut dyn Any),
}

/// A carrier to read, as one of the formats that exist.
///
/// A carrier that does not have the format does not compile:
///
/// ```compile_fail
/// use tracehound::propagation::ReadFrom;
///
/// let bytes: Vec<u8> = Vec::new();
/// let carrier = ReadFrom::TextMap(&bytes);
/// ```
///
/// ```
/// use std::collections::BTreeMap;
/// use tracehound::propagation::{ExtractCarrier, HttpHeaders, ReadFrom};
///
/// let headers = BTreeMap::from([("uber-trace-id", "1:2:0:1")]);
/// assert!(matches!(headers.read(), ReadFrom::TextMap(_)));
/// assert!(matches!(HttpHeaders(&headers).read(), ReadFrom::HttpHeaders(_)));
/// ```
#[non_exhaustive]
#[expect(
    missing_debug_implementations,
    reason = "the traits of the carriers do not ask for Debug"
)]
pub enum ReadFrom<'c> {
    /// Keys and values that may be any text.
    TextMap(&'c dyn TextMapReader),
    /// HTTP headers or gRPC metadata, in which baggage values are percent-encoded.
    HttpHeaders(&'c dyn TextMapReader),
    /// Bytes, which a [`BinaryCodec`](crate::propagation::BinaryCodec) reads.
    Binary(&'c [u8]),
    /// Keys and values in the format that the tracer knows under this name. See
    /// [`InFormat`](crate::propagation::InFormat).
    Named(&'c str, &'c dyn TextMapReader),
    /// A carrier whose type a [`CustomCodec`](crate::propagation::CustomCodec) of the tracer knows.
    Custom(&'c dyn Any),
}

/// A text carrier that codecs write into. [`InjectCarrier`] has an example.
///
/// ```
/// use tracehound::propagation::{HeaderSet, Key, TextMapWriter};
///
/// /// Headers as text, one a line.
/// #[derive(Default)]
/// struct Lines(Vec<(String, String)>);
///
/// impl TextMapWriter for Lines {
///     fn set(&mut self, key: &str, value: &str) -> bool {
///         if value.contains(['\r', '\n']) {
///             return false; // it would be another header
///         }
///         self.remove_where(&|known| known.eq_ignore_ascii_case(key));
///         self.0.push((key.to_owned(), value.to_owned()));
///         true
///     }
///
///     fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
///         self.0.retain(|(key, _)| !is_stale(key));
///     }
///
///     fn may_hold(&self, _: &HeaderSet) -> bool {
///         !self.0.is_empty()
///     }
/// }
///
/// let mut lines = Lines::default();
/// assert!(!lines.set("x-tenant", "acme\r\nx-admin: 1"));
///
/// // What codecs call, in terms of these two.
/// let tenant = Key::new("x-tenant")?;
/// let set = HeaderSet::new([tenant.clone()], []);
/// assert!(!lines.may_hold(&set));
/// assert!(lines.set_key(&tenant, b"acme") && lines.replace(&set, &[(&tenant, b"eu-1")]));
/// assert_eq!(lines.0, [("x-tenant".to_owned(), "eu-1".to_owned())]);
/// lines.remove_owned(&set, &[]);
/// assert!(lines.0.is_empty());
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
pub trait TextMapWriter {
    /// Sets `key` to `value` and removes all other values of the key, in any case.
    ///
    /// Returns false if the carrier cannot hold the key or the value. The codec then leaves the item out and counts it.
    fn set(&mut self, key: &str, value: &str) -> bool;

    /// Removes every key for which `is_stale` returns true, with its values. `is_stale` takes a key in any case.
    ///
    /// Codecs call it before they write, because a carrier may hold the headers of an earlier request. The default
    /// removes nothing, which is right for a carrier that is always empty before.
    fn remove_where(&mut self, _is_stale: &dyn Fn(&str) -> bool) {}

    /// Removes all headers of `owned` but those of `except`, which the codec sets next. Defaults to
    /// [`remove_where`](Self::remove_where).
    fn remove_owned(&mut self, owned: &HeaderSet, except: &[&Key]) {
        self.remove_where(&|key| {
            owned.contains(key) && !except.iter().any(|kept| kept.matches(key))
        });
    }

    /// Sets `headers`, which are of `owned`, and removes all other headers of `owned`. Values are ASCII. A header whose
    /// value is refused is removed, too.
    ///
    /// Returns false if the carrier cannot hold one of them. Defaults to [`remove_owned`](Self::remove_owned) and
    /// [`set_key`](Self::set_key).
    fn replace(&mut self, owned: &HeaderSet, headers: &[(&Key, &[u8])]) -> bool {
        self.remove_owned(owned, &[]);
        set_each(self, headers)
    }

    /// Returns false if the carrier certainly holds no header of `set`. Defaults to true.
    fn may_hold(&self, _set: &HeaderSet) -> bool {
        true
    }

    /// Sets `key` like [`set`](Self::set), but a carrier may use what a [`Key`] holds ready, and need not look whether
    /// the value, which is ASCII, is UTF-8. Defaults to `set`.
    fn set_key(&mut self, key: &Key, value: &[u8]) -> bool {
        std::str::from_utf8(value).is_ok_and(|value| self.set(key.as_str(), value))
    }
}

/// A text carrier that codecs read. [`InjectCarrier`] has an example.
///
/// Keys match in any case. Values are bytes, because a header need not be UTF-8.
///
/// ```
/// use tracehound::propagation::{HeaderScan, HeaderSet, Key, TextMapReader};
///
/// /// Headers as text, one a line.
/// struct Lines(&'static str);
///
/// impl TextMapReader for Lines {
///     fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>) {
///         for (name, value) in self.0.lines().filter_map(|line| line.split_once(": ")) {
///             scan.offer(name, value.as_bytes());
///         }
///     }
/// }
///
/// let tenant = Key::new("x-tenant")?;
/// let lines = Lines("Accept: */*\nX-Tenant: eu-1\nX-Tenant: eu-2");
/// let set = HeaderSet::new([tenant.clone()], []);
/// let found = lines.find(&set);
/// assert_eq!(found.values(&tenant).last(), Some(&b"eu-2"[..]));
/// # Ok::<(), tracehound::propagation::InvalidKey>(())
/// ```
pub trait TextMapReader {
    /// Offers each key and value to `scan`, in the order of the carrier. A key that occurs several times is offered
    /// several times.
    fn scan<'c>(&'c self, scan: &mut HeaderScan<'c, '_>);

    /// Returns the headers of `set`.
    #[inline]
    fn find(&self, set: &HeaderSet) -> FoundHeaders<'_> {
        let mut found = FoundHeaders::default();
        self.scan(&mut HeaderScan::new(set, &mut found));
        found
    }
}

/// Sets all headers, and returns false if the carrier cannot hold one of them.
fn set_each<W: TextMapWriter + ?Sized>(carrier: &mut W, headers: &[(&Key, &[u8])]) -> bool {
    let mut are_set = true;
    for (key, value) in headers {
        are_set &= carrier.set_key(key, value);
    }
    are_set
}

impl InjectCarrier for Vec<u8> {
    fn write(&mut self) -> WriteTo<'_> {
        WriteTo::Binary(self)
    }
}

impl ExtractCarrier for Vec<u8> {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::Binary(self)
    }
}

impl ExtractCarrier for [u8] {
    fn read(&self) -> ReadFrom<'_> {
        ReadFrom::Binary(self)
    }
}
