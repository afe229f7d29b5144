//! Messages of all formats, read into batches.
//!
//! Input is taken as hostile: no length is believed beyond the bytes that are there, and what cannot be read is an
//! error with a text.

mod batch;
#[cfg(any(feature = "_grpc-receiver", tracehound_fuzz))]
mod jaeger_proto;
mod json;
mod otlp;
#[cfg(feature = "dev")]
mod otlp_json;
mod packing;
mod parts;
mod protobuf;
mod thrift;
mod zipkin;

pub(crate) use batch::NO_NAME;
pub use batch::{ReceivedBatch, ReportedLosses};
#[cfg(any(feature = "_grpc-receiver", tracehound_fuzz))]
pub(crate) use jaeger_proto::post_spans_request;
pub(crate) use otlp::otlp_request;
#[cfg(feature = "dev")]
pub(crate) use otlp_json::otlp_json_request;
pub(crate) use packing::{Refusal, unpacked};
#[cfg(feature = "testkit")]
pub(crate) use thrift::datagram;
#[cfg(feature = "dev")]
pub(crate) use thrift::datagram_in;
#[cfg(all(test, feature = "dev"))]
pub(crate) use thrift::received;
pub(crate) use thrift::thrift_body;
pub(crate) use zipkin::zipkin_list;
#[cfg(feature = "dev")]
pub(crate) use zipkin::{zipkin_proto, zipkin_v1_list, zipkin_v1_thrift};

/// Why a message cannot be read.
pub(crate) type Reason = String;
