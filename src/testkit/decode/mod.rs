//! Messages of all formats, read into batches.
//!
//! Input is taken as hostile: no length is believed beyond the bytes that are there, and what cannot be read is an
//! error with a text.

mod otlp;
mod protobuf;
mod thrift;
mod zipkin;

pub(super) use otlp::otlp_request;
pub(super) use thrift::{datagram, thrift_body};
pub(super) use zipkin::zipkin_list;

/// Why a message cannot be read.
pub(super) type Reason = String;
