//! Callbacks and futures that finish a span.

use std::future::Future;

use crate::scope::work::Work;
use crate::scope::{FinishOnce, Instrumented};
use crate::span::{ErrorLike, Span};

/// Each method takes a callback of another form. The span is active while the callback runs, and finishes when it
/// returns. A panic marks the span: `error=true` and a log record `event=panic`.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::FinishOnce;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
///
/// // A callback that gets a result, and one that is called when the time is up: one of them
/// // ends the span, the first.
/// let end = FinishOnce::new(tracer.start_span("charge"));
/// let answer = end.wrap_result(|result: Result<u32, std::fmt::Error>| result.is_ok());
/// let timeout = end.wrap(|| active_span().set_tag("timeout", true).is_noop());
/// assert!(!answer(Err(std::fmt::Error)));
/// timeout();
/// assert!(!end.span().is_recording(), "the span has finished");
/// assert_eq!(spans.tree(), "charge !");
///
/// // A future that races with something else.
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
/// # runtime.block_on(async {
/// let end = FinishOnce::new(tracer.start_span("ship"));
/// assert_eq!(end.wrap_future(async { 7 }).await, 7);
/// # });
/// assert!(spans.find("ship").is_some());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
impl FinishOnce {
    /// Wraps a callback without arguments.
    pub fn wrap<R, F>(&self, callback: F) -> impl FnOnce() -> R + use<R, F>
    where
        F: FnOnce() -> R,
    {
        let end = self.clone();
        move || end.run(callback)
    }

    /// Wraps a callback with an argument.
    pub fn wrap_once<A, R, F>(&self, callback: F) -> impl FnOnce(A) -> R + use<A, R, F>
    where
        F: FnOnce(A) -> R,
    {
        let end = self.clone();
        move |argument| end.run(|| callback(argument))
    }

    /// Wraps a callback for an error, which is logged as by [`Span::log_error`] before the callback runs.
    pub fn wrap_error<E, R, F, const FORM: u8>(
        &self,
        callback: F,
    ) -> impl FnOnce(E) -> R + use<E, R, F, FORM>
    where
        E: ErrorLike<FORM>,
        F: FnOnce(E) -> R,
    {
        let end = self.clone();
        move |error| {
            end.span().log_error(&error);
            end.run(|| callback(error))
        }
    }

    /// Wraps a callback for a result. An error is logged as by [`Span::log_error`] before the callback runs.
    pub fn wrap_result<T, E, R, F, const FORM: u8>(
        &self,
        callback: F,
    ) -> impl FnOnce(Result<T, E>) -> R + use<T, E, R, F, FORM>
    where
        E: ErrorLike<FORM>,
        F: FnOnce(Result<T, E>) -> R,
    {
        let end = self.clone();
        move |result| {
            if let Err(error) = &result {
                end.span().log_error(error);
            }
            end.run(|| callback(result))
        }
    }

    /// Wraps a future, which finishes the span when it is ready. The span is active in every poll. A future that is
    /// dropped before leaves the span to the other events.
    pub fn wrap_future<F: Future>(&self, future: F) -> Instrumented<F> {
        Instrumented::new(future, Work::Finishes(self.clone()))
    }

    fn run<R>(self, callback: impl FnOnce() -> R) -> R {
        let mut work = Work::Finishes(self);
        let result = work.run(callback);
        work.end();
        result
    }
}

impl Span {
    /// Wraps a callback that takes an argument: the span is active while it runs, and finishes when it returns, even if
    /// there are other handles. A callback that is dropped uncalled logs `cancelled` and finishes the span.
    ///
    /// [`FinishOnce`] is for a pair of callbacks, and for ones that take a result or nothing.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// /// A client that calls back when it has an answer.
    /// fn ask(question: &str, answer: impl FnOnce(usize) + 'static) {
    ///     answer(question.len());
    /// }
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// ask("how many?", tracer.start_span("ask").finish_with(|answer| {
    ///     active_span().set_tag("answer", answer);
    /// }));
    /// assert_eq!(spans.spans()[0].tag_text("answer"), "9");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn finish_with<A, R, F>(self, callback: F) -> impl FnOnce(A) -> R + use<A, R, F>
    where
        F: FnOnce(A) -> R,
    {
        FinishOnce::new(self).wrap_once(callback)
    }
}
