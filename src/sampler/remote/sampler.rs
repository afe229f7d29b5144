use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::metrics::Counter;
use crate::model::TagRef;
use crate::panics::caught;
use crate::poller::{PollSchedule, PollerTask};
use crate::sampler::remote::current::{Active, Current, Kind, Origin};
use crate::sampler::remote::file::StrategyFile;
use crate::sampler::remote::poll::Poll;
use crate::sampler::remote::state::RemoteSamplerState;
use crate::sampler::remote::{CancelFetch, MakeFetcher, StrategyFetcher};
use crate::sampler::{
    Interests, ProbabilisticSampler, Sampler, SamplingDecision, SamplingRate, SpanView,
};
use crate::services::Services;
use crate::sync::{PerProcess, generation};

/// A sampler that follows the strategies of a Jaeger backend.
///
/// The page of the [module](super) tells what happens when. A decision takes no lock, does no input or output, and
/// allocates nothing.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::NullReporter;
/// use tracehound::sampler::remote::{HttpStrategyFetcher, RemoteSampler};
/// use tracehound::sampler::{ProbabilisticSampler, SamplingRate};
///
/// let fetcher = HttpStrategyFetcher::new("http://127.0.0.1:5778/sampling")?;
/// let sampler = RemoteSampler::new(fetcher)
///     .initial(ProbabilisticSampler::new(SamplingRate::new(0.01)?))
///     .refresh_interval(Duration::from_secs(30));
/// let state = sampler.state();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(sampler)
///     .reporter(NullReporter::new())
///     .build()?;
/// println!("{state:?}"); // what it does, since when, and who has told it
/// # drop(tracer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RemoteSampler {
    current: Arc<Current>,
    /// The initial sampler until a tracer has this one.
    initial: Option<Box<dyn Sampler>>,
    /// The initial sampler since then. Kept to be told of the end, and so that user code ends with the tracer.
    attached_initial: Option<Arc<dyn Sampler>>,
    /// The fetcher until a tracer has this sampler.
    fetcher: Mutex<Option<Box<dyn StrategyFetcher>>>,
    make_fetcher: Option<MakeFetcher>,
    source: Arc<str>,
    refresh_interval: Duration,
    max_operations: usize,
    file: Option<PathBuf>,
    services: Option<Services>,
    polling: PerProcess<Polls>,
    /// The generation of the process in which everything for polls has been done.
    settled_in: AtomicU32,
    /// The time of the clock, in nanoseconds, before which no thread is asked for again.
    retry_at: AtomicU64,
}

/// The polls of one process.
#[derive(Default)]
struct Polls {
    /// A thread sees to them. User code runs meanwhile, so this is no lock.
    is_starting: AtomicBool,
    polling: Mutex<Option<Polling>>,
}

impl Polls {
    /// The lock is not held while user code runs.
    fn lock(&self) -> MutexGuard<'_, Option<Polling>> {
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The poller's task in this process.
struct Polling {
    task: PollerTask,
    cancel: Option<CancelFetch>,
}

impl RemoteSampler {
    /// Makes a sampler that follows what `fetcher` brings. Nothing is fetched before a tracer has it.
    pub fn new(fetcher: impl StrategyFetcher + 'static) -> Self {
        Self {
            current: Arc::new(Current::new()),
            initial: Some(Box::new(ProbabilisticSampler::new(SamplingRate::DEFAULT))),
            attached_initial: None,
            source: fetcher.description().into(),
            fetcher: Mutex::new(Some(Box::new(fetcher))),
            make_fetcher: None,
            refresh_interval: REFRESH_INTERVAL,
            max_operations: MAX_OPERATIONS,
            file: None,
            services: None,
            polling: PerProcess::new(Polls::default()),
            settled_in: AtomicU32::new(NEVER),
            retry_at: AtomicU64::new(0),
        }
    }

    /// Sets the sampler that decides until there is a strategy. Defaults to a [`ProbabilisticSampler`] of
    /// [`SamplingRate::DEFAULT`], one trace in a thousand, as in all Jaeger clients.
    #[must_use]
    pub fn initial(mut self, sampler: impl Sampler + 'static) -> Self {
        self.initial = Some(Box::new(sampler));
        self
    }

    /// Sets the mean time between two fetches: from 1 ms to a year. Defaults to 60 s, as in all Jaeger clients.
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.refresh_interval = interval;
        self
    }

