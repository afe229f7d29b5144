//! gRPC, which travels over HTTP: what is particular to it.

#[cfg(feature = "tonic")]
mod interceptor;
pub(crate) mod status;

#[cfg(feature = "tonic")]
pub use self::interceptor::TracingInterceptor;
