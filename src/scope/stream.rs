use std::fmt;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};
use pin_project::{pin_project, pinned_drop};

use crate::model::tags;
use crate::scope::item_count::ItemCount;
use crate::scope::span_time::{micros_since, ticks};
use crate::scope::work::Work;
use crate::scope::{Captured, capture};
use crate::span::{ErrorLike, Span};

/// Keeps a span active while a stream runs, on whichever thread it is polled. Needs the feature `stream`.
///
/// The names differ from those of [`InSpan`](crate::InSpan), because a value may be a stream and a future.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::StreamInSpan;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let rows = stream::iter(["tea", "pot"]).stream_in_span(tracer.start_span("read_rows"));
/// let rows: Vec<_> = rows.collect().await;
/// let span = spans.find("read_rows").expect("it ends with the stream");
/// assert_eq!(span.tag_text("stream.items"), "2");
/// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait StreamInSpan: Stream + Sized {
    /// Makes `span` active in every poll and while the stream is dropped. The stream owns the span as `span` did: if it
    /// is the last owner, the span finishes with the stream.
    ///
    /// The stream ends when it is exhausted or dropped. The span then has the tags `stream.items`, the number of items,
    /// and `stream.first_item_us`, the microseconds from the first poll to the first item. A stream that is dropped
    /// before it is exhausted leaves a log record `event=cancelled`. A panic marks the span (`error=true` and a log
    /// record `event=panic`), and the stream releases it at once.
    ///
    /// An item that is an error changes nothing: see [`InstrumentedStream::log_errors`].
    fn stream_in_span(self, span: Span) -> InstrumentedStream<Self> {
        InstrumentedStream::new(self, Work::Has(span))
    }

    /// Captures the span that is active on this thread now and makes it active in every poll, without owning it. How
    /// the stream ends leaves no tag and no mark on the span.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::scope::{InstrumentedStream, StreamInSpan};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// let export = tracer.start_active_span("export");
    /// let mut rows: InstrumentedStream<_> = stream::iter(["tea", "pot"]).stream_in_active_span();
    /// assert_eq!(rows.span().context(), export.context());
    /// assert_eq!(rows.next().await, Some("tea"));
    /// assert_eq!(rows.items(), 1);
    /// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn stream_in_active_span(self) -> InstrumentedStream<Self> {
        InstrumentedStream::new(self, Work::Carries(capture()))
    }
}

impl<S: Stream> StreamInSpan for S {}

impl Captured {
    /// Wraps a stream: what was captured is active in every poll, and while the stream is dropped. A
    /// [child](Self::child) starts at the first poll and tells how the stream ended, as with
    /// [`stream_in_span`](StreamInSpan::stream_in_span).
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::scope::capture;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let export = tracer.start_active_span("export");
    /// let read = capture().child(tracer.clone(), "read rows");
    /// let rows = read.wrap_stream(stream::iter(["tea", "pot"]));
    /// # runtime.block_on(async {
    /// assert_eq!(rows.count().await, 2);
    /// # });
    /// export.finish();
    /// assert_eq!(spans.tree(), "export\n  read rows");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_stream<S: Stream>(&self, stream: S) -> InstrumentedStream<S> {
        InstrumentedStream::new(stream, Work::Carries(self.clone()))
    }
}

/// A stream in whose polls a span is active. [`StreamInSpan`] makes it, and [`Captured::wrap_stream`].
///
/// After its end it gives no item more, whatever the inner stream would do.
///
/// ```
/// use futures_util::{StreamExt, stream};
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
/// use tracehound::scope::{InstrumentedStream, StreamInSpan};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let span = NoopTracer.start_span("read");
/// let mut rows: InstrumentedStream<_> = stream::iter([7]).stream_in_span(span);
/// assert_eq!(rows.next().await, Some(7));
/// assert!(rows.items() == 1 && rows.span().is_noop());
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct InstrumentedStream<S: Stream, H = fn(&Span, &<S as Stream>::Item)> {
    #[pin]
    inner: Option<S>,
    work: Work,
    count: ItemCount,
    first_item: FirstItem,
    on_item: H,
}

impl<S: Stream> InstrumentedStream<S> {
    fn new(inner: S, work: Work) -> Self {
        Self {
            inner: Some(inner),
            work,
            count: ItemCount::new(tags::STREAM_ITEMS),
            first_item: FirstItem::default(),
            on_item: |_, _| (),
        }
    }

