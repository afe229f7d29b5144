//! The server's side of a call for a strategy.

use prost::Message as _;

use crate::sampler::remote::grpc::messages::{
    SamplingStrategyParameters, SamplingStrategyResponse,
};
use crate::sampler::remote::reply;

/// Answers a call with the strategy of its service, which `strategy` returns as JSON. Returns `None` for a message that is
/// no such call.
pub(crate) fn answer<S: AsRef<str>>(
    call: &[u8],
    strategy: impl FnOnce(&str) -> S,
) -> Option<Vec<u8>> {
    let call = SamplingStrategyParameters::decode(call).ok()?;
    let reply = reply::read(strategy(&call.service_name).as_ref().as_bytes()).ok()?;
    Some(SamplingStrategyResponse::from(reply).encode_to_vec())
}