    /// Sets how many operations a strategy by operation may tell apart:
    /// [`PerOperationSampler::max_operations`](crate::sampler::PerOperationSampler::max_operations). Defaults to 2000.
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> Self {
        self.max_operations = operations;
        self
    }

    /// Sets a file in which the last strategy outlives the program. By default there is none.
    ///
    /// The file is read while the tracer is built, and its strategy counts until the first reply. Each new strategy
    /// replaces the file, in one step, on the thread that fetches. A link to a file stays. The file names the service.
    /// A file that is about another service, is malformed or has more than 8 MiB is not used, and a line says so. Its
    /// folder must exist.
    ///
    /// ```
    /// use tracehound::sampler::remote::{HttpStrategyFetcher, RemoteSampler};
    ///
    /// let sampler = RemoteSampler::new(HttpStrategyFetcher::default())
    ///     .max_operations(500)
    ///     .file("/var/lib/shop/strategy.json");
    /// assert_eq!(sampler.state().strategy(), None, "the file is read when a tracer is built");
    /// ```
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Returns a view of what the sampler does, to look at after the tracer has got the sampler.
    pub fn state(&self) -> RemoteSamplerState {
        RemoteSamplerState {
            current: self.current.clone(),
            source: self.source.clone(),
        }
    }

    /// Calls the sampler that decides now.
    #[inline]
    fn ask<R>(&self, ask: impl FnOnce(&dyn Sampler) -> R) -> R {
        if self.settled_in.load(Ordering::Relaxed) != generation() {
            self.poll_in_this_process();
        }
        match &self.initial {
            None => ask(self.current.load().sampler()),
            Some(initial) => ask(&**initial),
        }
    }

    /// Has the strategy fetched in a forked child, and in a process that had no thread for it.
    #[cold]
    fn poll_in_this_process(&self) {
        let Some(services) = &self.services else {
            return;
        };
        let now = services.clock().now();
        if now < self.retry_at.load(Ordering::Relaxed) {
            return;
        }
        let polls = self.polls();
        // Another thread does the same, or this one further up.
        if polls.is_starting.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut has_task = polls.lock().is_some();
        if !has_task && !self.current.is_closed() {
            let made = self.make_fetcher.as_ref().and_then(|make| {
                let made = caught(make);
                if made.is_none() {
                    services.metrics().add(Counter::CallbackPanics, 1);
                }
                made
            });
            has_task = made.is_some();
            if let Some(fetcher) = made {
                self.add_task(services, fetcher);
            } else {
                services.diagnostics().warn("remote_sampler_fork", || {
                    let now = self.current.load().sampler().description();
                    format!("sampling stays as it is in a forked process, {now}: its fetcher cannot be made again")
                });
            }
        }
        if has_task && !services.poller().ensure_thread() {
            let retry_at = now.saturating_add(RETRY.as_nanos() as u64);
            self.retry_at.store(retry_at, Ordering::Relaxed);
        } else {
            self.settled_in.store(generation(), Ordering::Relaxed);
        }
        polls.is_starting.store(false, Ordering::Relaxed);
    }

    /// Adds the task to the poller. It does not run yet.
    fn add_task(&self, services: &Services, mut fetcher: Box<dyn StrategyFetcher>) {
        services.attach("the fetcher of sampling strategies", |services| {
            fetcher.attach(services);
        });
        let cancel = caught(|| fetcher.canceller()).flatten();
        let mut poll = Poll::new(
            &self.current,
            fetcher,
            self.source.clone(),
            services.clone(),
            PollSchedule::new(self.refresh_interval),
            self.max_operations,
        );
        if let Some(path) = &self.file {
            let service = services.process().service_name.clone();
            poll = poll.with_file(StrategyFile::new(path.clone(), service), &self.current);
        }
        let run = Box::new(move || poll.run());
        let task = services
            .poller()
            .add("the fetch of a sampling strategy", run);
        *self.polls().lock() = Some(Polling { task, cancel });
        if self.current.is_closed() {
            // Closed meanwhile, when there was no task to end.
            self.stop();
        }
    }

    fn polls(&self) -> &Polls {
        self.polling.get(|_| Polls::default())
    }

    /// Ends the polls, and the fetch in flight if it can be cancelled.
    fn stop(&self) {
        self.current.close();
        let polling = self.polls().lock().take();
        if let Some(Polling { task, cancel }) = polling {
            drop(task);
            caught(|| {
                if let Some(cancel) = cancel {
                    cancel();
                }
            });
        }
    }
}

