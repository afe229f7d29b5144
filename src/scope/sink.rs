use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_sink::Sink;
use pin_project::{pin_project, pinned_drop};

use crate::model::{field, tags};
use crate::scope::item_count::ItemCount;
use crate::scope::work::Work;
use crate::scope::{Captured, capture};
use crate::span::Span;

/// Keeps a span active while a sink takes items, on whichever thread it is polled. Needs the feature `stream`.
///
/// A value that is both a stream and a sink, such as a websocket, is split before, so that each half has its span.
///
/// ```
/// use futures_util::{SinkExt, sink};
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
/// use tracehound::scope::SinkInSpan;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let mut rows = sink::drain::<&str>().sink_in_span(tracer.start_span("write_rows"));
/// rows.send("tea").await?;
/// rows.send("pot").await?;
/// rows.close().await?;
/// let span = spans.find("write_rows").expect("it ends with the sink");
/// assert_eq!(span.tag_text("sink.items"), "2");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Every type has these methods, as a sink may take items of many types; what they return is a sink only if the type
/// is.
pub trait SinkInSpan: Sized {
    /// Makes `span` active in every call and while the sink is dropped. The sink owns the span as `span` did: if it is
    /// the last owner, the span finishes with the sink.
    ///
    /// The sink ends when it is closed, at its first error, or when it is dropped. The span then has the tag
    /// `sink.items`, the number of items that were sent into it. An error marks the span (`error=true` and a log record
    /// `event=error`); to have its text, log it where it is handled, or in the `sink_map_err` of an inner sink, where
    /// the span is active. A sink that is dropped unclosed leaves a log record `event=cancelled` if it has items that
    /// were not flushed. A panic marks the span as it does that of a future.
    fn sink_in_span(self, span: Span) -> InstrumentedSink<Self> {
        InstrumentedSink::new(self, Work::Has(span))
    }

    /// Captures the span that is active on this thread now and makes it active in every call, without owning it. How
    /// the sink ends leaves no tag and no mark on the span.
    ///
    /// ```
    /// use futures_util::{SinkExt, sink};
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::scope::{InstrumentedSink, SinkInSpan};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let tracer = JaegerTracer::builder("shop").reporter(NullReporter::new()).build()?;
    /// let import = tracer.start_active_span("import");
    /// let mut rows: InstrumentedSink<_> = sink::drain::<&str>().sink_in_active_span();
    /// assert_eq!(rows.span().context(), import.context());
    /// rows.send("tea").await?;
    /// assert_eq!(rows.items(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn sink_in_active_span(self) -> InstrumentedSink<Self> {
        InstrumentedSink::new(self, Work::Carries(capture()))
    }
}

impl<S> SinkInSpan for S {}

impl Captured {
    /// Wraps a sink: what was captured is active in every call, and while the sink is dropped. A [child](Self::child)
    /// starts at the first call and tells how the sink ended, as with [`sink_in_span`](SinkInSpan::sink_in_span).
    ///
    /// ```
    /// use futures_util::{SinkExt, sink};
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
    /// let import = tracer.start_active_span("import");
    /// let mut rows = capture().child(tracer.clone(), "write rows").wrap_sink(sink::drain::<&str>());
    /// # runtime.block_on(async {
    /// rows.send("tea").await?;
    /// rows.close().await
    /// # })?;
    /// import.finish();
    /// assert_eq!(spans.tree(), "import\n  write rows");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wrap_sink<S>(&self, sink: S) -> InstrumentedSink<S> {
        InstrumentedSink::new(sink, Work::Carries(self.clone()))
    }
}

/// A sink in whose calls a span is active. [`SinkInSpan`] makes it, and [`Captured::wrap_sink`].
///
/// After its end the inner sink still gets what is sent, and the span has none of it.
///
/// ```
/// use futures_util::{SinkExt, sink};
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
/// use tracehound::scope::{InstrumentedSink, SinkInSpan};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let span = NoopTracer.start_span("write");
/// let mut rows: InstrumentedSink<_> = sink::drain::<u32>().sink_in_span(span);
/// rows.send(7).await?;
/// assert!(rows.items() == 1 && rows.span().is_noop());
/// # Ok::<(), std::convert::Infallible>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[pin_project(project = Parts, PinnedDrop)]
#[must_use = "a sink does nothing unless it is polled"]
pub struct InstrumentedSink<S> {
    /// `None` only while it is dropped.
    #[pin]
    inner: Option<S>,
    work: Work,
    count: ItemCount,
    is_flushed: bool,
}

impl<S> InstrumentedSink<S> {
    fn new(inner: S, work: Work) -> Self {
        Self {
            inner: Some(inner),
            work,
            count: ItemCount::new(tags::SINK_ITEMS),
            is_flushed: true,
        }
    }

    /// Returns a handle to the span that does not own it. If there is no span, the no-op span.
    pub fn span(&self) -> Span {
        self.work.span()
    }

    /// Returns the number of items that were sent into the sink.
    pub fn items(&self) -> u64 {
        self.count.items()
    }
}

impl<S> Parts<'_, S> {
    /// Calls the inner sink with the span active.
    fn call<R>(&mut self, call: impl FnOnce(Pin<&mut S>, &mut ItemCount) -> R) -> R {
        let inner = self.inner.as_mut().as_pin_mut();
        let inner = inner.expect("only the destructor takes it");
        self.count.run(self.work, |_, count| call(inner, count))
    }

    fn fail(&mut self) {
        if let Some(span) = self.work.own_span() {
            span.set_tag(tags::ERROR, true)
                .log([field(tags::EVENT, "error")]);
        }
        self.end();
    }

    fn end(&mut self) {
        self.count.tell(self.work);
        self.work.release();
    }
}

impl<S: Sink<Item>, Item> Sink<Item> for InstrumentedSink<S> {
    type Error = S::Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let mut this = self.project();
        let poll = this.call(|inner, _| inner.poll_ready(cx));
        if let Poll::Ready(Err(_)) = &poll {
            this.fail();
        }
        poll
    }

    fn start_send(self: Pin<&mut Self>, item: Item) -> Result<(), S::Error> {
        let mut this = self.project();
        *this.is_flushed = false;
        let result = this.call(|inner, count| {
            inner.start_send(item)?;
            count.add();
            Ok(())
        });
        if result.is_err() {
            this.fail();
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let mut this = self.project();
        let poll = this.call(|inner, _| inner.poll_flush(cx));
        match &poll {
            Poll::Ready(Ok(())) => *this.is_flushed = true,
            Poll::Ready(Err(_)) => this.fail(),
            Poll::Pending => {}
        }
        poll
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        let mut this = self.project();
        let poll = this.call(|inner, _| inner.poll_close(cx));
        match &poll {
            Poll::Ready(Ok(())) => this.end(),
            Poll::Ready(Err(_)) => this.fail(),
            Poll::Pending => {}
        }
        poll
    }
}

#[pinned_drop]
impl<S> PinnedDrop for InstrumentedSink<S> {
    fn drop(self: Pin<&mut Self>) {
        let Parts {
            mut inner,
            work,
            count,
            is_flushed,
        } = self.project();
        count.tell(work);
        if *is_flushed {
            work.drop_rest(|| inner.set(None));
        } else {
            work.cancel(|| inner.set(None));
        }
    }
}

impl<S> fmt::Debug for InstrumentedSink<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstrumentedSink")
            .field("span", &self.span())
            .field("items", &self.items())
            .finish_non_exhaustive()
    }
}
