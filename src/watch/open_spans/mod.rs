//! The list of open spans.

mod id_hash;
mod info;
mod shared;
mod table;
mod thread_name;
mod watchdog;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::metrics::{MetricsPage, MetricsSource};
use crate::observer::{ObservedSpan, SpanObserver};
use crate::services::Services;
use crate::watch::open_spans::shared::Shared;
use crate::watch::open_spans::watchdog::Watchdog;

pub use info::OpenSpanInfo;

/// An observer that knows which spans are open, sampled or not, and says which ones are open longer than a
/// [limit](Self::limit). Cheap to clone; clones share everything.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::clock::ManualClock;
/// use tracehound::prelude::*;
/// use tracehound::watch::OpenSpans;
///
/// let clock = ManualClock::default();
/// let open = OpenSpans::new();
/// let tracer = JaegerTracer::builder("shop").observer(open.clone()).clock(clock.clone()).build()?;
/// let checkout = tracer.start_span("checkout");
/// clock.advance(Duration::from_secs(40));
///
/// let list = open.list();
/// assert_eq!((list.len(), &*list[0].operation_name), (1, "checkout"));
/// assert_eq!(list[0].age, Duration::from_secs(40));
/// // "checkout" for 40.0s, started at src/main.rs:11 on main, trace …, span …
/// println!("{}", list[0]);
/// checkout.finish();
/// assert!(open.list().is_empty());
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// # What is on the metrics page?
///
/// The gauges `tracehound_open_spans`, `tracehound_open_spans_untracked` and `tracehound_open_span_age_seconds_max`,
/// and the counter `tracehound_spans_over_limit`.
///
/// # What does it cost?
///
/// About 700 instructions for each span, with two short locks of one in 32 parts of a table. At most [10 000
/// spans](Self::max_spans) are kept, at about 150 bytes each and the bytes of a name that is not static. Further ones
/// are only [counted](Self::untracked).
///
/// # Several tracers, and forks
///
/// One list may serve several tracers. Ages are by the clock of the first one, and lines go to its diagnostics. The
/// list of a forked child begins empty: spans that were open at the fork stay in the list of the parent.
#[derive(Clone)]
pub struct OpenSpans {
    shared: Arc<Shared>,
    /// The tracer that this clone observes.
    tracer: Option<Arc<Attached>>,
}

/// The tracer that a clone observes.
struct Attached {
    service: Arc<str>,
    /// The task of the tracer, if there is a limit.
    watchdog: Option<Watchdog>,
}

impl OpenSpans {
    /// Makes an empty list without a limit of time.
    pub fn new() -> Self {
        Self::with_parts(None, DEFAULT_MAX_SPANS)
    }

