use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::{pin_project, pinned_drop};

use crate::diagnostics::{Quoted, Rounded, Subject};
use crate::model::{field, tags};
use crate::record::SpanSlot;
use crate::scope::work::Work;
use crate::scope::{Instrumented, active_span};
use crate::span::Span;

/// A limit for [`blocking_limit`](Instrumented::blocking_limit) that suits most programs: 100 ms. A runtime's thread
/// that is held so long keeps a user waiting.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
/// use tracehound::scope::BLOCKING_LIMIT;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let work = async { 4_200 }.in_span(NoopTracer.start_span("price"));
/// assert_eq!(work.with_poll_times().blocking_limit(BLOCKING_LIMIT).await, 4_200);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
pub const BLOCKING_LIMIT: Duration = Duration::from_millis(100);

impl<T: Future> Instrumented<T> {
    /// Measures how long the future works and how long it waits. When it ends, its span gets four tags, three of them
    /// in microseconds:
    ///
    /// | tag | meaning |
    /// |---|---|
    /// | `busy_us` | the time within polls, in which the future held its thread |
    /// | `idle_us` | the time between polls, from the first one to the last |
    /// | `polls` | the number of polls |
    /// | `longest_poll_us` | the longest poll |
    ///
    /// A span of 3 s that was busy for 2 ms has waited: for an answer, a lock, or its turn. One that was busy for 2.9 s
    /// belongs on a thread of its own (`spawn_blocking`).
    ///
    /// A poll costs two readings of the tracer's clock. A span that records nothing at the first poll is not measured,
    /// unless there is a [limit](Self::blocking_limit). A future of [`in_active_span`](crate::InSpan::in_active_span)
    /// leaves no tags, because the span is not its own, unless [each piece of work has a
    /// span](crate::scope::Captured::child).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::JaegerTracer;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
    /// let (clock, spans) = (ManualClock::default(), InMemoryReporter::new());
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .clock(clock.clone())
    ///     .build()?;
    /// let work = async {
    ///     clock.advance(Duration::from_millis(2)); // works
    ///     tokio::task::yield_now().await;
    ///     clock.advance(Duration::from_millis(1)); // works again
    /// };
    /// work.in_span(tracer.start_span("checkout")).with_poll_times().await;
    /// let span = &spans.spans()[0];
    /// assert_eq!((span.tag_text("busy_us"), span.tag_text("polls")), ("3000".into(), "2".into()));
    /// # Ok::<(), tracehound::tracer::BuildError>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn with_poll_times(self) -> Instrumented<PollTimes<T>> {
        let place = Location::caller();
        self.wrap(|inner, work| PollTimes {
            inner,
            times: Times::new(work, place),
        })
    }
}

impl<T> Instrumented<PollTimes<T>> {
    /// Sets how long a poll may hold its thread. A poll that takes as long or longer leaves a log record on the span
    /// (`event=blocking_poll`, `poll_us`) and is counted in the tag `blocking_polls`, and a line of the tracer's
    /// diagnostics says where: at most one in ten seconds for each call of
    /// [`with_poll_times`](Instrumented::with_poll_times) in the program.
    ///
    /// The line is true of the thread, not of the code alone: a thread that the system did not run counts as held, too.
    ///
    /// Defaults to no limit. [`BLOCKING_LIMIT`] suits most programs.
    ///
    /// ```
    /// use tracehound::prelude::*;
    /// use tracehound::scope::BLOCKING_LIMIT;
    ///
    /// # async fn work() {}
    /// # fn f(tracer: &impl Tracer) -> impl Future<Output = ()> {
    /// let span = tracer.start_span("checkout");
    /// work().in_span(span).with_poll_times().blocking_limit(BLOCKING_LIMIT)
    /// # }
    /// # drop(f(&tracehound::NoopTracer));
    /// ```
    pub fn blocking_limit(self, limit: Duration) -> Self {
        self.wrap(|mut inner, _| {
            inner.times.limit = Some(limit);
            inner
        })
    }
}

/// A future whose polls are timed. [`Instrumented::with_poll_times`] makes it.
///
/// ```
/// use tracehound::NoopTracer;
/// use tracehound::prelude::*;
/// use tracehound::scope::{Instrumented, PollTimes};
///
/// /// A field of a service that keeps such a future.
/// struct Job<F> {
///     future: Instrumented<PollTimes<F>>,
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let job = Job { future: async { 7 }.in_span(NoopTracer.start_span("job")).with_poll_times() };
/// assert_eq!(job.future.await, 7);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[pin_project(PinnedDrop)]
#[must_use = "a future does nothing unless it is polled"]
pub struct PollTimes<T> {
    #[pin]
    inner: T,
    times: Times,
}

/// The times of the polls so far, in ticks of the span's clock.
struct Times {
    /// A handle that does not own the span.
    span: Span,
    /// The span is the future's own, so the future may set tags on it.
    is_own: bool,
    place: &'static Location<'static>,
    limit: Option<Duration>,
    state: State,
    first: u64,
    last: u64,
    busy: u64,
    longest: u64,
    polls: u64,
    blocking_polls: u64,
}

