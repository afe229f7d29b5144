//! The parts of gRPC over HTTP that plain HTTP does not have: calls, status codes, methods.

#[cfg(feature = "tonic")]
mod interceptor;
pub(crate) mod status;

#[cfg(feature = "tonic")]
pub use self::interceptor::TracingInterceptor;
