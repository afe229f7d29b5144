use std::borrow::Cow;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::SystemTime;

use crate::model::{FieldRef, Flags, Recording, TagNames, TagValue, tags};
use crate::record::{SpanHandle, SpanSlot, catch, finish_at, finish_now, is_fact};
use crate::span::baggage_setter::set_baggage_item;
use crate::span::recording;
use crate::span::{ErrorLike, IntoTag, Reference, SpanContext, TakeContext, ToSpanContext};

/// A handle to a span, which is one unit of work. The [module](crate::span) says which handle finishes it.
///
/// On a no-op span ([`Span::noop`]) a call costs one branch.
///
/// ```
/// use std::time::SystemTime;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let span = tracer.start_span("HTTP GET");
/// assert!(span.is_recording() && !span.is_noop());
/// span.set_operation_name("GET /cart/{id}").log_at(SystemTime::now(), [("event", "routed")]);
/// span.set_baggage_item("user", "42");
/// assert_eq!(span.baggage_item("user").as_deref(), Some("42"));
/// span.remove_baggage_item("user");
///
/// let cached = span.downgrade(); // does not keep it open
/// span.finish_at(SystemTime::now());
/// cached.set_tag("late", true); // does nothing
/// assert_eq!(spans.tree(), "GET /cart/{id}");
/// assert_eq!(spans.spans()[0].tag_text("late"), "");
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[must_use = "a span that is dropped at once measures nothing: bind it to a name, and not to `_`"]
#[derive(Clone)]
pub struct Span {
    inner: Option<SpanHandle>,
}

impl Span {
    /// Returns the no-op span. A tracer that is off starts no-op spans. If no span is active on a thread, its active
    /// span is the no-op span.
    #[inline]
    pub const fn noop() -> Self {
        Self { inner: None }
    }

    /// Returns whether this is the no-op span.
    #[inline]
    pub const fn is_noop(&self) -> bool {
        self.inner.is_none()
    }

    /// Returns the context of the span: its ids, its flags, and its baggage as of now. It stays valid after the span's
    /// end.
    #[inline]
    pub fn context(&self) -> SpanContext {
        let Some(slot) = self.slot() else {
            return SpanContext::default();
        };
        slot.fix_decision();
        match slot.simple_flags() {
            Some(flags) => simple_context(slot, flags),
            None => full_context(slot),
        }
    }

