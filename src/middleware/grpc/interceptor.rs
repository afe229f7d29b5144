use std::fmt;
use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::scope::{Active, active_parent};
use crate::tracer::Tracer;

/// Injects the context that is active into calls, and starts no span: for clients that cannot be wrapped in a
/// [`ClientLayer`](crate::middleware::ClientLayer).
///
/// The server's span is then a child of the span that is active where the call is made. An interceptor sees neither
/// the response nor its status, so a span of the call itself is the layer's work.
///
/// ```
/// use tonic::service::Interceptor;
/// use tracehound::middleware::TracingInterceptor;
/// use tracehound::NoopTracer;
///
/// let mut interceptor = TracingInterceptor::new(NoopTracer);
/// let request = interceptor.call(tonic::Request::new(()))?;
/// # Ok::<(), tonic::Status>(())
/// ```
#[derive(Clone)]
pub struct TracingInterceptor {
    tracer: Arc<dyn Tracer>,
}

impl TracingInterceptor {
    /// Injects by `tracer`.
    pub fn new(tracer: impl Tracer + 'static) -> Self {
        Self {
            tracer: Arc::new(tracer),
        }
    }
}

impl Interceptor for TracingInterceptor {
    /// Never fails.
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let context = match active_parent() {
            Some(Active::Span(span)) => span.context(),
            Some(Active::Context(context)) => context,
            None => return Ok(request),
        };
        self.tracer.inject(&context, request.metadata_mut());
        Ok(request)
    }
}

impl fmt::Debug for TracingInterceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingInterceptor").finish_non_exhaustive()
    }
}
