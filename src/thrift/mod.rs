//! A reader of `jaeger.thrift` and `agent.thrift`, the counterpart of the writer in the reporter.
//!
//! The `thrift` crate reads the protocols. The structs are read here by hand: there are few of them, and a reader
//! must be more patient than generated code. It accepts the dialect of every client: messages of type CALL or ONEWAY
//! with any sequence number, strict and old binary headers, short and long field headers, fields in any order,
//! unknown fields, absent optional ones, text that was cut inside a character.
//!
//! Input is taken as hostile. No length is believed beyond the bytes that are there, lists and nesting are capped,
//! and every fault is an error. So a datagram costs memory in proportion to its size, whatever is in it.
#![allow(
    dead_code,
    unused_imports,
    reason = "a message is read whole, and some features need only a part of it"
)]

mod agent;
mod batch;
#[cfg(test)]
mod encoder;
#[cfg(test)]
mod tests;
pub(crate) mod zipkin;

use std::fmt;

use ::thrift::TConfiguration;
use ::thrift::protocol::{
    TBinaryInputProtocol, TCompactInputProtocol, TInputProtocol, TType, field_id,
};

pub(crate) use agent::EmitBatch;
#[cfg(test)]
pub(crate) use batch::SpanRef;
pub(crate) use batch::{Batch, ClientStats, Log, Span};

/// The encoding of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The compact protocol: an agent takes it on port 6831.
    Compact,
    /// The binary protocol: an agent takes it on port 6832, and a collector, as a bare struct, on port 14268.
    Binary,
}

/// Reads one datagram: an `emitBatch` message. Bytes behind the message are ignored.
///
/// # Errors
///
/// Fails if the bytes are not such a message, are cut short, or go beyond the limits.
pub(crate) fn decode_message(protocol: Protocol, bytes: &[u8]) -> Result<EmitBatch, DecodeError> {
    let limits = limits(bytes.len(), DATAGRAM_STRING, DATAGRAM_LIST)?;
    match protocol {
        Protocol::Compact => {
            EmitBatch::read(&mut TCompactInputProtocol::with_config(bytes, limits))
        }
        Protocol::Binary => {
            EmitBatch::read(&mut TBinaryInputProtocol::with_config(bytes, false, limits))
        }
    }
}

/// Reads the body of a report by HTTP: a bare `Batch` struct in the binary protocol.
///
/// # Errors
///
/// Fails if the bytes are not such a struct, are cut short, or go beyond the limits.
pub(crate) fn decode_body(bytes: &[u8]) -> Result<Batch, DecodeError> {
    let limits = limits(bytes.len(), bytes.len(), BODY_LIST)?;
    Batch::read(&mut TBinaryInputProtocol::with_config(bytes, false, limits))
}

/// Bytes that are not what they should be.
#[derive(Debug)]
pub(crate) enum DecodeError {
    /// The encoding is broken, cut short or beyond a limit.
    Protocol(::thrift::Error),
    /// The message is for another method than `emitBatch`.
    UnknownMethod,
    /// The message is a reply or an exception.
    NotACall,
    /// A field that the IDL requires is missing.
    Missing(&'static str),
    /// The elements of a list are of another type than the IDL says.
    WrongElement(&'static str),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => error.fmt(f),
            Self::UnknownMethod => f.write_str("the method is not emitBatch"),
            Self::NotACall => f.write_str("the message is neither a call nor one-way"),
            Self::Missing(field) => write!(f, "the required field {field} is missing"),
            Self::WrongElement(field) => write!(f, "the elements of {field} are no structs"),
        }
    }
}

impl std::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Protocol(error) => Some(error),
            _ => None,
        }
    }
}

impl From<::thrift::Error> for DecodeError {
    fn from(error: ::thrift::Error) -> Self {
        Self::Protocol(error)
    }
}

/// The longest text or byte array in a datagram.
const DATAGRAM_STRING: usize = 64 * 1024;
/// The longest list in a datagram.
const DATAGRAM_LIST: usize = 8_192;
/// The longest list in a body. Java sends a megabyte at a time, and a span takes at least 80 bytes.
const BODY_LIST: usize = 65_536;
/// The deepest nesting. Message, batch, span, log and field are five structs; the rest is for unknown fields.
const DEPTH: usize = 8;

/// Returns limits for `len` bytes of input. A length above `len` cannot be true and is refused before memory is
/// allocated.
fn limits(len: usize, string: usize, list: usize) -> Result<TConfiguration, DecodeError> {
    let limits = TConfiguration::builder()
        .max_message_size(Some(len))
        .max_frame_size(Some(len))
        .max_recursion_depth(Some(DEPTH))
        .max_container_size(Some(list.min(len)))
        .max_string_size(Some(string.min(len)))
        .build()?;
    Ok(limits)
}

/// Reads a struct. `take` gets the id and the type of each field; it reads the fields that it knows and returns true.
/// The others are skipped.
fn read_struct<P: TInputProtocol>(
    protocol: &mut P,
    mut take: impl FnMut(&mut P, i16, TType) -> Result<bool, DecodeError>,
) -> Result<(), DecodeError> {
    protocol.read_struct_begin()?;
    loop {
        let field = protocol.read_field_begin()?;
        if field.field_type == TType::Stop {
            break;
        }
        if !take(protocol, field_id(&field)?, field.field_type)? {
            protocol.skip_till_depth(field.field_type, DEPTH as i8)?;
        }
        protocol.read_field_end()?;
    }
    Ok(protocol.read_struct_end()?)
}

/// Reads a list of structs. Allocates as elements arrive, not for the number that is announced.
fn read_list<P: TInputProtocol, T>(
    protocol: &mut P,
    name: &'static str,
    mut read: impl FnMut(&mut P) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let list = protocol.read_list_begin()?;
    if list.size > 0 && list.element_type != TType::Struct {
        return Err(DecodeError::WrongElement(name));
    }
    let mut elements = Vec::new();
    for _ in 0..list.size {
        elements.push(read(protocol)?);
    }
    protocol.read_list_end()?;
    Ok(elements)
}

/// Reads text. The Go client cuts tags at 256 bytes, possibly inside a character, so bytes that are not UTF-8 become
/// U+FFFD, as in the JSON of a Jaeger backend.
fn read_text<P: TInputProtocol>(protocol: &mut P) -> Result<String, DecodeError> {
    Ok(match String::from_utf8(protocol.read_bytes()?) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}
