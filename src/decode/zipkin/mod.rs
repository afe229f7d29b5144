//! Lists of spans of Zipkin, in each form that clients send.
//!
//! | version of the model | JSON | binary |
//! |---|---|---|
//! | 2, at `/api/v2/spans` | `json` | `proto`: protobuf |
//! | 1, at `/api/v1/spans` | `json_v1` | `thrift_v1`: Thrift |
//!
//! Each form is read into spans of `span`, which makes spans of Jaeger of them.

mod json;
#[cfg(feature = "dev")]
mod json_v1;
#[cfg(feature = "dev")]
mod proto;
mod span;
#[cfg(feature = "dev")]
mod thrift_v1;
#[cfg(feature = "dev")]
mod v1;

use std::collections::HashMap;

use crate::decode::parts::Parts;
use crate::decode::zipkin::span::ZipkinSpan;
use crate::decode::{Reason, ReceivedBatch};
use crate::model::Process;
use crate::reporter::OwnedSpan;
use crate::reporter::sender::BatchFormat;

pub(crate) use json::zipkin_list;
#[cfg(feature = "dev")]
pub(crate) use json_v1::zipkin_v1_list;
#[cfg(feature = "dev")]
pub(crate) use proto::zipkin_proto;
#[cfg(feature = "dev")]
pub(crate) use thrift_v1::zipkin_v1_thrift;

/// Makes a batch of the spans of each process. A span that cannot be read by `read` is left out.
///
/// # Errors
///
/// Fails if there are spans, but none of them can be read.
fn batches<T>(
    spans: impl Iterator<Item = T>,
    read: impl Fn(T, &mut Parts) -> Result<ZipkinSpan, Reason>,
) -> Result<Vec<ReceivedBatch>, Reason> {
    let mut parts = Parts::of_message();
    let mut batches = Vec::<(Process, Vec<OwnedSpan>)>::new();
    let mut places = HashMap::<(String, Vec<String>), usize>::new();
    let (mut left_out, mut why) = (0, String::new());
    for span in spans {
        let (span, service, tags) =
            match read(span, &mut parts).and_then(|span| span.converted(&mut parts)) {
                Ok(read) => read,
                Err(reason) => {
                    left_out += 1;
                    why = reason;
                    continue;
                }
            };
        let texts = tags.iter().map(|tag| format!("{}={}", tag.key, tag.value));
        let key = (service, texts.collect());
        let next = batches.len();
        match places.get(&key).and_then(|&place| batches.get_mut(place)) {
            Some((_, spans)) => spans.push(span),
            None => {
                batches.push((Process::new(key.0.clone(), tags), vec![span]));
                places.insert(key, next);
            }
        }
    }
    let batch = |(process, spans)| ReceivedBatch::new(BatchFormat::ZipkinJson, process, spans);
    let mut batches: Vec<_> = batches.into_iter().map(batch).collect();
    match batches.first_mut() {
        Some(batch) => batch.left_out = left_out,
        None if left_out > 0 => return Err(why),
        None => {}
    }
    Ok(batches)
}
