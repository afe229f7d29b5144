use std::fmt::{self, Display};
use std::future::Future;

use crate::middleware::message::settings::fail;
use crate::middleware::running;
use crate::span::Span;

/// The span of a message that is being handled, from
/// [`IncomingMessage::start`](crate::middleware::IncomingMessage::start).
///
/// Run the handler in it, say what became of the message, and finish it. Dropping it finishes the span, too.
///
/// ```
/// use tracehound::middleware::MessageBus;
/// use tracehound::NoopTracer;
///
/// # async fn pack(_: &str) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn ack() -> Result<(), std::io::Error> { Ok(()) }
/// # async fn nak() -> Result<(), std::io::Error> { Ok(()) }
/// # async fn example() -> Result<(), std::io::Error> {
/// let bus = MessageBus::new(NoopTracer, "rabbitmq");
/// let headers = [("uber-trace-id", "1:2:0:1")];
/// let handling = bus.receive("orders").start(&headers);
/// match handling.run(pack("one teapot")).await {
///     Ok(()) => handling.settle("ack", ack()).await?,
///     Err(_) => handling.settle("nak", nak()).await?,
/// }
/// handling.finish();
/// # Ok(()) }
/// ```
///
/// A handler that cannot fail runs by [`in_span`](crate::InSpan::in_span): `pack().in_span(handling.span().downgrade())`.
#[must_use = "a span that is dropped at once measures nothing"]
pub struct ConsumerSpan {
    span: Span,
}

/// A blocking handler that fails:
///
/// ```
/// use tracehound::middleware::MessageBus;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("pack")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let bus = MessageBus::new(tracer, "rabbitmq");
/// let handling = bus.receive("orders").start(&[("uber-trace-id", "1:2:0:1")]);
/// handling.span().set_tag("customer", "4711");
/// let packed = handling.run_blocking(|| "x".parse::<u32>()); // an error marks the span
/// if packed.is_err() {
///     handling.fail(&"moved to the dead letters");
/// }
/// handling.finish();
/// assert!(spans.spans()[0].is_error());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
impl ConsumerSpan {
    pub(super) fn new(span: Span) -> Self {
        Self { span }
    }

    /// Returns the span, for tags and logs of your own.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Marks the span as failed: `error=true`, and a log record with the error's text and kind.
    ///
    /// Only the first line of the text is recorded, without the values that it quotes. At
    /// [`Recording::everything`](crate::model::Recording::everything) the whole text is.
    pub fn fail<E: Display + 'static>(&self, error: &E) -> &Self {
        fail(&self.span, error);
        self
    }

    /// Runs the handler of the message, or a part of it, with the span active. Does not finish the span.
    ///
    /// An error marks the span, and so does a drop of the future before its end.
    ///
    /// # Errors
    ///
    /// Returns the error of the handler.
    pub fn run<'s, T, E, F>(
        &'s self,
        handler: F,
    ) -> impl Future<Output = Result<T, E>> + use<'s, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        running::run(&self.span, handler, |error| fail(&self.span, error))
    }

    /// Runs a blocking handler with the span active. Does not finish the span. An error marks it.
    ///
    /// # Errors
    ///
    /// Returns the error of the handler.
    pub fn run_blocking<T, E>(&self, handler: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: Display + 'static,
    {
        running::run_blocking(&self.span, handler, |error| fail(&self.span, error))
    }

    /// Runs the future that tells the broker what became of the message, and logs it as an event: `ack`, `nak`,
    /// `commit`, `dead_letter`. Does not finish the span.
    ///
    /// The event is logged once the future has succeeded. An error marks the span.
    ///
    /// # Errors
    ///
    /// Returns the error of the future.
    pub fn settle<'s, T, E, F>(
        &'s self,
        event: &'static str,
        told: F,
    ) -> impl Future<Output = Result<T, E>> + use<'s, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        let told = self.run(told);
        async move {
            told.await.inspect(|_| {
                self.span.log_event(event);
            })
        }
    }

    /// Finishes the span.
    pub fn finish(self) {
        self.span.finish();
    }
}

impl fmt::Debug for ConsumerSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ConsumerSpan").field(&self.span).finish()
    }
}
