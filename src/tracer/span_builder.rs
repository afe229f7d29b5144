use std::borrow::Cow;
use std::panic::Location;
use std::time::SystemTime;

#[cfg(feature = "tracing")]
use crate::clock::Moment;
#[cfg(feature = "tracing")]
use crate::model::Place;
use crate::model::{ReferenceType, TagRef};
use crate::propagation::Trust;
use crate::scope::ActiveSpan;
use crate::span::{Reference, Span, SpanContext, ToSpanContext};
use crate::tracer::{StartSpanOptions, Tracer};

/// A builder for a span, from [`TracerExt::build_span`](crate::tracer::TracerExt::build_span).
///
/// The parent is the first `ChildOf` reference with a trace, else the first `FollowsFrom` one. Without any
/// reference it is the active span, unless [`ignore_active_span`](Self::ignore_active_span) says otherwise.
/// An empty context is no reference. With [`new_trace`](Self::new_trace) there is no parent at all.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
///
/// let request = NoopTracer.start_span("request");
/// let query = NoopTracer.build_span("query").child_of(&request).tag("db.type", "sql").start();
/// query.finish();
/// ```
#[must_use = "a span that is not started measures nothing"]
#[derive(Debug)]
pub struct SpanBuilder<'a, T: Tracer + ?Sized> {
    tracer: &'a T,
    /// `None` if every span of the tracer is a no-op.
    options: Option<StartSpanOptions<'a>>,
}

