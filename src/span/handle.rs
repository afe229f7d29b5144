use std::borrow::Cow;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::SystemTime;

use crate::model::{FieldRef, Flags, TagValue, field, tags};
use crate::record::{SpanCell, SpanRef};
use crate::span::recording;
use crate::span::{ErrorLike, IntoTag, SpanContext, TakeContext, ToSpanContext};

/// A handle to one unit of work. See the [module](crate::span) for who finishes it.
///
/// A no-op span ([`Span::noop`]) costs one branch a call.
#[must_use = "a span that is dropped at once measures nothing"]
#[derive(Clone)]
pub struct Span {
    inner: Option<SpanRef>,
}

impl Span {
    /// The span of a tracer that is off, and what there is where nothing is active.
    #[inline]
    pub const fn noop() -> Self {
        Self { inner: None }
    }

    /// Whether this is the no-op span.
    #[inline]
    pub const fn is_noop(&self) -> bool {
        self.inner.is_none()
    }

    /// What identifies the span, with its baggage as of now. Valid for ever.
    #[inline]
    pub fn context(&self) -> SpanContext {
        let Some(cell) = self.cell() else {
            return SpanContext::default();
        };
        cell.settle();
        match cell.plain_flags() {
            Some(flags) => plain_context(cell, flags),
            None => full_context(cell),
        }
    }

    /// Whether tags and logs are kept: the trace is sampled or undecided, and the span is open.
    ///
    /// Ask before work that is only done for a tag; [`Span::set_tag_with`] does.
    #[inline]
    pub fn is_recording(&self) -> bool {
        self.cell().is_some_and(SpanCell::is_recording)
    }

    /// Replaces the operation name: the most general text that still names a class of spans
    /// (`get_account`, not `get_account/792`).
    pub fn set_operation_name(&self, name: impl Into<Cow<'static, str>>) -> &Self {
        if let Some(cell) = self.cell() {
            recording::set_operation_name(cell, name.into());
        }
        self
    }

    /// Sets a tag; the last value of a key wins. `None` sets nothing. [`IntoTag`] lists what can be a value.
    ///
    /// The tag `sampling.priority` also decides on the trace: above 0 it is kept, at 0 it is not.
    ///
    /// ```
    /// use tracehound::Span;
    ///
    /// let url = String::from("http://shop/cart");
    /// Span::noop().set_tag("http.url", &url).set_tag("items", 3_usize).set_tag("retry", false);
    /// ```
    pub fn set_tag(&self, key: &str, value: impl IntoTag) -> &Self {
        if let Some(cell) = self.cell() {
            value.give_tag(|value| recording::set_tag(cell, key, value));
        }
        self
    }

    /// Sets a tag whose value costs something to make: `make` runs only if the span is recording, or open and the key is
    /// `sampling.priority`. If it panics, the panic is caught and counted, and no tag is set.
    ///
    /// ```
    /// # let query = "SELECT 1";
    /// tracehound::Span::noop().set_tag_with("sql", || query.to_string());
    /// ```
    pub fn set_tag_with<V: Into<TagValue>>(&self, key: &str, make: impl FnOnce() -> V) -> &Self {
        if let Some(cell) = self.cell() {
            let is_wanted = cell.is_recording() || key == tags::SAMPLING_PRIORITY;
            if is_wanted
                && !cell.is_finished()
                && let Some(value) = recording::catch(cell, || make().into())
            {
                recording::set_tag(cell, key, value.as_ref());
            }
        }
        self
    }