impl Sampler for RemoteSampler {
    /// Reads the file, if there is one, and has the first strategy fetched, on another thread.
    fn attach(&mut self, services: &Services) {
        self.services = Some(services.clone());
        if let Some(mut initial) = self.initial.take() {
            services.attach("the initial sampler", |services| initial.attach(services));
            let initial: Arc<dyn Sampler> = initial.into();
            self.attached_initial = Some(initial.clone());
            self.current.set_clock(services.clock().clone());
            self.current.set(Active {
                kind: Kind::Initial(initial),
                origin: Origin::Initial,
                strategy: None,
                since: services.clock().monotonic(),
            });
        }
        let fetcher = self
            .fetcher
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(fetcher) = fetcher {
            self.make_fetcher = caught(|| fetcher.after_fork()).flatten();
            self.add_task(services, fetcher);
        }
        self.poll_in_this_process();
    }

    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.ask(|sampler| sampler.on_create_span(span))
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.ask(|sampler| sampler.on_set_operation_name(span))
    }

    fn on_set_tag(&self, span: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        self.ask(|sampler| sampler.on_set_tag(span, key, value))
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.ask(|sampler| sampler.on_finish_span(span))
    }

    /// Returns the answer of the sampler that decides now.
    fn depends_on_operation_name(&self) -> bool {
        self.ask(|sampler| sampler.depends_on_operation_name())
    }

    /// Returns what the initial sampler wants to be asked about. Those that a strategy describes decide at once.
    fn interests(&self) -> Interests {
        self.ask(|sampler| sampler.interests())
    }

    /// Returns what decides now, and where strategies come from.
    fn description(&self) -> String {
        let now = self.ask(|sampler| sampler.description());
        format!("remote {}, now {now}", self.source)
    }

    /// Returns the answer of the sampler that decides now, and who has told it so.
    fn explain(&self, operation_name: &str) -> String {
        let state = self.state();
        let active = state.current.load();
        let now = match &self.initial {
            None => active.sampler().explain(operation_name),
            Some(initial) => initial.explain(operation_name),
        };
        match active.strategy {
            Some(_) => format!("remote, told by {}: {now}", state.told_by(&active)),
            None => format!("remote, no strategy from {} yet: {now}", self.source),
        }
    }

    /// Ends the polls. Does not wait for a fetch in flight. The last strategy goes on to decide.
    fn close(&self) {
        self.stop();
        if let Some(initial) = &self.attached_initial {
            initial.close();
        }
    }
}

impl Drop for RemoteSampler {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for RemoteSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state().fmt(f)
    }
}

/// The mean time between two fetches, as in all Jaeger clients.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);

/// The number of operations, as in all Jaeger clients.
const MAX_OPERATIONS: usize = 2_000;

/// No generation.
const NEVER: u32 = u32::MAX;

/// How long not to ask for a thread again after none could be started.
const RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;
    use crate::clock::ManualClock;
    use crate::diagnostics::Diagnostics;
    use crate::model::{Process, TraceId};
    use crate::poller::tests::NO_THREADS;
    use crate::sampler::remote::{FetchError, Strategy};

    struct Never;

    impl StrategyFetcher for Never {
        fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
            Err(FetchError::failed("never"))
        }
    }

    #[test]
    fn user_code_that_is_told_of_a_missing_thread_may_close_the_sampler() {
        let clock = ManualClock::default();
        let sampler = Arc::<OnceLock<RemoteSampler>>::default();
        let told = sampler.clone();
        let diagnostics = Diagnostics::with_handler(move |_| {
            if let Some(sampler) = told.get() {
                sampler.close();
            }
        });
        let services = Services::detached(Process::new("shop", vec![]))
            .with_diagnostics(diagnostics.clone())
            .with_clock(clock.clone());
        NO_THREADS.set(true);
        let mut made = RemoteSampler::new(Never);
        made.attach(&services);
        let sampler = sampler.get_or_init(|| made);
        let id = TraceId::new(0, 1).expect("not zero");
        let root = SpanView::new(id, "checkout", true);
        let is_settled = || sampler.settled_in.load(Ordering::Relaxed) == generation();
        diagnostics.end_quiet();
        sampler.on_create_span(&root);
        assert!(
            !sampler.current.is_closed(),
            "no thread is asked for within a second"
        );
        clock.advance(RETRY);
        sampler.on_create_span(&root);
        assert!(sampler.current.is_closed() && !is_settled());
        clock.advance(RETRY);
        sampler.on_create_span(&root);
        assert!(is_settled(), "a closed sampler asks for nothing");
        NO_THREADS.set(false);
    }
}