impl<'a, T: Tracer + ?Sized> SpanBuilder<'a, T> {
    #[inline(always)]
    pub(crate) fn new(
        tracer: &'a T,
        operation_name: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> Self {
        Self {
            tracer,
            options: if tracer.is_noop() {
                None
            } else {
                Some(StartSpanOptions::new(operation_name, Some(place)))
            },
        }
    }

    /// Makes the span a child of another span or of a context. An empty context changes nothing.
    #[inline(always)]
    pub fn child_of(mut self, parent: &impl ToSpanContext) -> Self {
        if let Some(options) = &mut self.options {
            parent.give_span_context(options.reference_place(ReferenceType::ChildOf));
        }
        self
    }

    /// Says that another span or a context caused this span and does not wait for it.
    #[inline(always)]
    pub fn follows_from(mut self, parent: &impl ToSpanContext) -> Self {
        if let Some(options) = &mut self.options {
            parent.give_span_context(options.reference_place(ReferenceType::FollowsFrom));
        }
        self
    }

    /// Adds a reference. A reference to an empty context changes nothing.
    #[inline(always)]
    pub fn reference(mut self, reference: Reference) -> Self {
        if let Some(options) = &mut self.options {
            let place = options.reference_place(reference.kind);
            reference.context.give_span_context(place);
        }
        self
    }

    /// Keeps the active span from becoming the parent. Without a reference the span is then a root.
    #[inline(always)]
    pub fn ignore_active_span(mut self) -> Self {
        if let Some(options) = &mut self.options {
            options.set_ignore_active_span();
        }
        self
    }

    /// Makes the span that of a request from a caller, of whose context only some parts are believed.
    ///
    /// With [`Trust::full`] that is [`child_of`](Self::child_of), and with [`Trust::restart`] a
    /// [`new_trace`](Self::new_trace) that follows from the caller's span. In any case the active span is no parent:
    /// see [`ignore_active_span`](Self::ignore_active_span).
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::propagation::Trust;
    /// use tracehound::NoopTracer;
    ///
    /// # fn main() -> Result<(), tracehound::propagation::ExtractError> {
    /// let headers = [("uber-trace-id", "1:2:0:3")];
    /// let caller = NoopTracer.extract(&headers)?;
    /// let span = NoopTracer.build_span("pay").caller(&caller, Trust::ids_only()).start();
    /// # Ok(()) }
    /// ```
    #[inline(always)]
    pub fn caller(mut self, caller: &impl ToSpanContext, trust: Trust) -> Self {
        if let Some(options) = &mut self.options {
            options.set_ignore_active_span();
            if trust == Trust::full() {
                caller.give_span_context(options.reference_place(ReferenceType::ChildOf));
            } else {
                let caller = caller.to_span_context();
                if !caller.is_empty() {
                    options.set_caller(caller, trust);
                }
            }
        }
        self
    }

    /// Makes the span the root of a new trace, whatever its references are and whichever span is active.
    ///
    /// The sampler is asked as for any root. References with a trace are reported as `FollowsFrom`, so the traces stay
    /// linked, but nothing is inherited through them: no decision, no debug id, no baggage. Use it where a trace should
    /// end: at the edge to callers who are not trusted, or where one message starts work that takes days.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::NoopTracer;
    ///
    /// let request = NoopTracer.start_span("order");
    /// let import = NoopTracer.build_span("import").follows_from(&request).new_trace().start();
    /// ```
    #[inline(always)]
    pub fn new_trace(mut self) -> Self {
        if let Some(options) = &mut self.options {
            options.set_new_trace(SpanContext::default());
        }
        self
    }

    /// Sets a tag. Set `span.kind` here and not on the started span: the counters of joined traces depend on it.
    #[inline(always)]
    pub fn tag(mut self, key: &'a str, value: impl Into<TagRef<'a>>) -> Self {
        if let Some(options) = &mut self.options {
            options.push_tag(key, value.into());
        }
        self
    }

    /// Sets the start time. The end is then taken from the wall clock too. Defaults to now.
    ///
    /// A time before 1970 or after February 2116 is moved to the nearest one within, and counted
    /// ([`Counter::ClampedTimes`](crate::metrics::Counter)).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::span::Reference;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// // Work that was measured before: by a batch job, or in a queue.
    /// let sent = SystemTime::now() - Duration::from_secs(5);
    /// let message = tracer.build_span("in the queue").ignore_active_span().start_time(sent).start();
    /// let handled = tracer.build_span("handle").reference(Reference::follows_from(&message)).start();
    /// handled.finish();
    /// message.finish();
    /// assert!(spans.find("in the queue").expect("finished").duration >= Duration::from_secs(4));
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[inline(always)]
    pub fn start_time(mut self, time: SystemTime) -> Self {
        if let Some(options) = &mut self.options {
            options.set_start_time(time);
        }
        self
    }

    /// Sets where the program starts the span, for [observers](crate::observer::ObservedSpan::place), in place of the
    /// call of [`build_span`](crate::TracerExt::build_span). `None` says that it is not known.
    ///
    /// A library that starts spans for its callers gives their place, which a function with `#[track_caller]` knows.
    ///
    /// ```
    /// use std::panic::Location;
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// #[track_caller]
    /// fn start_job(tracer: &impl Tracer) -> Span {
    ///     tracer.build_span("job").place(Some(Location::caller())).start()
    /// }
    /// start_job(&NoopTracer).finish(); // an observer sees this line
    /// ```
    #[inline(always)]
    pub fn place(mut self, place: Option<&'static Location<'static>>) -> Self {
        if let Some(options) = &mut self.options {
            options.set_place(place);
        }
        self
    }

    /// Sets the time at which the span began, by the clock of its tracer, and the place.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(crate) fn begun(mut self, moment: Moment, place: Option<Place>) -> Self {
        if let Some(options) = &mut self.options {
            options.set_begun(moment, place);
        }
        self
    }

    /// Gives the span exactly this context, which was made elsewhere, with its ids and flags. The sampler is not asked.
    /// References are recorded, and [`new_trace`](Self::new_trace) has no effect. A context without a trace changes
    /// nothing.
    ///
    /// ```
    /// use tracehound::SpanContext;
    /// use tracehound::model::{Flags, SpanId, TraceId};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    ///
    /// let tracer = JaegerTracer::builder("replay").reporter(NullReporter::new()).build()?;
    /// let ids = TraceId::new(0, 1).zip(SpanId::new(2)).expect("not zero");
    /// let recorded = SpanContext::new(ids.0, ids.1, None, Flags::SAMPLED);
    /// let span = tracer.build_span("checkout").context(recorded.clone()).start();
    /// assert_eq!(span.context(), recorded);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[inline(always)]
    pub fn context(mut self, context: SpanContext) -> Self {
        if let Some(options) = &mut self.options {
            options.set_context(context);
        }
        self
    }

    /// Starts the span.
    #[inline(always)]
    pub fn start(self) -> Span {
        match self.options {
            Some(options) => self.tracer.start(options),
            None => Span::noop(),
        }
    }

    /// Starts the span and makes it active on this thread until it finishes.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.build_span("get_account").tag("account", 792).start_active();
    /// span.log_event("found");
    /// ```
    pub fn start_active(self) -> ActiveSpan {
        ActiveSpan::new(self.start())
    }
}
