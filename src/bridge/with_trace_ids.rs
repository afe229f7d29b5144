use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::bridge::LogKeys;
use crate::bridge::json_members::JsonMembers;
use crate::bridge::tracing::{ids_of_span, want_ids};
use crate::scope::trace_ids;
use crate::span::TraceIds;

/// A format of [`tracing_subscriber::fmt`](mod@tracing_subscriber::fmt) that adds the ids of the trace to each line of
/// another format.
///
/// Hand it to `map_event_format`, after the other settings of the format. A line of text begins with
/// `trace_id=… span_id=… sampled=…`; a line of JSON gets members of these names in its outermost object. Outside of a
/// trace a line stays as it is. Unsampled traces have ids as well. [`LogKeys`] sets other names.
///
/// ```
/// use tracehound::bridge::WithTraceIds;
///
/// let text = tracing_subscriber::fmt().with_target(false).map_event_format(WithTraceIds::text);
/// # #[cfg(any())] // needs the feature `json` of tracing-subscriber
/// let json = tracing_subscriber::fmt().json().map_event_format(WithTraceIds::json);
/// # tracing::subscriber::with_default(text.finish(), || {});
/// ```
///
/// # Which ids
///
/// * An event has those of the innermost active span of this thread, whichever API made it, or of the active context:
///   [`scope::trace_ids`](trace_ids).
/// * An event with `parent: &span` has those of that span, or of the nearest one above it, that a
///   [`TracingLayer`](crate::bridge::TracingLayer) has made a span of a tracer. If there is none, it has those of the
///   active one.
/// * An event with `parent: None` has none.
/// * A line of `with_span_events` has those of its span. Add the `TracingLayer` to the subscriber before the layer of
///   lines: else the line about a new span has those of its parent.
///
/// The format asks before the inner format runs, and holds no lock meanwhile. It allocates nothing. A span of a
/// `TracingLayer` starts when a line asks for its ids: set its parent before its first line.
#[derive(Clone, Copy, Debug)]
pub struct WithTraceIds<F> {
    format: F,
    shape: LineShape,
    keys: LogKeys,
}

#[derive(Clone, Copy, Debug)]
enum LineShape {
    Text,
    Json,
}

impl<F> WithTraceIds<F> {
    /// Returns a format that writes the ids before each line of text, dimmed where the line has colours.
    pub fn text(format: F) -> Self {
        Self::of(format, LineShape::Text)
    }

    /// Returns a format that adds the ids to each JSON object, at its end. A member of the same name that the object
    /// has already, such as an event's field under `flatten_event`, keeps its value. If the inner format does not write
    /// an object, the ids come before its text.
    pub fn json(format: F) -> Self {
        Self::of(format, LineShape::Json)
    }

    fn of(format: F, shape: LineShape) -> Self {
        want_ids();
        Self {
            format,
            shape,
            keys: LogKeys::new(),
        }
    }

    /// Sets the names and the form of the ids.
    ///
    /// ```
    /// use tracehound::bridge::{LogKeys, WithTraceIds};
    ///
    /// const KEYS: LogKeys = LogKeys::new().trace_id("traceID").sampled(None);
    /// let subscriber = tracing_subscriber::fmt()
    ///     .map_event_format(|format| WithTraceIds::text(format).keys(KEYS));
    /// # drop(subscriber);
    /// ```
    #[must_use]
    pub fn keys(mut self, keys: LogKeys) -> Self {
        self.keys = keys;
        self
    }
}

impl<S, N, F> FormatEvent<S, N> for WithTraceIds<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some(ids) = self.keys.name(ids_of(context, event)) else {
            return self.format.format_event(context, writer, event);
        };
        match self.shape {
            LineShape::Text => {
                let (begin, end) = match writer.has_ansi_escapes() {
                    true => ("\x1b[2m", "\x1b[0m "),
                    false => ("", " "),
                };
                writer.write_str(begin)?;
                ids.write_to(&mut writer)?;
                writer.write_str(end)?;
                self.format.format_event(context, writer, event)
            }
            LineShape::Json => {
                let mut members = JsonMembers::new(&mut writer, &ids);
                self.format
                    .format_event(context, Writer::new(&mut members), event)
            }
        }
    }
}

/// Returns the ids of the span that an event belongs to.
fn ids_of<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> TraceIds
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    if event.is_root() {
        return TraceIds::default();
    }
    let parent = event.parent().and_then(|id| context.span(id));
    parent.and_then(ids_of_span).unwrap_or_else(trace_ids)
}
