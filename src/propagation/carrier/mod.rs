#[cfg(feature = "tower")]
mod grpc_headers;
#[cfg(feature = "http")]
mod header_map;
mod key;
#[cfg(feature = "tonic")]
mod metadata_map;
mod scan;
mod sealed;
mod text_map;

use std::any::Any;

#[cfg(feature = "tower")]
pub(crate) use grpc_headers::GrpcHeaders;
pub(super) use key::is_token;
pub use key::{InvalidKey, Key};
pub(super) use scan::HeaderScan;
pub(super) use sealed::Internal;
pub use text_map::HttpHeaders;

use crate::propagation::HeaderNames;

/// What a context can be written into. Implement it for a type of your own by saying what it is.
///
/// Message headers that are a list, and may hold a key several times:
///
/// ```
/// use tracehound::propagation::{
///     ExtractCarrier, InjectCarrier, Key, ReadFrom, TextMapReader, TextMapWriter, WriteTo,
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
///     fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
///         for (known, value) in &self.headers {
///             if known.eq_ignore_ascii_case(key.as_str()) {
///                 visit(value);
///             }
///         }
///     }
///
///     fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
///         for (known, value) in &self.headers {
///             if let Some(rest) = known.strip_prefix(prefix) {
///                 visit(rest, value);
///             }
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
    /// This carrier and its format.
    fn write(&mut self) -> WriteTo<'_>;
}

/// What a context can be read out of. Implement it for a type of your own by saying what it is; [`InjectCarrier`]
/// has an example.
pub trait ExtractCarrier {
    /// This carrier and its format.
    fn read(&self) -> ReadFrom<'_>;
}

/// A carrier to write into, with its format.
///
/// A carrier of another format does not compile:
///
/// ```compile_fail
/// use std::collections::HashMap;
/// use tracehound::propagation::WriteTo;
///
/// let mut headers: HashMap<String, String> = HashMap::new();
/// let carrier = WriteTo::Binary(&mut headers);
/// ```
///
/// nor does what is no carrier:
///
/// ```compile_fail
/// use tracehound::propagation::InjectCarrier;
///
/// let mut number = 42;
/// let carrier: &mut dyn InjectCarrier = &mut number;
/// ```
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
///
/// A carrier of another format does not compile:
///
/// ```compile_fail
/// use tracehound::propagation::ReadFrom;
///
/// let bytes: Vec<u8> = Vec::new();
/// let carrier = ReadFrom::TextMap(&bytes);
/// ```
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

    /// Takes away every key that `is_stale` picks, with its value. Keys are shown as they stand, in any case.
    ///
    /// Injecting begins with it, because a carrier may hold the headers of an earlier request. By default nothing is taken
    /// away: right for a carrier that is always new.
    fn remove_where(&mut self, _is_stale: &dyn Fn(&str) -> bool) {}

    /// Removes the headers that have any of `names`.
    #[doc(hidden)]
    fn remove_named(&mut self, names: &HeaderNames, _: Internal) {
        self.remove_where(&|key| names.is_stale(key, false));
    }

    /// Sets the trace header, in place of all headers that have any of `names`. The value is ASCII.
    #[doc(hidden)]
    fn set_trace(&mut self, names: &HeaderNames, value: &[u8], _: Internal) -> bool {
        self.remove_where(&|key| names.is_stale(key, true));
        std::str::from_utf8(value).is_ok_and(|value| self.set_key(names.trace_id_key(), value))
    }

    /// As [`set`](Self::set), for a key that is known beforehand.
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
    /// The prefix is in lower case.
    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8]));

    /// Looks for the headers that have any of `names`, in one pass. Only carriers of this crate do.
    #[doc(hidden)]
    fn scan(&self, _names: &HeaderNames, _: Internal) -> HeaderScan<'_> {
        HeaderScan::Unknown
    }
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

impl<C: InjectCarrier + ?Sized> InjectCarrier for &mut C {
    fn write(&mut self) -> WriteTo<'_> {
        (**self).write()
    }
}

impl<C: ExtractCarrier + ?Sized> ExtractCarrier for &C {
    fn read(&self) -> ReadFrom<'_> {
        (**self).read()
    }
}

impl<C: ExtractCarrier + ?Sized> ExtractCarrier for &mut C {
    fn read(&self) -> ReadFrom<'_> {
        (**self).read()
    }
}

impl<C: TextMapWriter + ?Sized> TextMapWriter for &mut C {
    fn set(&mut self, key: &str, value: &str) -> bool {
        (**self).set(key, value)
    }

    fn remove_where(&mut self, is_stale: &dyn Fn(&str) -> bool) {
        (**self).remove_where(is_stale);
    }

    fn remove_named(&mut self, names: &HeaderNames, internal: Internal) {
        (**self).remove_named(names, internal);
    }

    fn set_trace(&mut self, names: &HeaderNames, value: &[u8], internal: Internal) -> bool {
        (**self).set_trace(names, value, internal)
    }

    fn set_key(&mut self, key: &Key, value: &str) -> bool {
        (**self).set_key(key, value)
    }
}

impl<C: TextMapReader + ?Sized> TextMapReader for &C {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        (**self).get_all(key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        (**self).for_each_prefix(prefix, visit);
    }

    fn scan(&self, names: &HeaderNames, internal: Internal) -> HeaderScan<'_> {
        (**self).scan(names, internal)
    }
}

impl<C: TextMapReader + ?Sized> TextMapReader for &mut C {
    fn get_all(&self, key: &Key, visit: &mut dyn FnMut(&[u8])) {
        (**self).get_all(key, visit);
    }

    fn for_each_prefix(&self, prefix: &str, visit: &mut dyn FnMut(&str, &[u8])) {
        (**self).for_each_prefix(prefix, visit);
    }

    fn scan(&self, names: &HeaderNames, internal: Internal) -> HeaderScan<'_> {
        (**self).scan(names, internal)
    }
}
