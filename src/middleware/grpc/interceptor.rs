use std::fmt;
use std::sync::Arc;

use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::scope::{Active, active_parent};
use crate::tracer::Tracer;

/// An interceptor that injects the active context into calls and starts no span.
///
/// It is for clients that cannot be wrapped in a [`ClientLayer`](crate::middleware::ClientLayer). The server's span
/// becomes a child of the span that is active when the call is made. The call itself has no span, because an
/// interceptor never sees the response.
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
    /// Makes an interceptor that injects with the codecs of `tracer`.
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
            _ => return Ok(request),
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
