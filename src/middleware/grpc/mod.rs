//! The parts of gRPC over HTTP that plain HTTP does not have: calls, status codes, methods.

mod call;
mod deadline;
mod details;
mod frames;
#[cfg(feature = "tonic")]
mod interceptor;
mod messages;
mod methods;
mod request;
mod shared;
pub(crate) mod status;
mod web;

pub(crate) use self::call::Call;
pub use self::details::GrpcDetails;
#[cfg(feature = "tonic")]
pub use self::interceptor::TracingInterceptor;
pub(crate) use self::methods::Methods;
pub(crate) use self::request::RequestMessages;
