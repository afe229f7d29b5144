use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::slice;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, Span as OtelSpan, SpanContext as OtelSpanContext, Status};
use tracehound::model::{field, tags};
use tracehound::span::Reference;
use tracehound::{Span, SpanContext};

use crate::attributes::Attributes;
use crate::identity;
use crate::open_spans::Findable;
use crate::shared::Shared;

/// A span of OpenTelemetry's API, which is one of tracehound's.
///
/// It ends at `end`, or when it is dropped; a drop while the thread panics marks it as failed. Calls after its end are
/// ignored and [counted](crate::TracehoundProvider::late_calls).
///
/// The [page of the crate](crate#what-becomes-of-a-span) tells what becomes of each part.
pub struct TracehoundSpan {
    /// Owns the span until its end.
    span: Span,
    /// The context that was shown, once it was asked for.
    shown: OnceLock<Shown>,
    status: Status,
    /// Whether the tag `error` is set.
    has_error: bool,
    state: State,
    /// `None` for a span that is lent. The last field: a tracer must not go before its span has ended.
    shared: Option<Arc<Shared>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Another owner ends the span.
    Lent,
    Ended,
}

impl TracehoundSpan {
    pub(crate) fn new(span: Span, shared: Arc<Shared>) -> Self {
        Self::in_state(State::Open, span, Some(shared))
    }

    /// Returns one that does not own the span.
    pub(crate) fn lent(span: &Span) -> Self {
        Self::in_state(State::Lent, span.downgrade(), None)
    }

    fn in_state(state: State, span: Span, shared: Option<Arc<Shared>>) -> Self {
        Self {
            span,
            shown: OnceLock::new(),
            status: Status::Unset,
            has_error: false,
            state,
            shared,
        }
    }

    /// Returns the span as tracehound's own, to set tags, logs and baggage on it. A clone owns the span.
    ///
    /// ```
    /// use opentelemetry::trace::{Tracer as _, TracerProvider};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound_opentelemetry::TracehoundProvider;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let span = TracehoundProvider::new(tracer).tracer("library").start("query");
    /// span.span().set_tag("db.type", "sql");
    /// drop(span);
    /// assert_eq!(spans.spans()[0].tag_text("db.type"), "sql");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// Adds what a builder has besides attributes.
    pub(crate) fn begin(&self, links: &[Link], events: Vec<Event>, start: SystemTime) {
        for link in links {
            self.link(&link.span_context, &link.attributes, start);
        }
        for event in events {
            self.log(&event.name, event.timestamp, &event.attributes);
        }
    }

    /// Returns whether the span is open. If it is not, counts the call.
    fn is_open(&self) -> bool {
        let is_open = self.state != State::Ended;
        if let (false, Some(shared)) = (is_open, &self.shared) {
            shared.count_late_call();
        }
        is_open
    }

    fn log(&self, name: &str, time: SystemTime, attributes: &[KeyValue]) {
        if !self.span.is_recording() {
            return;
        }
        let attributes = Attributes::new(attributes);
        let fields = attributes.iter().map(|(key, value)| field(key, value));
        let name = field(tags::EVENT, name);
        self.span.log_at(time, [name].into_iter().chain(fields));
    }

    /// Adds a reference, and a log record for what a reference cannot hold.
    fn link(&self, to: &OtelSpanContext, attributes: &[KeyValue], time: SystemTime) {
        let linked = identity::from_otel(to);
        if !linked.has_trace() || !self.span.is_recording() {
            return;
        }
        let own = self.span.context();
        // A backend would take it for the parent.
        let is_in_own_trace = linked.trace_id() == own.trace_id() && own.parent_id().is_none();
        if !is_in_own_trace {
            self.span.add_reference(&Reference::follows_from(&linked));
        }
        if is_in_own_trace || !attributes.is_empty() {
            let attributes = Attributes::new(attributes);
            let [trace_id, span_id] = [to.trace_id().to_string(), to.span_id().to_string()];
            let head = [
                field(tags::EVENT, "link"),
                field("link.trace_id", &trace_id),
                field("link.span_id", &span_id),
            ];
            let fields = attributes.iter().map(|(key, value)| field(key, value));
            self.span.log_at(time, head.into_iter().chain(fields));
        }
    }