    /// Writes a log record with the time of now.
    ///
    /// ```
    /// use tracehound::Span;
    /// use tracehound::model::field;
    ///
    /// Span::noop().log([field("event", "retry"), field("attempt", 2)]);
    /// ```
    pub fn log<'v>(&self, fields: impl IntoIterator<Item: Into<FieldRef<'v>>>) -> &Self {
        if let Some(cell) = self.cell().filter(|cell| cell.is_recording()) {
            recording::log(cell, None, fields.into_iter().map(Into::into));
        }
        self
    }

    /// Writes a log record with a time of your own. It should lie within the span; nobody checks.
    ///
    /// A time before 1970 or after February 2116 is moved to the nearest one within, and counted
    /// ([`Counter::ClampedTimes`](crate::metrics::Counter)).
    pub fn log_at<'v>(
        &self,
        time: SystemTime,
        fields: impl IntoIterator<Item: Into<FieldRef<'v>>>,
    ) -> &Self {
        if let Some(cell) = self.cell().filter(|cell| cell.is_recording()) {
            let time = recording::nearest_time(cell, time);
            recording::log(cell, Some(time), fields.into_iter().map(Into::into));
        }
        self
    }

    /// Writes a log record with the one field `event`.
    #[inline]
    pub fn log_event(&self, event: &str) -> &Self {
        self.log([field(tags::EVENT, event)])
    }

    /// Marks the span as failed and writes a log record: `event=error`, `message`, `error.kind` where the
    /// type is known, and `error.object`, the message with those of its causes that it does not quote.
    ///
    /// Takes errors of any type, boxed ones, and reports of `anyhow` and `eyre`: see [`ErrorLike`]. Returns nothing, so that
    /// it fits into `inspect_err`.
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
        if let Some(cell) = self.cell().filter(|cell| cell.is_recording()) {
            recording::log_error(cell, error);
        }
    }

    /// Sets a baggage item on this span: spans that are started from it afterwards have it too, in this
    /// process and in others. Also writes a log record (`event=baggage`).
    ///
    /// An item beyond a limit of [`Baggage`](crate::model::Baggage) is refused and counted.
    pub fn set_baggage_item(&self, key: &str, value: &str) -> &Self {
        if let Some(cell) = self.cell() {
            recording::set_baggage_item(cell, key, value);
        }
        self
    }

    /// Removes a baggage item from this span and from spans that are started from it afterwards.
    pub fn remove_baggage_item(&self, key: &str) -> &Self {
        if let Some(cell) = self.cell() {
            cell.change_baggage(|baggage| *baggage = baggage.without(key));
        }
        self
    }

    /// The value of a baggage item.
    pub fn baggage_item(&self, key: &str) -> Option<String> {
        self.cell()
            .and_then(|cell| cell.baggage().get(key).map(str::to_owned))
    }

    /// A handle that does not own the span: keeping it keeps nothing open.
    #[inline]
    pub fn downgrade(&self) -> Self {
        Self {
            inner: self.inner.as_ref().map(SpanRef::handle),
        }
    }

    /// Finishes the span now, whoever else holds a handle. A second time is ignored and counted.
    #[inline]
    pub fn finish(mut self) {
        if let Some(span) = self.inner.take() {
            finish(span);
        }
    }

    /// As [`finish`](Self::finish), for a span that cannot be moved out of where it is: the field of a struct, or behind a
    /// reference.
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
    /// A time before the start is moved to the start, one after February 2116 to there. Both are counted
    /// ([`Counter::ClampedTimes`](crate::metrics::Counter)).
    #[inline]
    pub fn finish_at(mut self, time: SystemTime) {
        if let Some(span) = self.inner.take() {
            recording::finish_at(span, time);
        }
    }

    /// Notes a panic in the work of this span, which another handle may own.
    #[cold]
    pub(crate) fn mark_panic(&self) {
        if let Some(cell) = self.cell() {
            recording::mark_panic(cell);
        }
    }

    #[inline]
    pub(crate) fn from_cell(cell: Box<SpanCell>) -> Self {
        Self {
            inner: Some(SpanRef::new(cell)),
        }
    }

    #[inline]
    pub(crate) fn cell(&self) -> Option<&SpanCell> {
        self.inner.as_ref().map(SpanRef::cell)
    }
}

#[inline(never)]
fn finish(span: SpanRef) {
    recording::finish(span, true);
}

#[inline(always)]
fn plain_context(cell: &SpanCell, flags: Flags) -> SpanContext {
    let ids = (
        cell.header.trace_id,
        cell.header.span_id,
        cell.header.parent_id,
    );
    SpanContext::local(ids, flags, cell.anchor)
}

/// The context of a span with baggage or with a decision that is shared.
#[cold]
#[inline(never)]
fn full_context(cell: &SpanCell) -> SpanContext {
    let ids = (
        cell.header.trace_id,
        cell.header.span_id,
        cell.header.parent_id,
    );
    let trace = cell.local_trace();
    SpanContext::local(ids, cell.flags(), cell.anchor)
        .with_baggage(cell.baggage())
        .with_shared(trace.filter(|trace| !trace.is_final()))
}

impl Drop for Span {
    #[inline]
    fn drop(&mut self) {
        if let Some(span) = self.inner.take() {
            leave(span);
        }
    }
}

/// A handle goes away: the last owner finishes the span.
#[inline(never)]
fn leave(mut span: SpanRef) {
    if span.release() && !span.cell().is_finished() {
        if std::thread::panicking() {
            recording::mark_panic_unless_marked(span.cell());
        }
        recording::finish(span, false);
    }
}

/// A panic leaves no span half changed: every call either has taken effect or has not.
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
        let Some(cell) = self.cell() else { return };
        cell.settle();
        match cell.plain_flags() {
            Some(flags) => to.take(|| plain_context(cell, flags)),
            None => to.take(|| full_context(cell)),
        }
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cell() {
            Some(cell) => write!(f, "Span({}:{})", cell.header.trace_id, cell.header.span_id),
            None => f.write_str("Span(noop)"),
        }
    }
}
