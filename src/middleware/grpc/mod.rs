//! The parts of gRPC over HTTP that plain HTTP does not have: calls, status codes, methods.

#[cfg(feature = "tonic")]
mod interceptor;
mod known_methods;
pub(crate) mod status;

#[cfg(feature = "tonic")]
pub use self::interceptor::TracingInterceptor;
pub(crate) use self::known_methods::KnownMethods;