    fn set_status_tags(&self) {
        match &self.status {
            Status::Unset => {}
            Status::Error { description } if description.is_empty() => {}
            Status::Error { description } => {
                self.span.set_tag(STATUS_DESCRIPTION, &**description);
            }
            Status::Ok => {
                self.span.set_tag(STATUS_CODE, "OK");
                if self.has_error {
                    self.span.set_tag(tags::ERROR, false);
                }
            }
        }
    }
}

impl OtelSpan for TracehoundSpan {
    fn add_event_with_timestamp<T>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        attributes: Vec<KeyValue>,
    ) where
        T: Into<Cow<'static, str>>,
    {
        if self.is_open() {
            self.log(&name.into(), timestamp, &attributes);
        }
    }

    fn span_context(&self) -> &OtelSpanContext {
        let shown = self.shown.get_or_init(|| Shown::new(&self.span));
        shown.context(&self.span)
    }

    fn is_recording(&self) -> bool {
        self.state != State::Ended && self.span.is_recording()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        if self.is_open() {
            for (key, value) in Attributes::new(slice::from_ref(&attribute)).iter() {
                self.span.set_tag(key, value);
            }
        }
    }

    /// Sets the status. `Ok` is final, an error replaces an error, and `Unset` changes nothing, as the specification of
    /// the API says.
    fn set_status(&mut self, status: Status) {
        if !self.is_open() || self.status == Status::Ok || status == Status::Unset {
            return;
        }
        if matches!(status, Status::Error { .. }) && !self.has_error {
            self.span.set_tag(tags::ERROR, true);
            self.has_error = true;
        }
        self.status = status;
    }

    fn update_name<T>(&mut self, new_name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        if self.is_open() {
            self.span.set_operation_name(new_name);
        }
    }

    fn add_link(&mut self, span_context: OtelSpanContext, attributes: Vec<KeyValue>) {
        if self.is_open() {
            self.link(&span_context, &attributes, opentelemetry::time::now());
        }
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        if self.state != State::Ended {
            self.set_status_tags();
        }
        self.state = State::Ended;
        let handle = self.span.downgrade();
        // The tracer counts a second end.
        mem::replace(&mut self.span, handle).finish_at(timestamp);
    }
}

impl Drop for TracehoundSpan {
    fn drop(&mut self) {
        match self.state {
            State::Open if thread::panicking() => self.set_status_tags(),
            State::Open => self.end(),
            State::Lent => self.set_status_tags(),
            State::Ended => {}
        }
    }
}

impl fmt::Debug for TracehoundSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TracehoundSpan").field(&self.span).finish()
    }
}

/// The context of a span in OpenTelemetry's form. The span can be found by it.
struct Shown {
    first: OtelSpanContext,
    is_final: bool,
    /// The context once the trace is decided, if it was not at first.
    decided: OnceLock<OtelSpanContext>,
    _findable: Option<Findable>,
}

impl Shown {
    fn new(span: &Span) -> Self {
        let context = span.context();
        let first = identity::to_otel(&context);
        Self {
            _findable: Findable::new(&first, span),
            is_final: context.is_sampling_final(),
            decided: OnceLock::new(),
            first,
        }
    }

    fn context(&self, span: &Span) -> &OtelSpanContext {
        if self.is_final {
            return &self.first;
        }
        if let Some(decided) = self.decided.get() {
            return decided;
        }
        let now: SpanContext = span.context();
        if now.is_sampling_final() {
            self.decided.get_or_init(|| identity::to_otel(&now))
        } else {
            &self.first
        }
    }
}

const STATUS_CODE: &str = "otel.status_code";
const STATUS_DESCRIPTION: &str = "otel.status_description";