    /// Returns whether the span keeps tags and logs: it is open, and its trace is sampled or undecided.
    ///
    /// Ask before you do work only for a tag. [`Span::set_tag_with`] asks for you.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.slot().is_some_and(SpanSlot::is_recording)
    }

    /// Replaces the operation name. A good name is the most general one that still tells a class of spans
    /// from others: `get_account`, not `get_account/792`.
    pub fn set_operation_name(&self, name: impl Into<Cow<'static, str>>) -> &Self {
        if let Some(slot) = self.slot() {
            recording::set_operation_name(slot, name.into());
        }
        self
    }

    /// Sets a tag. The last value of a key wins; `None` sets nothing. [`IntoTag`] lists the types of values.
    ///
    /// The tag `sampling.priority` also decides on the trace: above 0 the trace is kept, at 0 it is not.
    ///
    /// ```
    /// use tracehound::Span;
    ///
    /// let url = String::from("http://shop/cart");
    /// Span::noop().set_tag("http.url", &url).set_tag("items", 3_usize).set_tag("retry", false);
    /// ```
    pub fn set_tag(&self, key: &str, value: impl IntoTag) -> &Self {
        if let Some(slot) = self.slot() {
            value.give_tag(|value| recording::set_tag(slot, key, value));
        }
        self
    }

    /// Sets several tags at once, for less than [`set_tag`](Self::set_tag) costs for each. The values are text or
    /// numbers, and no key is `sampling.priority`.
    #[cfg(feature = "tower")]
    pub(crate) fn set_tags(&self, tags: &[(&str, crate::model::TagRef<'_>)]) {
        if let Some(slot) = self.slot() {
            recording::set_tags(slot, tags);
        }
    }

    /// Sets a tag whose value is costly to make. `make` runs only if the span is recording, or if it is open and the
    /// key is `sampling.priority` or one that [observers](crate::observer) ask for. If `make` panics, the panic is
    /// caught and counted, and no tag is set.
    ///
    /// ```
    /// # let query = "SELECT 1";
    /// tracehound::Span::noop().set_tag_with("sql", || query.to_string());
    /// ```
    pub fn set_tag_with<V: Into<TagValue>>(&self, key: &str, make: impl FnOnce() -> V) -> &Self {
        if let Some(slot) = self.slot() {
            let is_wanted = slot.is_recording()
                || key == tags::SAMPLING_PRIORITY
                || slot.is_observed() && is_fact(key);
            if is_wanted
                && !slot.is_finished()
                && let Some(value) = catch(slot, || make().into())
            {
                recording::set_tag(slot, key, value.as_ref());
            }
        }
        self
    }

    /// Writes a log record with the current time.
    ///
    /// ```
    /// use tracehound::Span;
    /// use tracehound::model::field;
    ///
    /// Span::noop().log([field("event", "retry"), field("attempt", 2)]);
    /// ```
    pub fn log<'v>(&self, fields: impl IntoIterator<Item: Into<FieldRef<'v>>>) -> &Self {
        if let Some(slot) = self.slot().filter(|slot| slot.is_recording()) {
            recording::log(slot, None, fields.into_iter().map(Into::into));
        }
        self
    }

    /// Writes a log record with a time of your own. The time should lie within the span, which is not checked.
    ///
    /// A time before 1970 or after February 2116 is moved to the nearest one within, and counted
    /// ([`Counter::ClampedTimes`](crate::metrics::Counter)).
    pub fn log_at<'v>(
        &self,
        time: SystemTime,
        fields: impl IntoIterator<Item: Into<FieldRef<'v>>>,
    ) -> &Self {
        if let Some(slot) = self.slot().filter(|slot| slot.is_recording()) {
            let time = recording::nearest_time(slot, time);
            recording::log(slot, Some(time), fields.into_iter().map(Into::into));
        }
        self
    }

    /// Writes a log record whose only field is `event`.
    #[inline]
    pub fn log_event(&self, event: &str) -> &Self {
        if let Some(slot) = self.slot().filter(|slot| slot.is_recording()) {
            recording::log_event(slot, event);
        }
        self
    }

    /// Marks the span as failed (`error=true`) and writes a log record: `event=error`, `message`, `error.kind` if the
    /// type is known, and `error.object`, which is the message and those of its causes that the message does not quote.
    ///
    /// Takes errors of any type, boxed ones, and reports of `anyhow` and `eyre`: see [`ErrorLike`]. Returns nothing, so
    /// that it fits into `inspect_err`.
    ///
    /// ```
    /// use std::error::Error;
    ///
    /// # let span = tracehound::Span::noop();
    /// let port = "x".parse::<u16>().inspect_err(|error| span.log_error(error));
    /// let boxed: Result<u16, Box<dyn Error>> = port.map_err(Into::into);
    /// assert!(boxed.inspect_err(|error| span.log_error(error)).is_err());
    /// ```
    pub fn log_error<const FORM: u8>(&self, error: &(impl ErrorLike<FORM> + ?Sized)) {
        match self.slot() {
            Some(slot) if slot.is_recording() => recording::log_error(slot, error),
            Some(slot) => slot.note_error(),
            None => {}
        }
    }

    /// Adds a reference to another span, such as one that is found to be a cause only after this span has started. The
    /// parent stays what it is, and nothing is inherited. A reference to a context without a trace adds nothing.
    ///
    /// At most 128 are added to a span, as many as OpenTelemetry's links by default. Later ones are left out, marked
    /// and counted like [tags without room](crate::span::Limits::span_bytes()). So is the reference of a root to a span
    /// of its own trace, because a Jaeger backend would take that span for the root's parent.
    ///
    /// ```
    /// use tracehound::model::ReferenceType;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::span::Reference;
    ///
    /// # let spans = InMemoryReporter::new();
    /// # let tracer = JaegerTracer::builder("shop")
    /// #     .sampler(ConstSampler::new(true))
    /// #     .reporter(spans.clone())
    /// #     .build()?;
    /// let message = tracer.start_span("send");
    /// let batch = tracer.start_span("receive a batch");
    /// batch.add_reference(&Reference::follows_from(&message));
    /// batch.finish();
    /// let [reference] = spans.spans()[0].references[..] else { panic!("one reference") };
    /// assert_eq!(reference.kind, ReferenceType::FollowsFrom);
    /// assert_eq!(Some(reference.span_id), message.context().span_id());
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn add_reference(&self, reference: &Reference) -> &Self {
        if let Some(slot) = self.slot().filter(|slot| slot.is_recording()) {
            recording::add_reference(slot, reference);
        }
        self
    }

    /// Sets a baggage item on this span. Spans that are started from it afterwards have the item too, in this
    /// process and in others. Also writes a log record (`event=baggage`).
    ///
    /// An item that exceeds a limit of [`Baggage`](crate::model::Baggage) is refused and counted. The
    /// [`restrictions`](crate::restrictions) of the tracer may refuse more, or cut the value.
    ///
    /// ```
    /// use tracehound::Span;
    ///
    /// let span = Span::noop();
    /// span.set_baggage_item("user-id", "4711");
    /// ```
    pub fn set_baggage_item(&self, key: &str, value: &str) -> &Self {
        if let Some(slot) = self.slot() {
            set_baggage_item(slot, key, value);
        }
        self
    }

    /// Removes a baggage item from this span and from spans that are started from it afterwards.
    pub fn remove_baggage_item(&self, key: &str) -> &Self {
        if let Some(slot) = self.slot() {
            slot.change_baggage(|baggage| *baggage = baggage.without(key));
        }
        self
    }

    /// Returns the value of a baggage item.
    pub fn baggage_item(&self, key: &str) -> Option<String> {
        self.slot()
            .and_then(|slot| slot.carried().baggage().get(key).map(str::to_owned))
    }

    /// Returns a handle that does not own the span: the span can finish while this handle lives.
    ///
    /// Use it in a task or a cache that should add to a span but not keep it open.
    #[inline]
    pub fn downgrade(&self) -> Self {
        Self {
            inner: self.inner.as_ref().map(SpanHandle::handle),
        }
    }

    /// Finishes the span now, even if there are other handles. A second call is ignored and counted.
    #[inline]
    pub fn finish(mut self) {
        if let Some(span) = self.inner.take() {
            finish(span);
        }
    }

    /// Finishes the span like [`finish`](Self::finish), but by reference: for a span in the field of a struct, or
    /// behind a reference.
    ///
    /// ```
    /// use tracehound::Span;
    ///
    /// struct Connection {
    ///     span: Span,
    /// }
    ///
    /// impl Drop for Connection {
    ///     fn drop(&mut self) {
    ///         self.span.set_tag("closed", true).finish_by_ref();
    ///     }
    /// }
    /// # drop(Connection { span: Span::noop() });
    /// ```
    pub fn finish_by_ref(&self) {
        self.clone().finish();
    }

    /// Finishes the span with an end time of your own.
    ///
    /// A time before the start is moved to the start, a time after February 2116 to that month. Both are counted
    /// ([`Counter::ClampedTimes`](crate::metrics::Counter)).
    #[inline]
    pub fn finish_at(mut self, time: SystemTime) {
        if let Some(span) = self.inner.take() {
            finish_at(span, time);
        }
    }

    /// Returns whether the span is not kept as things stand, and nobody observes it.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn is_dropped(&self) -> bool {
        let flags = self.slot().and_then(SpanSlot::plain_flags);
        flags.is_some_and(|flags| !flags.is_sampled())
    }

    /// Returns how much of the program's data the span shows: that of its tracer, or nothing if it does not record.
    pub(crate) fn recorded_data(&self) -> Recording {
        let slot = self.slot().filter(|slot| slot.is_recording());
        slot.map_or_else(Recording::metadata, |slot| slot.recorder.recording)
    }

    /// Returns the vocabulary in which the middleware names tags.
    #[inline]
    pub(crate) fn tag_names(&self) -> TagNames {
        self.slot()
            .map_or_else(TagNames::default, |slot| slot.recorder.tag_names)
    }

    /// Returns how long the text of a tag may be, in bytes.
    pub(crate) fn tag_value_bytes(&self) -> usize {
        self.slot()
            .map_or(0, |slot| slot.recorder.limits.tag_value_bytes)
    }

    /// Marks the span after a panic in its work, on any handle.
    #[cold]
    pub(crate) fn mark_panic(&self) {
        if let Some(slot) = self.slot() {
            recording::mark_panic(slot);
        }
    }

    #[inline]
    pub(crate) fn from_slot(slot: Box<SpanSlot>) -> Self {
        Self {
            inner: Some(SpanHandle::new(slot)),
        }
    }

    #[inline]
    pub(crate) fn slot(&self) -> Option<&SpanSlot> {
        self.inner.as_ref().map(SpanHandle::slot)
    }
}

