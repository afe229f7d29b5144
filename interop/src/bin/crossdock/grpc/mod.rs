//! gRPC, the second way of the crossdock to call a service. Its messages are the JSON of the first.

pub(crate) mod client;
mod json;
pub(crate) mod server;

const JOIN_TRACE: &str = "/crossdock.Crossdock/JoinTrace";
