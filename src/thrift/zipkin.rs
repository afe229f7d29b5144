//! A reader of `zipkinCore.thrift`, the first version of Zipkin's model.

use ::thrift::protocol::{TBinaryInputProtocol, TInputProtocol, TType};

use crate::thrift::{BODY_LIST, DecodeError, limits, read_list, read_struct, read_text};

/// A `Span`. Numbers that are absent are zero.
#[derive(Debug, Default)]
pub(crate) struct Span {
    pub(crate) trace_id: i64,
    pub(crate) trace_id_high: i64,
    pub(crate) id: i64,
    pub(crate) parent_id: Option<i64>,
    pub(crate) name: String,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) binary_annotations: Vec<BinaryAnnotation>,
    pub(crate) is_debug: bool,
    /// In microseconds since 1970, as all times.
    pub(crate) timestamp: i64,
    pub(crate) duration: i64,
}

/// An `Annotation`.
#[derive(Debug)]
pub(crate) struct Annotation {
    pub(crate) timestamp: i64,
    pub(crate) value: String,
    pub(crate) host: Option<Box<Endpoint>>,
}

/// A `BinaryAnnotation`.
#[derive(Debug)]
pub(crate) struct BinaryAnnotation {
    pub(crate) key: String,
    pub(crate) value: Vec<u8>,
    /// The `annotation_type`, which may be one that is not known.
    pub(crate) kind: i32,
    pub(crate) host: Option<Box<Endpoint>>,
}

/// An `Endpoint`.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    pub(crate) ipv4: i32,
    pub(crate) port: i16,
    pub(crate) service_name: String,
    pub(crate) ipv6: Vec<u8>,
}

/// Reads the body of a report by HTTP: a bare list of `Span` structs in the binary protocol.
///
/// # Errors
///
/// Fails if the bytes are not such a list, are cut short, or go beyond the limits.
pub(crate) fn decode_spans(bytes: &[u8]) -> Result<Vec<Span>, DecodeError> {
    let limits = limits(bytes.len(), bytes.len(), BODY_LIST)?;
    let mut protocol = TBinaryInputProtocol::with_config(bytes, false, limits);
    read_list(&mut protocol, "the list of spans", Span::read)
}

impl Span {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let mut span = Self::default();
        let (mut trace_id, mut id) = (None, None);
        read_struct(protocol, |protocol, field, kind| {
            match (field, kind) {
                (1, TType::I64) => trace_id = Some(protocol.read_i64()?),
                (3, TType::String) => span.name = read_text(protocol)?,
                (4, TType::I64) => id = Some(protocol.read_i64()?),
                (5, TType::I64) => span.parent_id = Some(protocol.read_i64()?),
                (6, TType::List) => {
                    span.annotations = read_list(protocol, "Span.annotations", Annotation::read)?;
                }
                (8, TType::List) => {
                    span.binary_annotations =
                        read_list(protocol, "Span.binary_annotations", BinaryAnnotation::read)?;
                }
                (9, TType::Bool) => span.is_debug = protocol.read_bool()?,
                (10, TType::I64) => span.timestamp = protocol.read_i64()?,
                (11, TType::I64) => span.duration = protocol.read_i64()?,
                (12, TType::I64) => span.trace_id_high = protocol.read_i64()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        span.trace_id = trace_id.ok_or(DecodeError::Missing("Span.trace_id"))?;
        span.id = id.ok_or(DecodeError::Missing("Span.id"))?;
        Ok(span)
    }
}

impl Annotation {
    /// The value is required, because an empty struct is a single byte on the wire.
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let (mut timestamp, mut value, mut host) = (0, None, None);
        read_struct(protocol, |protocol, field, kind| {
            match (field, kind) {
                (1, TType::I64) => timestamp = protocol.read_i64()?,
                (2, TType::String) => value = Some(read_text(protocol)?),
                (3, TType::Struct) => host = Some(Box::new(Endpoint::read(protocol)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            timestamp,
            value: value.ok_or(DecodeError::Missing("Annotation.value"))?,
            host,
        })
    }
}

impl BinaryAnnotation {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let (mut key, mut value, mut annotation_type, mut host) = (None, Vec::new(), STRING, None);
        read_struct(protocol, |protocol, field, kind| {
            match (field, kind) {
                (1, TType::String) => key = Some(read_text(protocol)?),
                (2, TType::String) => value = protocol.read_bytes()?,
                (3, TType::I32) => annotation_type = protocol.read_i32()?,
                (4, TType::Struct) => host = Some(Box::new(Endpoint::read(protocol)?)),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(Self {
            key: key.ok_or(DecodeError::Missing("BinaryAnnotation.key"))?,
            value,
            kind: annotation_type,
            host,
        })
    }
}

impl Endpoint {
    fn read<P: TInputProtocol>(protocol: &mut P) -> Result<Self, DecodeError> {
        let mut endpoint = Self::default();
        read_struct(protocol, |protocol, field, kind| {
            match (field, kind) {
                (1, TType::I32) => endpoint.ipv4 = protocol.read_i32()?,
                (2, TType::I16) => endpoint.port = protocol.read_i16()?,
                (3, TType::String) => endpoint.service_name = read_text(protocol)?,
                (4, TType::String) => endpoint.ipv6 = protocol.read_bytes()?,
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(endpoint)
    }
}

/// The type of a value that does not tell its own.
const STRING: i32 = 6;
