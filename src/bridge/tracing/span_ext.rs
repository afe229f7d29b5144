use std::error::Error;
use std::fmt;
use std::sync::Arc;

use tracing_subscriber::Registry;
use tracing_subscriber::registry::LookupSpan;

use crate::bridge::tracing::deferred_span::DeferredSpan;
use crate::bridge::tracing::layer::of_span;
use crate::bridge::tracing::left_out::run_user_code;
use crate::bridge::tracing::recorded::with_scratch;
use crate::span::{IntoTag, Span, SpanContext, ToSpanContext};

/// Methods that a [`TracingLayer`](crate::bridge::TracingLayer) adds to spans of `tracing`.
///
/// On a span that is disabled, or whose subscriber has no such layer over a [`Registry`], the methods do nothing, and
/// what they return is empty.
///
/// ```
/// use std::collections::HashMap;
/// use tracehound::bridge::{TracingLayer, TracingSpanExt};
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracing_subscriber::prelude::*;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let message = tracer.start_span("send").context();
/// let subscriber = tracing_subscriber::registry().with(TracingLayer::new(tracer.clone()));
/// tracing::subscriber::with_default(subscriber, || {
///     let span = tracing::info_span!("handle");
///     span.follows_from_context(&message); // not its parent
///     span.set_tag("attempt", 2);
///     span.set_baggage_item("user", "42");
///     assert_eq!(span.baggage_item("user").as_deref(), Some("42"));
///
///     let mut headers = HashMap::new(); // of a request that this span makes
///     tracer.inject(&span.span_context(), &mut headers);
///     assert!(headers.contains_key("uber-trace-id"));
///     assert!(!span.tracehound_span().is_noop());
/// });
/// assert_eq!(spans.find("handle").expect("it has ended").tag_text("attempt"), "2");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub trait TracingSpanExt {
    /// Makes the span a child of another span or of a context, in place of the parent that it has. An empty context
    /// changes nothing.
    ///
    /// The span can get a parent until its first child starts, its context is asked for, or it has recorded much (32
    /// events, 256 fields, or 16 KiB of text). That it was entered is no hindrance.
    ///
    /// # Errors
    ///
    /// [`SetParentError::Started`] if that has happened, and [`SetParentError::NoSpan`] if there is no span.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use tracehound::bridge::TracingSpanExt;
    /// use tracehound::prelude::*;
    ///
    /// #[tracing::instrument(skip_all)]
    /// async fn handle(tracer: &impl Tracer, headers: &HashMap<String, String>) {
    ///     let caller = tracer.extract(headers).unwrap_or_default();
    ///     let _ = tracing::Span::current().set_parent(&caller);
    /// }
    /// ```
    fn set_parent(&self, parent: &impl ToSpanContext) -> Result<(), SetParentError>;

    /// Starts the span, if it has not started, and returns a handle that does not own it. Without a span, returns the
    /// no-op span.
    fn tracehound_span(&self) -> Span;

    /// Starts the span, if it has not started, and returns its context, to inject it into a request.
    fn span_context(&self) -> SpanContext {
        self.tracehound_span().context()
    }

    /// Adds a reference: another span or a context caused this span and does not wait for it. Works after the start,
    /// too.
    fn follows_from_context(&self, cause: &impl ToSpanContext);

    /// Sets a tag, whose key `tracing` need not know.
    fn set_tag(&self, key: &str, value: impl IntoTag);

    /// Sets a baggage item, as [`Span::set_baggage_item`] does. Starts the span, if it has not started.
    fn set_baggage_item(&self, key: &str, value: &str) {
        self.tracehound_span().set_baggage_item(key, value);
    }

    /// Returns the value of a baggage item. Starts the span, if it has not started.
    fn baggage_item(&self, key: &str) -> Option<String> {
        self.tracehound_span().baggage_item(key)
    }
}

impl TracingSpanExt for ::tracing::Span {
    fn set_parent(&self, parent: &impl ToSpanContext) -> Result<(), SetParentError> {
        let held = find(self).ok_or(SetParentError::NoSpan)?;
        let context = parent.to_span_context();
        if context.is_empty() || held.set_parent(context) {
            Ok(())
        } else {
            Err(SetParentError::Started)
        }
    }

    fn tracehound_span(&self) -> Span {
        find(self).map_or_else(Span::noop, |held| held.span())
    }

    fn follows_from_context(&self, cause: &impl ToSpanContext) {
        if let Some(held) = find(self) {
            let context = cause.to_span_context();
            with_scratch(|recorded| {
                recorded.push_reference(context);
                held.add(recorded);
            });
        }
    }

    fn set_tag(&self, key: &str, value: impl IntoTag) {
        if let Some(held) = find(self).filter(|held| held.is_recording()) {
            value.give_tag(|value| {
                with_scratch(|recorded| {
                    let mark = recorded.tags.mark();
                    if run_user_code(|| recorded.tags.push_copied(key, value)).is_none() {
                        recorded.tags.take_back(mark);
                    }
                    held.add(recorded);
                });
            });
        }
    }
}

/// The context of the span's counterpart, which starts if it has not started.
impl ToSpanContext for ::tracing::Span {
    fn to_span_context(&self) -> SpanContext {
        self.span_context()
    }
}

fn find(span: &::tracing::Span) -> Option<Arc<DeferredSpan>> {
    let held = span.with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<Registry>()?;
        of_span(&registry.span(id)?)
    });
    held.flatten()
}

/// Why a span of `tracing` cannot get a parent.
///
/// ```
/// use tracehound::SpanContext;
/// use tracehound::bridge::{SetParentError, TracingSpanExt};
///
/// let error = tracing::Span::none().set_parent(&SpanContext::default());
/// assert!(matches!(error, Err(SetParentError::NoSpan)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetParentError {
    /// The span has started: it has a child, its context was asked for, or it has recorded much.
    Started,
    /// The span is disabled or has closed, or its subscriber has no [`TracingLayer`](crate::bridge::TracingLayer) over
    /// a [`Registry`].
    NoSpan,
}

impl fmt::Display for SetParentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "the span has started already",
            Self::NoSpan => "the span is disabled, or its subscriber has no tracing layer",
        })
    }
}

impl Error for SetParentError {}