/// Finishes a span by an explicit call. Out of line, so that callers stay small.
#[inline(never)]
fn finish(span: SpanHandle) {
    finish_now(span, true);
}

/// Returns the context of a span whose decision is final and whose trace carries nothing.
#[inline(always)]
fn simple_context(slot: &SpanSlot, flags: Flags) -> SpanContext {
    let ids = (
        slot.header.trace_id,
        slot.header.span_id,
        slot.header.parent_id,
    );
    SpanContext::local(ids, flags, slot.randomness, slot.anchor)
}

/// Returns the context of a span whose trace carries something, or that shares its sampling decision.
#[inline(never)]
fn full_context(slot: &SpanSlot) -> SpanContext {
    let ids = (
        slot.header.trace_id,
        slot.header.span_id,
        slot.header.parent_id,
    );
    let decision = slot.shared_decision();
    let context = match decision.filter(|decision| !decision.is_final()) {
        Some(decision) => {
            SpanContext::undecided(ids, slot.randomness, slot.anchor, decision.clone())
        }
        None => SpanContext::local(ids, slot.flags(), slot.randomness, slot.anchor),
    };
    let carried = slot.carried();
    if carried.is_empty() {
        context
    } else {
        context.with_carried(carried)
    }
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.inner.take() {
            release(span);
        }
    }
}

/// Drops a handle. The last owner finishes the span.
#[inline(never)]
fn release(mut span: SpanHandle) {
    if span.release() && !span.slot().is_finished() {
        if std::thread::panicking() {
            recording::mark_panic_unless_marked(span.slot());
        }
        finish_now(span, false);
    }
}

/// Each call takes effect as a whole or not at all, so a panic leaves no span half changed.
impl UnwindSafe for Span {}
impl RefUnwindSafe for Span {}

impl Default for Span {
    fn default() -> Self {
        Self::noop()
    }
}

impl ToSpanContext for Span {
    #[inline(always)]
    fn to_span_context(&self) -> SpanContext {
        self.context()
    }

    #[inline(always)]
    fn give_span_context(&self, to: impl TakeContext) {
        let Some(slot) = self.slot() else { return };
        slot.fix_decision();
        match slot.simple_flags() {
            Some(flags) => to.take(|| simple_context(slot, flags)),
            None => to.take(|| full_context(slot)),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slot() {
            Some(slot) => write!(f, "Span({}:{})", slot.header.trace_id, slot.header.span_id),
            None => f.write_str("Span(noop)"),
        }
    }
}
