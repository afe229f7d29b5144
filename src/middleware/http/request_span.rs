use std::borrow::Cow;
use std::error::Error;
use std::ops::Deref;
use std::time::SystemTime;

use http::request;

use crate::metrics::Counter;
use crate::middleware::http::protocol::Protocol;
use crate::middleware::http::{names, route};
use crate::model::{FieldRef, TagRef, TagValue, field, tags};
use crate::span::Span;

/// The span of the request that a server is working on, among the extensions of the request.
///
/// It does not own the span: keeping it keeps no request open. With the feature `axum` it is an extractor, which gives
/// the no-op span where no [`ServerLayer`](crate::middleware::ServerLayer) stands.
///
/// A tag or a log record that comes when the span is over, from a task that goes on after the response or after an
/// upgrade, is lost, and counted as [`Counter::DroppedItems`].
///
/// ```
/// use tracehound::middleware::RequestSpan;
///
/// fn handle(request: http::Request<()>) {
///     if let Some(span) = request.extensions().get::<RequestSpan>() {
///         span.set_tag("cart.items", 3);
///     }
/// }
/// # handle(http::Request::new(()));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RequestSpan {
    span: Span,
    /// Whether nobody knows a better name than the route.
    wants_route: bool,
}

impl RequestSpan {
    pub(super) fn new(span: Span, wants_route: bool) -> Self {
        Self { span, wants_route }
    }

    /// Sets a tag as [`Span::set_tag`] does; counted if it comes too late.
    pub fn set_tag<'v>(&self, key: &str, value: impl Into<TagRef<'v>>) -> &Self {
        let value = value.into();
        if matches!(value, TagRef::None) || !self.is_late() {
            self.span.set_tag(key, value);
        }
        self
    }

    /// Sets a tag as [`Span::set_tag_with`] does; counted if it comes too late.
    pub fn set_tag_with<V: Into<TagValue>>(&self, key: &str, make: impl FnOnce() -> V) -> &Self {
        if !self.is_late() {
            self.span.set_tag_with(key, make);
        }
        self
    }

    /// Writes a log record as [`Span::log`] does; counted if it comes too late.
    pub fn log<'v>(&self, fields: impl IntoIterator<Item: Into<FieldRef<'v>>>) -> &Self {
        if !self.is_late() {
            self.span.log(fields);
        }
        self
    }

    /// Writes a log record as [`Span::log_at`] does; counted if it comes too late, whatever its time.
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

    /// Writes a log record as [`Span::log_event`] does; counted if it comes too late.
    pub fn log_event(&self, event: &str) -> &Self {
        self.log([field(tags::EVENT, event)])
    }

    /// Marks the span as failed as [`Span::log_error`] does; counted if it comes too late.
    pub fn log_error<E: Error + ?Sized>(&self, error: &E) -> &Self {
        if !self.is_late() {
            self.span.log_error(error);
        }
        self
    }

    /// Names the span as the user wants.
    pub(super) fn take_name(&mut self, name: Cow<'static, str>) {
        self.span.set_operation_name(name);
        self.wants_route = false;
    }

    /// Names the span for the route, if that is known by now and nothing better was.
    pub(super) fn take_route(&mut self, request: &request::Parts) {
        if self.wants_route
            && let Some(route) = route::of(&request.extensions)
        {
            let name = names::operation_name(Protocol::Http, request, Some(route));
            self.span.set_operation_name(name);
            self.wants_route = false;
        }
    }

    /// Whether the span is over; then something that would have been on it is lost, and counted.
    fn is_late(&self) -> bool {
        let Some(cell) = self.span.cell().filter(|cell| cell.is_finished()) else {
            return false;
        };
        if cell.flags().is_sampled() {
            cell.recorder.store.count(Counter::DroppedItems);
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