    /// Calls `look` with the span and each item before the item is given out. The span is active meanwhile. It is the
    /// no-op span if there is none.
    ///
    /// A span keeps 128 log records by default: the first and the last ones, and how many are missing between them.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tracehound::prelude::*;
    /// use tracehound::scope::StreamInSpan;
    ///
    /// # let _ = async {
    /// let rows = stream::iter(["tea", "pot"]).stream_in_span(Span::noop());
    /// let rows = rows.on_item(|span, row| {
    ///     span.log([field("event", "row"), field("name", *row)]);
    /// });
    /// assert_eq!(rows.count().await, 2);
    /// # };
    /// ```
    pub fn on_item<H>(mut self, look: H) -> InstrumentedStream<S, H>
    where
        H: FnMut(&Span, &S::Item),
    {
        // The fields cannot be moved out of a type with a destructor.
        InstrumentedStream {
            inner: self.inner.take(),
            work: mem::replace(&mut self.work, Work::Over),
            count: mem::replace(&mut self.count, ItemCount::new(tags::STREAM_ITEMS)),
            first_item: mem::take(&mut self.first_item),
            on_item: look,
        }
    }

    /// Logs each item that is an error, as [`Span::log_error`] does, and marks the span as failed. The stream goes on.
    ///
    /// ```
    /// use futures_util::{StreamExt, stream};
    /// use tracehound::prelude::*;
    /// use tracehound::scope::StreamInSpan;
    ///
    /// # let _ = async {
    /// let numbers = stream::iter(["1", "x"]).map(|text| text.parse::<u16>());
    /// let numbers = numbers.stream_in_span(Span::noop()).log_errors();
    /// assert_eq!(numbers.count().await, 2);
    /// # };
    /// ```
    pub fn log_errors<T, E, const FORM: u8>(
        self,
    ) -> InstrumentedStream<S, impl FnMut(&Span, &S::Item) + use<S, T, E, FORM>>
    where
        S: Stream<Item = Result<T, E>>,
        E: ErrorLike<FORM>,
    {
        self.on_item(|span, item| {
            if let Err(error) = item {
                span.log_error(error);
            }
        })
    }
}

impl<S: Stream, H> InstrumentedStream<S, H> {
    /// Returns a handle to the span that does not own it. After the stream's end, or if there is no span, the no-op
    /// span.
    pub fn span(&self) -> Span {
        self.work.span()
    }

    /// Returns the number of items so far.
    pub fn items(&self) -> u64 {
        self.count.items()
    }
}

impl<S, H> Stream for InstrumentedStream<S, H>
where
    S: Stream,
    H: FnMut(&Span, &S::Item),
{
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut this = self.project();
        if this.inner.is_none() {
            return Poll::Ready(None);
        }
        let poll = this.count.run(this.work, |work, count| {
            this.first_item.polled(work);
            let poll = match this.inner.as_mut().as_pin_mut() {
                Some(inner) => inner.poll_next(cx),
                None => Poll::Ready(None),
            };
            match &poll {
                Poll::Ready(Some(item)) => {
                    count.add();
                    this.first_item.came(work);
                    work.with_span(|span| (this.on_item)(span, item));
                }
                Poll::Ready(None) => {
                    // Before the stream is dropped, because it may own the span.
                    count.tell(work);
                    this.inner.set(None);
                }
                Poll::Pending => {}
            }
            poll
        });
        if matches!(poll, Poll::Ready(None)) {
            this.work.end();
        }
        poll
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl<S, H> FusedStream for InstrumentedStream<S, H>
where
    S: Stream,
    H: FnMut(&Span, &S::Item),
{
    fn is_terminated(&self) -> bool {
        self.inner.is_none()
    }
}

#[pinned_drop]
impl<S: Stream, H> PinnedDrop for InstrumentedStream<S, H> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        if this.inner.is_some() {
            this.count.tell(this.work);
            this.work.cancel(|| this.inner.set(None));
        }
    }
}

impl<S: Stream, H> fmt::Debug for InstrumentedStream<S, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentedStream")
            .field("span", &self.span())
            .field("items", &self.items())
            .finish_non_exhaustive()
    }
}

/// The time until the first item.
#[derive(Default)]
enum FirstItem {
    #[default]
    NotPolled,
    /// Polled at this reading of the span's clock.
    Awaited(u64),
    Over,
}

impl FirstItem {
    fn polled(&mut self, work: &Work) {
        if let Self::NotPolled = self {
            let span = work.own_span().filter(|span| span.is_recording());
            *self = span.and_then(ticks).map_or(Self::Over, Self::Awaited);
        }
    }

    fn came(&mut self, work: &Work) {
        if let (Self::Awaited(first_poll), Some(span)) = (mem::take(self), work.own_span()) {
            let waited = micros_since(first_poll, span);
            span.set_tag(tags::STREAM_FIRST_ITEM_US, waited);
        }
        *self = Self::Over;
    }
}
