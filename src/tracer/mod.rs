//! Tracers: where spans begin.
//!
//! # How does a span begin?
//!
//! ```
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//!
//! fn checkout(tracer: &impl Tracer) {
//!     // A child of the active span, or a root if none is active.
//!     let span = tracer.start_span("checkout");
//!     // With tags, references or a start time of its own.
//!     let query = tracer.build_span("query").child_of(&span).tag("db.type", "sql").start();
//!     query.finish();
//! } // a span finishes when it is dropped
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! checkout(&tracer);
//! let names: Vec<_> = spans.spans().into_iter().map(|span| span.operation_name).collect();
//! assert_eq!(names, ["query", "checkout"]);
//! checkout(&tracehound::NoopTracer); // costs next to nothing
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which tracer?
//!
//! | tracer | suits |
//! |---|---|
//! | [`JaegerTracer`] | a program: [`Config`](crate::Config) makes it from the environment, its `builder` in code |
//! | [`JaegerTracer::disabled`] | the same program with tracing off |
//! | [`NoopTracer`] | a library's default, and code that is not traced |
//! | [`tracer()`](tracer()) | code that cannot be handed a tracer: the global one |
//!
//! [`Tracer`] is the trait of all of them, and your own wrapper can implement it too. Code that traces takes an `&impl
//! Tracer` or an `&dyn Tracer`, so that a test can hand it another one. [`TracerExt`] adds the comfortable calls.
//!
//! # How does tracing end?
//!
//! Call [`JaegerTracer::close`] before the program ends. It sends the finished spans and reports what became of all
//! spans. [`JaegerTracer::flush`] sends and reports while the program runs.

mod assemble;
mod builder;
mod child_work;
#[cfg(test)]
mod clock_steps;
mod codec_setters;
mod core;
#[cfg(feature = "tracing")]
mod earlier_start;
#[cfg(not(feature = "tracing"))]
#[path = "no_earlier_start.rs"]
mod earlier_start;
mod entry;
mod global;
mod handle;
mod jaeger;
mod new_span;
mod noop;
mod options;
mod parent;
mod process_tags;
mod receive;
pub(crate) mod reseed;
#[cfg(all(unix, feature = "signals"))]
mod signals;
mod span_builder;
mod start;

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;

pub use assemble::BuildError;
pub use builder::TracerBuilder;
pub use global::{GlobalTracer, SetTracerError, set_tracer, tracer};
pub use jaeger::JaegerTracer;
pub use noop::NoopTracer;
pub use options::StartSpanOptions;
pub use span_builder::SpanBuilder;

use crate::clock::Moment;
use crate::model::TagNames;
use crate::propagation::{ExtractCarrier, ExtractError, InjectCarrier};
use crate::scope::ActiveSpan;
use crate::span::{Span, SpanContext};

/// Starts spans, writes their contexts into requests and reads them out of requests. Object-safe.
///
/// ```
/// use std::collections::HashMap;
/// use tracehound::prelude::*;
/// use tracehound::reporter::NullReporter;
///
/// /// Handles a message, with any tracer.
/// fn handle(tracer: &dyn Tracer, headers: &HashMap<String, String>) -> HashMap<String, String> {
///     let sender = tracer.extract(headers).ok().flatten();
///     let span = tracer.build_span("handle").follows_from(&sender).start();
///     let mut answer = HashMap::new();
///     if !tracer.is_noop() {
///         tracer.inject(&span.context(), &mut answer);
///     }
///     answer
/// }
///
/// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
/// assert!(handle(&tracer, &HashMap::new()).contains_key("uber-trace-id"));
/// assert!(handle(&tracehound::NoopTracer, &HashMap::new()).is_empty());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub trait Tracer: Send + Sync {
    /// Starts a span with options. Never fails. [`TracerExt::build_span`] fills in the options.
    ///
    /// The page of [`StartSpanOptions`] has a tracer of one's own, whose `start` passes them on:
    ///
    /// ```
    /// use tracehound::tracer::StartSpanOptions;
    /// use tracehound::{Span, Tracer};
    ///
    /// fn start_quietly(tracer: &dyn Tracer, options: StartSpanOptions<'_>) -> Span {
    ///     match options.operation_name() {
    ///         "health" => Span::noop(),
    ///         _ => tracer.start(options),
    ///     }
    /// }
    /// ```
    fn start(&self, options: StartSpanOptions<'_>) -> Span;

    /// Writes a context into a carrier, in place of the one that was there. Items that the carrier cannot hold are
    /// counted. A carrier that no codec knows is counted ([`Counter::EncodingErrors`](crate::metrics::Counter)), and
    /// a line says so.
    fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier);

    /// Reads a context out of a carrier. Returns `Ok(None)` if the carrier has none.
    ///
    /// # Errors
    ///
    /// Returns an [`ExtractError`] if the carrier has a malformed context. The tracer counts it. Most callers
    /// then start a root.
    fn extract(&self, carrier: &dyn ExtractCarrier) -> Result<Option<SpanContext>, ExtractError>;

    /// Returns whether every span is a no-op, so that callers can save work. Defaults to false.
    fn is_noop(&self) -> bool {
        false
    }

    /// Starts a span with only a name, as a child of the active span or as a root. [`TracerExt::start_span`] calls it.
    ///
    /// `place` is where the program starts the span, for [observers](crate::observer::ObservedSpan::place). By default
    /// this calls [`start`](Self::start) with options that hold both. A wrapper that changes nothing about spans should
    /// forward it, because `JaegerTracer` starts such spans without building options.
    ///
    /// ```
    /// use std::panic::Location;
    /// use tracehound::{NoopTracer, Tracer};
    ///
    /// assert!(NoopTracer.start_named("checkout".into(), Location::caller()).is_noop());
    /// ```
    #[inline]
    fn start_named(
        &self,
        operation_name: Cow<'static, str>,
        place: &'static Location<'static>,
    ) -> Span {
        if self.is_noop() {
            Span::noop()
        } else {
            self.start(StartSpanOptions::new(operation_name, Some(place)))
        }
    }

    /// Returns the current time by the clock of this tracer, for a span that begins now and starts later. The layer for
    /// the crate `tracing` asks for it.
    ///
    /// By default it is the time of the wall clock, which costs such a span more. A wrapper should forward it.
    ///
    /// ```
    /// use tracehound::{NoopTracer, Tracer};
    ///
    /// let begun = NoopTracer.moment();
    /// # let _ = begun;
    /// ```
    fn moment(&self) -> Moment {
        Moment::wall()
    }

    /// Returns the vocabulary in which the [middleware](crate::middleware) names the spans of this tracer. Their tags
    /// follow the tracer that made the span.
    ///
    /// By default it is that of OpenTracing. A wrapper should forward it.
    ///
    /// ```
    /// use tracehound::model::TagNames;
    /// use tracehound::{NoopTracer, Tracer};
    ///
    /// assert_eq!(NoopTracer.tag_names(), TagNames::OpenTracing);
    /// ```
    fn tag_names(&self) -> TagNames {
        TagNames::default()
    }
}