    /// Sets how long a span may be open before a line of the tracer's
    /// [diagnostics](crate::tracer::TracerBuilder::diagnostics) says so, while it is open. Further lines follow when it
    /// has been open twice as long, four times as long, and so on. At least a millisecond.
    ///
    /// There is at most one line in ten seconds for each place at which spans start; it tells how many more there were.
    /// A thread of the tracer sleeps until the next span is due, and ends with the tracer. A line is late by a tenth of
    /// the limit or a second at most.
    ///
    /// The result is another list. Defaults to no limit, and then there is no thread.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::OpenSpans;
    ///
    /// let (sender, lines) = mpsc::channel();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .diagnostics(Diagnostics::with_handler(move |line| {
    ///         let _ = sender.send(line.to_owned());
    ///     }))
    ///     .observer(OpenSpans::new().limit(Duration::from_millis(20)))
    ///     .build()?;
    /// let span = tracer.start_span("checkout");
    /// let line = lines.recv_timeout(Duration::from_secs(30))?;
    /// assert!(line.starts_with(r#"a span is open longer than 20.0ms: "checkout" for "#), "{line}");
    /// # drop(span);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn limit(self, limit: Duration) -> Self {
        let limit = limit.max(Duration::from_millis(1));
        Self::with_parts(Some(limit), self.shared.max_spans)
    }

    /// Sets how many open spans are kept: those that start first. Further ones are [counted](Self::untracked).
    ///
    /// The result is another list. Defaults to 10 000.
    #[must_use]
    pub fn max_spans(self, spans: usize) -> Self {
        Self::with_parts(self.shared.limit, spans)
    }

    fn with_parts(limit: Option<Duration>, max_spans: usize) -> Self {
        Self {
            shared: Arc::new(Shared::new(limit, max_spans)),
            tracer: None,
        }
    }

    /// Returns the open spans, the oldest first.
    ///
    /// Spans that start or end meanwhile may be in the list or not.
    pub fn list(&self) -> Vec<OpenSpanInfo> {
        let mut list = self.shared.table().list(self.shared.now());
        list.sort_by_key(|span| std::cmp::Reverse(span.age));
        list
    }

    /// Returns how many spans are open and in the list.
    pub fn len(&self) -> usize {
        self.shared.table().len()
    }

    /// Returns whether no span is in the list.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many spans are open and not in the list, because it was full when they started.
    pub fn untracked(&self) -> u64 {
        self.shared.table().untracked()
    }

    /// Returns how many spans have been open longer than the limit so far, whether they have ended or not. Of spans
    /// that are not in the list only those count that have ended.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::OpenSpans;
    ///
    /// let clock = ManualClock::default();
    /// let open = OpenSpans::new().max_spans(1_000).limit(Duration::from_secs(30));
    /// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
    /// let tracer = builder.observer(open.clone()).clock(clock.clone()).build()?;
    /// let checkout = tracer.start_span("checkout");
    /// clock.advance(Duration::from_secs(31));
    /// checkout.finish();
    /// assert_eq!((open.over_limit(), open.untracked()), (1, 0));
    /// assert!(open.is_empty() && open.len() == 0);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn over_limit(&self) -> u64 {
        self.shared.table().over_limit()
    }

    /// Looks for spans that are open longer than the limit now, as the tracer's thread does from time to time, and
    /// writes the lines. Returns how many spans have exceeded their limit, or a double of it, since the last look.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::OpenSpans;
    ///
    /// let (clock, open) = (ManualClock::default(), OpenSpans::new().limit(Duration::from_secs(30)));
    /// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
    /// let tracer = builder.observer(open.clone()).clock(clock.clone()).build()?;
    /// let _checkout = tracer.start_span("checkout");
    /// clock.advance(Duration::from_secs(29));
    /// assert_eq!(open.look(), 0);
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    pub fn look(&self) -> usize {
        self.shared.look().0
    }
}

impl SpanObserver for OpenSpans {
    fn attach(&mut self, services: &Services) {
        self.shared.attach(services);
        let limit = self.shared.limit;
        self.tracer = Some(Arc::new(Attached {
            service: services.process().service_name.as_str().into(),
            watchdog: limit.map(|_| Watchdog::start(services, &self.shared)),
        }));
    }

    fn watches_starts(&self) -> bool {
        true
    }

    fn on_start(&self, span: &ObservedSpan<'_>) {
        let (Some(tracer), Some(ticks)) = (&self.tracer, span.start_ticks()) else {
            return;
        };
        if let Some(watchdog) = &tracer.watchdog {
            watchdog.ensure_task();
        }
        self.shared.table().open(span, ticks, &tracer.service);
    }

    fn on_finish(&self, span: &ObservedSpan<'_>) {
        self.shared.table().close(span, self.shared.limit);
    }
}

impl MetricsSource for OpenSpans {
    fn write_to(&self, page: &mut MetricsPage) {
        let list = self.list();
        let oldest = list.first().map_or(0, |span| span.age.as_secs());
        let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        for (name, help, value) in [
            (
                "tracehound_open_spans",
                "Spans that are open, sampled or not.",
                list.len() as u64,
            ),
            (
                "tracehound_open_spans_untracked",
                "Open spans that the list of open spans had no room for.",
                self.untracked(),
            ),
            (
                "tracehound_open_span_age_seconds_max",
                "Age of the oldest open span.",
                oldest,
            ),
        ] {
            page.gauge(name, help, [(&[][..], whole(value))]);
        }
        page.counter(
            "tracehound_spans_over_limit",
            "Spans that were open longer than the limit.",
            [(&[][..], self.over_limit())],
        );
    }
}

impl Default for OpenSpans {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OpenSpans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSpans")
            .field("len", &self.len())
            .field("untracked", &self.untracked())
            .field("over_limit", &self.over_limit())
            .field("limit", &self.shared.limit)
            .finish_non_exhaustive()
    }
}

const DEFAULT_MAX_SPANS: usize = 10_000;
