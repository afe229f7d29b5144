use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::metrics::Counter;
use crate::panics::caught;
use crate::sampler::remote::current::{Current, Follower, Health, Origin};
use crate::sampler::remote::file::StrategyFile;
use crate::sampler::remote::schedule::Schedule;
use crate::sampler::remote::{FetchError, Strategy, StrategyFetcher};
use crate::services::Services;

/// The poller's task of a remote sampler: fetches the strategy, makes it count, and tells what has changed.
pub(super) struct Poll {
    /// Weak, so that the task does not outlive the sampler.
    current: Weak<Current>,
    fetcher: Box<dyn StrategyFetcher>,
    source: Arc<str>,
    services: Services,
    schedule: Schedule,
    follower: Follower,
    file: Option<StrategyFile>,
    /// Whether no fetch has succeeded yet, nor one of a process that this one was forked from.
    is_first: bool,
}

impl Poll {
    pub(super) fn new(
        current: &Arc<Current>,
        fetcher: Box<dyn StrategyFetcher>,
        source: Arc<str>,
        services: Services,
        schedule: Schedule,
        max_operations: usize,
    ) -> Self {
        Self {
            follower: Follower::new(&current.load(), services.clone(), max_operations),
            current: Arc::downgrade(current),
            fetcher,
            source,
            services,
            schedule,
            file: None,
            is_first: current.load().origin != Origin::Fetched,
        }
    }

    /// Writes each new strategy to a file, and begins with the strategy of the file, unless there is one already, as in
    /// a forked child.
    pub(super) fn with_file(mut self, file: StrategyFile, current: &Current) -> Self {
        if current.load().origin == Origin::Initial {
            self.begin_with(&file, current);
        }
        self.file = Some(file);
        self
    }

    fn begin_with(&mut self, file: &StrategyFile, current: &Current) {
        let diagnostics = self.services.diagnostics();
        match file.read() {
            Ok(Some(strategy)) => {
                self.follower.follow(current, &strategy, Origin::File);
                let path = file.path();
                diagnostics.say(&format!("sampling begins as {path} says: {strategy}"));
            }
            Ok(None) => {}
            Err(reason) => diagnostics.warn("remote_sampler_file", || {
                let path = file.path();
                format!("the sampling strategy in {path} is not used: {reason}")
            }),
        }
    }

    /// Fetches once. Returns the pause until the next time, or `None` if the sampler is closed.
    pub(super) fn run(&mut self) -> Option<Duration> {
        let is_open = |current: &Arc<Current>| !current.is_closed();
        // Not held during the fetch, which may take seconds.
        self.current.upgrade().filter(is_open)?;
        let service = &self.services.process().service_name;
        let fetched = caught(|| self.fetcher.fetch(service));
        // A fetch that was cancelled has not failed.
        let current = self.current.upgrade().filter(is_open)?;
        let fetched = fetched.unwrap_or_else(|| {
            self.services.metrics().add(Counter::CallbackPanics, 1);
            Err(FetchError::failed("the fetcher panicked"))
        });
        let is_success = fetched.is_ok();
        match fetched {
            Ok(strategy) => self.succeed(&current, &strategy),
            Err(error) => self.fail(&current, &error),
        }
        Some(self.schedule.pause_after(is_success))
    }

    fn succeed(&mut self, current: &Current, strategy: &Strategy) {
        let (metrics, diagnostics) = (self.services.metrics(), self.services.diagnostics());
        metrics.add(Counter::SamplerQueriesOk, 1);
        let before = self.follower.follow(current, strategy, Origin::Fetched);
        let health = current.replace_health(Health {
            last_reply: Some(self.services.clock().monotonic()),
            error: None,
        });
        let source = &self.source;
        if health.error.is_some() {
            diagnostics.recovered("remote_sampler", || {
                format!("sampling strategies come from {source} again: {strategy}")
            });
        }
        if self.is_first {
            self.is_first = false;
            diagnostics.say(&format!("sampling follows {source}: {strategy}"));
        } else if let Some(before) = &before {
            // At most one line in ten seconds, however often it changes.
            diagnostics.warn("remote_sampler_change", || {
                format!("sampling follows {source}: now {strategy}, before {before}")
            });
        }
        if before.is_some() {
            metrics.add(Counter::SamplerUpdatesOk, 1);
            self.keep(strategy);
        }
    }

    fn fail(&self, current: &Current, error: &FetchError) {
        let metrics = self.services.metrics();
        match error {
            FetchError::Failed(_) => metrics.add(Counter::SamplerQueriesErr, 1),
            FetchError::Invalid(_) => {
                metrics.add(Counter::SamplerQueriesOk, 1);
                metrics.add(Counter::SamplerUpdatesErr, 1);
            }
        }
        let error = shortened(error.to_string());
        let line = || {
            let (source, now) = (&self.source, current.load().sampler().description());
            format!("no sampling strategy from {source}: {error}; sampling goes on as {now}")
        };
        let before = current.health();
        if before.error.is_none() {
            self.services.diagnostics().warn("remote_sampler", line);
        }
        current.replace_health(Health {
            error: Some(error),
            ..before
        });
    }

    /// Writes a strategy to the file, if there is one.
    fn keep(&self, strategy: &Strategy) {
        let Some(file) = &self.file else { return };
        let diagnostics = self.services.diagnostics();
        match file.write(strategy) {
            Ok(()) => diagnostics.recovered("remote_sampler_keep", || {
                format!("the sampling strategy is kept in {} again", file.path())
            }),
            Err(error) => diagnostics.warn("remote_sampler_keep", || {
                format!(
                    "the sampling strategy cannot be kept in {}: {error}",
                    file.path()
                )
            }),
        }
    }
}

/// Cuts the text of a fetcher's error, and leaves out line ends and the like.
fn shortened(text: String) -> String {
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(MAX_ERROR).collect()
}

/// The number of characters of an error that are kept.
const MAX_ERROR: usize = 300;