/// The methods that programs call on a [`Tracer`], `dyn Tracer` included.
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let checkout = tracer.start_active_span("checkout"); // until it is dropped or finished
/// tracer.start_span("read cart").finish(); // a child of the active one
/// tracer.build_span("charge").tag("cents", 4_200).start().finish(); // with more to say
/// checkout.finish();
/// assert_eq!(spans.tree(), "checkout\n  read cart\n  charge");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub trait TracerExt: Tracer {
    /// Returns a builder for a span with tags, references or a start time.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.build_span("get_account").tag("span.kind", "server").start();
    /// assert!(span.is_noop());
    /// ```
    #[inline(always)]
    #[track_caller]
    fn build_span<'a>(
        &'a self,
        operation_name: impl Into<Cow<'static, str>>,
    ) -> SpanBuilder<'a, Self> {
        SpanBuilder::new(self, operation_name.into(), Location::caller())
    }

    /// Starts a span as a child of the active one, or as a root if none is active.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.start_span("get_account");
    /// span.finish();
    /// ```
    #[inline(always)]
    #[track_caller]
    fn start_span(&self, operation_name: impl Into<Cow<'static, str>>) -> Span {
        self.start_named(operation_name.into(), Location::caller())
    }

    /// Starts a span as [`start_span`](Self::start_span) does, and makes it active on this thread until it finishes.
    ///
    /// Keep what it returns in a variable of its own: `let span = tracer.start_active_span("a").set_tag("k", 1);` keeps
    /// only a reference, and the span ends at the semicolon. For first tags use
    /// [`build_span`](Self::build_span) and [`SpanBuilder::start_active`].
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::prelude::*;
    ///
    /// let span = NoopTracer.start_active_span("get_account");
    /// span.set_tag("account", 792); // spans that start from here on are its children
    /// ```
    #[track_caller]
    fn start_active_span(&self, operation_name: impl Into<Cow<'static, str>>) -> ActiveSpan {
        ActiveSpan::new(self.start_span(operation_name))
    }
}

impl<T: Tracer + ?Sized> TracerExt for T {}

/// Makes a pointer to a tracer a tracer, which hands every call on.
macro_rules! hand_on {
    ($pointer:ty) => {
        impl<T: Tracer + ?Sized> Tracer for $pointer {
            fn start(&self, options: StartSpanOptions<'_>) -> Span {
                (**self).start(options)
            }

            fn inject(&self, context: &SpanContext, carrier: &mut dyn InjectCarrier) {
                (**self).inject(context, carrier);
            }

            fn extract(
                &self,
                carrier: &dyn ExtractCarrier,
            ) -> Result<Option<SpanContext>, ExtractError> {
                (**self).extract(carrier)
            }

            fn is_noop(&self) -> bool {
                (**self).is_noop()
            }

            #[inline]
            fn start_named(
                &self,
                operation_name: Cow<'static, str>,
                place: &'static Location<'static>,
            ) -> Span {
                (**self).start_named(operation_name, place)
            }

            fn moment(&self) -> Moment {
                (**self).moment()
            }

            fn tag_names(&self) -> TagNames {
                (**self).tag_names()
            }
        }
    };
}

hand_on!(Arc<T>);
hand_on!(&T);
hand_on!(Box<T>);
