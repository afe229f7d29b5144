use std::borrow::Cow;
use std::error::Error;
use std::ops::Deref;
use std::time::SystemTime;

use http::request;

use crate::metrics::Counter;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::{names, route, span_tags};
use crate::model::{FieldRef, TagRef, TagValue, field, tags};
use crate::scope::answered_request;
use crate::span::Span;

/// The span of the request that a server works on.
///
/// [`RequestSpan::active`] returns it wherever the request is worked on. With the feature `axum` it is an extractor,
/// too. It does not own the span, so a clone of it keeps no request open. Without a
/// [`ServerLayer`](crate::middleware::ServerLayer) it is the no-op span.
///
/// The span ends with the body of the response; after an upgrade, for example to a WebSocket, with the head of the 101.
/// A task that goes on may still hold the `RequestSpan`: its late tags and log records are lost. Each is counted as
/// [`Counter::DroppedItems`], if the span is sampled. The connection has a
/// [span of its own](crate::middleware#what-becomes-of-an-upgraded-connection), if the layer is told so.
///
/// ```
/// use tracehound::middleware::RequestSpan;
///
/// fn handle(items: &[&str]) {
///     RequestSpan::active().set_tag("cart.items", items.len());
/// }
/// # handle(&["teapot"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestSpan {
    span: Span,
    /// Whether the route would be a better name than the present one.
    wants_route: bool,
}

/// Facts that a handler adds to its request:
///
/// ```
/// use std::time::SystemTime;
/// use tracehound::middleware::RequestSpan;
/// use tracehound::model::field;
///
/// fn check_out(span: &RequestSpan, items: &[&str]) {
///     span.set_tag("items", items.len()).set_tag_with("names", || items.join(", "));
///     span.log([field("event", "reserved"), field("stock", "north")]);
///     span.log_at(SystemTime::now(), [field("event", "priced")]);
///     span.log_event("paid");
///     if let Err(error) = "x".parse::<u16>() {
///         span.log_error(&error);
///     }
/// }
///
/// check_out(&RequestSpan::default(), &["teapot"]); // outside of a server it does nothing
/// ```
impl RequestSpan {
    pub(super) fn new(span: Span, wants_route: bool) -> Self {
        Self { span, wants_route }
    }

    /// Returns the span of the request that this thread works on, or the no-op span if it works on none.
    ///
    /// It is the request's span even if the handler, another layer or `#[instrument]` has made a span of its own
    /// active; [`active_span`](crate::scope::active_span) returns that one. Neither is there in another task: take it
    /// before you spawn one, or have the request [carry it](crate::middleware::ServerLayer::request_span).
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Service, service_fn};
    /// use tracehound::middleware::{RequestSpan, ServerLayer};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let layer = ServerLayer::new(tracer.clone());
    /// let mut server = layer.wrap(service_fn(async |_: Request<String>| {
    ///     let price = tracer.start_active_span("price");
    ///     RequestSpan::active().set_tag("cart.items", 3); // and not on `price`
    ///     drop(price);
    ///     Ok::<_, std::io::Error>(Response::new(String::new()))
    /// }));
    /// server.call(Request::new(String::new())).await?;
    /// let request = spans.find("HTTP GET").expect("its span");
    /// assert_eq!(request.tag_text("cart.items"), "3");
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn active() -> Self {
        let (span, wants_route) = answered_request().unwrap_or_default();
        Self { span, wants_route }
    }

    pub(super) fn wants_route(&self) -> bool {
        self.wants_route
    }

    /// Sets a tag like [`Span::set_tag`]; a late one is counted.
    pub fn set_tag<'v>(&self, key: &str, value: impl Into<TagRef<'v>>) -> &Self {
        let value = value.into();
        if matches!(value, TagRef::Unset) || !self.is_late() {
            self.span.set_tag(key, value);
        }
        self
    }

    /// Sets a tag like [`Span::set_tag_with`]; a late one is counted, and `make` is not called.
    pub fn set_tag_with<V: Into<TagValue>>(&self, key: &str, make: impl FnOnce() -> V) -> &Self {
        if !self.is_late() {
            self.span.set_tag_with(key, make);
        }
        self
    }

    /// Writes a log record like [`Span::log`]; a late one is counted.
    pub fn log<'v>(&self, fields: impl IntoIterator<Item: Into<FieldRef<'v>>>) -> &Self {
        if !self.is_late() {
            self.span.log(fields);
        }
        self
    }

    /// Writes a log record like [`Span::log_at`]; one that is written late is counted, whatever `time` says.
    pub fn log_at<'v>(
        &self,
        time: SystemTime,
        fields: impl IntoIterator<Item: Into<FieldRef<'v>>>,
    ) -> &Self {
        if !self.is_late() {
            self.span.log_at(time, fields);
        }
        self
    }

    /// Writes a log record like [`Span::log_event`]; a late one is counted.
    pub fn log_event(&self, event: &str) -> &Self {
        self.log([field(tags::EVENT, event)])
    }

    /// Marks the span as failed like [`Span::log_error`]; a late error is counted.
    pub fn log_error<E: Error + ?Sized>(&self, error: &E) -> &Self {
        if !self.is_late() {
            self.span.log_error(error);
        }
        self
    }

    /// Sets a name that the user has chosen.
    pub(super) fn take_name(&mut self, name: Cow<'static, str>) {
        self.span.set_operation_name(name);
        self.wants_route = false;
    }

    /// Names the span after the route, if the route is known now and the span has no better name.
    pub(super) fn take_route(&mut self, request: &request::Parts) {
        if self.wants_route
            && let Some(route) = route::of(&request.extensions)
        {
            let name = names::operation_name(
                || self.span.tag_names(),
                Protocol::Http,
                request,
                Some(route),
            );
            self.span.set_operation_name(name);
            span_tags::route(&self.span, Some(route));
            self.wants_route = false;
        }
    }

    /// Returns whether the span has ended, and counts a dropped item if so.
    fn is_late(&self) -> bool {
        let Some(slot) = self.span.slot().filter(|slot| slot.is_finished()) else {
            return false;
        };
        if slot.flags().is_sampled() {
            slot.recorder.queue.count(Counter::DroppedItems);
        }
        true
    }
}

impl Deref for RequestSpan {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}
