use std::borrow::Cow;
use std::panic::Location;

use crate::scope::Captured;
use crate::tracer::Tracer;

impl Captured {
    /// Makes each piece of work start a span with this name, a child of what was captured, when the work begins. The
    /// span ends with the work. [`child_with`](Self::child_with) also sets tags, or makes it follow instead.
    ///
    /// The time in the queue of a pool is not part of the span. If it should be, start the span yourself and move it
    /// into the work: `let span = tracer.start_span("resize"); pool.execute(move || span.in_scope(resize))`.
    ///
    /// `tracer` is a clone of yours, which lives as long as what this returns, or [`tracer()`](crate::tracer::tracer),
    /// the global one.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::scope::capture;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let upload = tracer.start_active_span("upload");
    /// let resize = capture().child(tracer.clone(), "resize");
    /// let small = resize.wrap(|| {
    ///     active_span().set_tag("width", 200);
    /// });
    /// std::thread::spawn(small).join().expect("no panic");
    /// upload.finish();
    /// assert_eq!(spans.tree(), "upload\n  resize");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[track_caller]
    pub fn child(
        self,
        tracer: impl Tracer + 'static,
        operation_name: impl Into<Cow<'static, str>>,
    ) -> Self {
        let operation_name = operation_name.into();
        let place = Location::caller();
        self.child_with(move || tracer.start_named(operation_name.clone(), place))
    }
}