#[derive(PartialEq)]
enum State {
    /// Not polled yet.
    New,
    Measuring,
    /// There is nothing to measure, or the tags are set.
    Over,
}

impl<T: Future> Future for PollTimes<T> {
    type Output = T::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T::Output> {
        let this = self.project();
        let Some(start) = this.times.begin() else {
            return this.inner.poll(cx);
        };
        let mut current = CurrentPoll {
            times: this.times,
            start,
            is_last: true,
        };
        let poll = this.inner.poll(cx);
        current.is_last = poll.is_ready();
        poll
    }
}

#[pinned_drop]
impl<T> PinnedDrop for PollTimes<T> {
    fn drop(self: Pin<&mut Self>) {
        self.project().times.tell();
    }
}

/// A poll that runs now. It is the last one if the future ends in it or panics.
struct CurrentPoll<'a> {
    times: &'a mut Times,
    start: u64,
    is_last: bool,
}

impl Drop for CurrentPoll<'_> {
    fn drop(&mut self) {
        self.times.end(self.start);
        if self.is_last {
            self.times.tell();
        }
    }
}

impl Times {
    fn new(work: &Work, place: &'static Location<'static>) -> Self {
        Self {
            span: work.span(),
            is_own: matches!(work, Work::Has(_)),
            place,
            limit: None,
            state: State::New,
            first: 0,
            last: 0,
            busy: 0,
            longest: 0,
            polls: 0,
            blocking_polls: 0,
        }
    }

    /// Begins a poll, and returns the ticks of now. Returns `None` if nothing is measured.
    fn begin(&mut self) -> Option<u64> {
        match self.state {
            State::Over => return None,
            State::New => self.take_child(),
            State::Measuring => {}
        }
        let slot = self.span.slot();
        let is_wanted = self.limit.is_some() || self.is_own && self.span.is_recording();
        let (Some(slot), true) = (slot, is_wanted || self.state == State::Measuring) else {
            self.state = State::Over;
            return None;
        };
        let now = slot.recorder.clock.now();
        if self.state == State::New {
            self.state = State::Measuring;
            self.first = now;
        }
        Some(now)
    }

    /// Takes the span that the work has started for itself just now, if it has. It is active.
    fn take_child(&mut self) {
        let address = |span: &Span| span.slot().map(std::ptr::from_ref);
        let active = active_span();
        if !self.is_own && address(&active) != address(&self.span) {
            self.span = active;
            self.is_own = true;
        }
    }

    /// Ends a poll that began at `start`.
    fn end(&mut self, start: u64) {
        let Some(slot) = self.span.slot() else { return };
        self.last = slot.recorder.clock.now();
        let ticks = self.last.saturating_sub(start);
        // A manual clock may leap there and back.
        self.busy = self.busy.saturating_add(ticks);
        self.longest = self.longest.max(ticks);
        self.polls += 1;
        let time = Duration::from_nanos(ticks);
        if let Some(limit) = self.limit.filter(|limit| time >= *limit) {
            self.blocking_polls += 1;
            report_blocking(slot, self, time, limit);
        }
    }

    /// Sets the tags, once.
    fn tell(&mut self) {
        let was = std::mem::replace(&mut self.state, State::Over);
        if was == State::Over || !self.is_own || !self.span.is_recording() {
            return;
        }
        let idle = self
            .last
            .saturating_sub(self.first)
            .saturating_sub(self.busy);
        let span = &self.span;
        span.set_tag("busy_us", micros(self.busy))
            .set_tag("idle_us", micros(idle))
            .set_tag("polls", self.polls)
            .set_tag("longest_poll_us", micros(self.longest));
        if self.blocking_polls > 0 {
            span.set_tag("blocking_polls", self.blocking_polls);
        }
    }
}

#[cold]
fn report_blocking(slot: &SpanSlot, times: &Times, time: Duration, limit: Duration) {
    if times.is_own {
        times.span.log([
            field(tags::EVENT, "blocking_poll"),
            field("poll_us", micros(time.as_nanos() as u64)),
        ]);
    }
    let Some(diagnostics) = slot.tracer.diagnostics() else {
        return;
    };
    let subject = Subject::Place(times.place.file(), times.place.line());
    let now = Duration::from_nanos(times.last);
    diagnostics.warn_about("blocking_poll", subject, now, || {
        let name = slot.operation_name();
        format!(
            "a poll of {} at {}:{} held its thread for {}; the limit is {}",
            Quoted(&name),
            times.place.file(),
            times.place.line(),
            Rounded(time),
            Rounded(limit),
        )
    });
}

fn micros(ticks: u64) -> u64 {
    ticks / 1_000
}

impl<T> fmt::Debug for PollTimes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PollTimes")
            .field("polls", &self.times.polls)
            .field("busy", &Duration::from_nanos(self.times.busy))
            .finish_non_exhaustive()
    }
}
