use std::fmt::{self, Display};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::middleware::message::settings::{OFFSET, PARTITION, fail};
use crate::middleware::running;
use crate::propagation::InjectCarrier;
use crate::span::Span;
use crate::tracer::Tracer;

/// The span of a message that is being sent, from [`OutgoingMessage::start`](crate::middleware::OutgoingMessage::start).
///
/// It lasts until it is finished or dropped. Run the client's future in it, so that it lasts until the broker has
/// acknowledged. If it is dropped before [`run`](Self::run), [`fail`](Self::fail) or [`finish`](Self::finish), the
/// message was not sent, and the span logs `cancelled`.
///
/// It can be sent to the callback of a client and [ended](Self::end) there:
///
/// ```
/// use tracehound::middleware::MessageBus;
/// use tracehound::propagation::MessageHeaders;
/// use tracehound::NoopTracer;
///
/// # type Callback = Box<dyn FnOnce(Result<(), std::io::Error>) + Send>;
/// # fn produce(_: &[(String, Vec<u8>)], callback: Callback) { callback(Ok(())) }
/// let bus = MessageBus::new(NoopTracer, "kafka");
/// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
/// let sending = bus.send("orders").start(&mut MessageHeaders(&mut headers));
/// produce(&headers, Box::new(move |delivery| sending.end(&delivery)));
/// ```
#[must_use = "a span that is dropped at once says that the message was not sent"]
pub struct ProducerSpan {
    span: Span,
    tracer: Arc<dyn Tracer>,
    /// The fate of the message is told, so the destructor need not tell it.
    is_told: AtomicBool,
}

/// A blocking client that tells where the broker has put the message:
///
/// ```
/// use tracehound::middleware::MessageBus;
/// use tracehound::prelude::*;
/// use tracehound::propagation::MessageHeaders;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let bus = MessageBus::new(tracer, "kafka");
/// let mut headers: [Vec<(String, Vec<u8>)>; 2] = Default::default();
/// let [first, copy] = &mut headers;
/// let sending = bus.send("orders").start(&mut MessageHeaders(first));
/// sending.inject(&mut MessageHeaders(copy)); // of a copy for another region
/// sending.span().set_tag("copies", 2);
/// match sending.run_blocking(|| Ok::<_, std::io::Error>((3, 4_711))) {
///     Ok((partition, offset)) => sending.stored_at(partition, offset),
///     Err(error) => sending.fail(&error),
/// };
/// sending.finish();
/// assert_eq!(spans.spans()[0].tag_text("offset"), "4711");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
impl ProducerSpan {
    pub(super) fn new(span: Span, tracer: Arc<dyn Tracer>) -> Self {
        Self {
            span,
            tracer,
            is_told: AtomicBool::new(false),
        }
    }

    /// Returns the span, for tags and logs of your own.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Writes the context of the span into the headers of one more message.
    pub fn inject(&self, headers: &mut impl InjectCarrier) {
        if !self.span.is_noop() {
            self.tracer.inject(&self.span.context(), headers);
        }
    }

    /// Records where the broker has put the message, as the tags `partition` and `offset`.
    pub fn stored_at(&self, partition: i32, offset: i64) -> &Self {
        self.span
            .set_tag(PARTITION, partition)
            .set_tag(OFFSET, offset);
        self
    }

    /// Marks the span as failed: `error=true`, and a log record with the error's text and kind.
    ///
    /// Only the first line of the text is recorded, without the values that it quotes. At
    /// [`Recording::everything`](crate::model::Recording::everything) the whole text is.
    pub fn fail<E: Display + 'static>(&self, error: &E) -> &Self {
        self.tell();
        fail(&self.span, error);
        self
    }

    /// Runs the future that sends the message, with the span active. Does not finish the span.
    ///
    /// An error marks the span, and so does a drop of the future before its end.
    ///
    /// # Errors
    ///
    /// Returns the error of the future.
    pub fn run<'s, T, E, F>(
        &'s self,
        future: F,
    ) -> impl Future<Output = Result<T, E>> + use<'s, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        self.tell();
        running::run(&self.span, future, |error| fail(&self.span, error))
    }

    /// Runs blocking code that sends the message, with the span active. Does not finish the span. An error marks it.
    ///
    /// # Errors
    ///
    /// Returns the error of the code.
    pub fn run_blocking<T, E>(&self, send: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: Display + 'static,
    {
        self.tell();
        running::run_blocking(&self.span, send, |error| fail(&self.span, error))
    }

    /// Finishes the span with the result of sending. An error marks it.
    pub fn end<T, E: Display + 'static>(self, result: &Result<T, E>) {
        if let Err(error) = result {
            self.fail(error);
        }
        self.finish();
    }

    /// Finishes the span.
    pub fn finish(self) {
        self.tell();
        self.span.finish_by_ref();
    }

    fn tell(&self) {
        // Relaxed: the destructor, which reads it, comes after all uses.
        self.is_told.store(true, Ordering::Relaxed);
    }
}

impl Drop for ProducerSpan {
    fn drop(&mut self) {
        // A span that ends because its thread panics is marked by that.
        if !*self.is_told.get_mut() && !thread::panicking() {
            self.span.log_event("cancelled");
        }
    }
}

impl fmt::Debug for ProducerSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProducerSpan").field(&self.span).finish()
    }
}
