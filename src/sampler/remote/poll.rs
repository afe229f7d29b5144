use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::diagnostics::escaped;
use crate::metrics::Counter;
use crate::panics::caught;
use crate::poller::PollSchedule;
use crate::sampler::remote::current::{Current, Follower, Health, Origin};
use crate::sampler::remote::file::StrategyFile;
use crate::sampler::remote::{FetchError, Strategy, StrategyFetcher};
use crate::services::Services;

/// The poller's task of a remote sampler: fetches the strategy, makes it count, and tells what has changed.
pub(super) struct Poll {
    /// Weak, so that the task does not outlive the sampler.
    current: Weak<Current>,
    fetcher: Box<dyn StrategyFetcher>,
    source: Arc<str>,
    services: Services,
    schedule: PollSchedule,
    follower: Follower,
    file: Option<StrategyFile>,
    /// Whether no fetch has succeeded yet, nor one of a process that this one was forked from.
    is_first: bool,
    /// The line about the failures since the last success has been written.
    is_failure_told: bool,
    /// The strategy before the changes of which no line has told yet.
    untold_change: Option<String>,
    /// The last strategy is not in the file.
    is_unkept: bool,
}

impl Poll {
    pub(super) fn new(
        current: &Arc<Current>,
        fetcher: Box<dyn StrategyFetcher>,
        source: Arc<str>,
        services: Services,
        schedule: PollSchedule,
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
            is_failure_told: false,
            untold_change: None,
            is_unkept: false,
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
            Err(error) => self.fail(&current, error),
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
        self.is_failure_told = false;
        if health.error.is_some() {
            diagnostics.recovered("remote_sampler", || {
                format!("sampling strategies come from {source} again: {strategy}")
            });
        }
        if self.is_first {
            self.is_first = false;
            diagnostics.say(&format!("sampling follows {source}: {strategy}"));
        } else {
            self.tell_of_change(strategy, before.clone());
        }
        if before.is_some() {
            self.services.metrics().add(Counter::SamplerUpdatesOk, 1);
        }
        if before.is_some() || self.is_unkept {
            self.keep(strategy);
        }
    }

    /// Tells of a change: at most one line in ten seconds, however often the strategy changes, and sooner or later one
    /// with the last change.
    fn tell_of_change(&mut self, strategy: &Strategy, before: Option<String>) {
        let (source, now) = (&self.source, strategy.to_string());
        let untold = self.untold_change.take();
        let is_over = untold.as_ref() == Some(&now);
        if let Some(told) = untold.or(before).filter(|_| !is_over) {
            let diagnostics = self.services.diagnostics();
            let is_told = diagnostics.tell("remote_sampler_change", || {
                format!("sampling follows {source}: now {now}, before {told}")
            });
            self.untold_change = (!is_told).then_some(told);
        }
    }

    fn fail(&mut self, current: &Current, error: FetchError) {
        let metrics = self.services.metrics();
        match error {
            FetchError::Failed(_) => metrics.add(Counter::SamplerQueriesErr, 1),
            FetchError::Invalid(_) => {
                metrics.add(Counter::SamplerQueriesOk, 1);
                metrics.add(Counter::SamplerUpdatesErr, 1);
            }
        }
        // The text is user code, and so is the end of the error.
        let text = caught(move || error.to_string()).unwrap_or_else(|| {
            metrics.add(Counter::CallbackPanics, 1);
            "an error whose text cannot be had".to_owned()
        });
        let error = shortened(&text);
        let line = || {
            let (source, now) = (&self.source, current.load().sampler().description());
            format!("no sampling strategy from {source}: {error}; sampling goes on as {now}")
        };
        if !self.is_failure_told {
            self.is_failure_told = self.services.diagnostics().tell("remote_sampler", line);
        }
        current.replace_health(Health {
            error: Some(error),
            ..current.health()
        });
    }

    /// Writes a strategy to the file, if there is one.
    fn keep(&mut self, strategy: &Strategy) {
        let Some(file) = &self.file else { return };
        let diagnostics = self.services.diagnostics();
        let written = file.write(strategy);
        self.is_unkept = written.is_err();
        match written {
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

/// Cuts the text of a fetcher's error, and escapes line ends and the like.
fn shortened(text: &str) -> String {
    escaped(text.chars()).take(MAX_ERROR).collect()
}

/// The number of characters of an error that are kept.
const MAX_ERROR: usize = 300;

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::diagnostics::Diagnostics;
    use crate::model::Process;
    use crate::sampler::SamplingRate;

    type Outcome = Result<f64, FetchError>;

    /// Polls whose outcomes a test gives one by one.
    struct Scene {
        poll: Poll,
        current: Arc<Current>,
        outcome: Arc<Mutex<Option<Outcome>>>,
        lines: Arc<Mutex<Vec<String>>>,
    }

    struct Given(Arc<Mutex<Option<Outcome>>>);

    impl StrategyFetcher for Given {
        fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
            let outcome = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            let rate = outcome.expect("an outcome")?;
            Ok(Strategy::Probabilistic(
                SamplingRate::new(rate).expect("a rate"),
            ))
        }
    }

    impl Scene {
        fn new() -> Self {
            let (outcome, lines) = (Arc::default(), Arc::<Mutex<Vec<String>>>::default());
            let sink = lines.clone();
            let diagnostics = Diagnostics::with_handler(move |line| {
                let mut lines = sink.lock().expect("not poisoned");
                lines.push(line.to_owned());
            });
            let services = Services::detached(Process::new("shop", vec![]));
            let current = Arc::new(Current::new());
            let poll = Poll::new(
                &current,
                Box::new(Given(Arc::clone(&outcome))),
                "the test".into(),
                services.with_diagnostics(diagnostics),
                PollSchedule::new(Duration::from_secs(60)),
                10,
            );
            Self {
                poll,
                current,
                outcome,
                lines,
            }
        }

        /// Polls once, and returns the lines that this has made.
        fn poll(&mut self, outcome: Outcome) -> Vec<String> {
            *self.outcome.lock().expect("not poisoned") = Some(outcome);
            self.poll.run().expect("it is open");
            self.lines.lock().expect("not poisoned").drain(..).collect()
        }

        fn end_quiet(&self) {
            self.poll.services.diagnostics().end_quiet();
        }
    }

    fn down() -> Outcome {
        Err(FetchError::failed("down"))
    }

    #[test]
    fn failures_that_begin_soon_after_a_line_are_told_of_later() {
        let mut scene = Scene::new();
        assert_eq!(scene.poll(down()).len(), 1);
        assert_eq!(scene.poll(Ok(0.5)).len(), 2, "the end, and the strategy");
        assert_eq!(scene.poll(down()), [""; 0]);
        assert_eq!(scene.poll(down()), [""; 0]);
        scene.end_quiet();
        let lines = scene.poll(down());
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("no sampling strategy from the test: down"));
        scene.end_quiet();
        assert_eq!(scene.poll(down()), [""; 0], "once");
        assert_eq!(scene.poll(Ok(0.5)).len(), 1, "and so is the end");
    }

    #[test]
    fn the_last_of_several_changes_is_told_of() {
        let mut scene = Scene::new();
        scene.poll(Ok(0.5));
        assert_eq!(scene.poll(Ok(0.25)).len(), 1);
        assert_eq!(scene.poll(Ok(0.125)), [""; 0]);
        assert_eq!(scene.poll(Ok(1.0)), [""; 0]);
        scene.end_quiet();
        let told = "sampling follows the test: now probabilistic 1, before probabilistic 0.25";
        let lines = scene.poll(Ok(1.0));
        assert!(lines.len() == 1 && lines[0].starts_with(told), "{lines:?}");
        scene.end_quiet();
        assert_eq!(scene.poll(Ok(1.0)), [""; 0], "once");
        assert_eq!(scene.poll(Ok(0.5)).len(), 1);
        assert_eq!(scene.poll(Ok(0.25)), [""; 0]);
        assert_eq!(scene.poll(Ok(0.5)), [""; 0]);
        scene.end_quiet();
        assert_eq!(scene.poll(Ok(0.5)), [""; 0], "there and back");
    }

    #[test]
    fn an_error_whose_text_panics_is_a_failure_like_any_other() {
        #[derive(Debug)]
        struct Bad;
        impl std::fmt::Display for Bad {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                panic!("a text")
            }
        }
        impl std::error::Error for Bad {}
        let mut scene = Scene::new();
        let lines = scene.poll(Err(FetchError::failed(Bad)));
        assert!(
            lines.len() == 1 && lines[0].contains("cannot be had"),
            "{lines:?}"
        );
        let metrics = scene.poll.services.metrics();
        assert_eq!(metrics.get(Counter::SamplerQueriesErr), 1);
        assert_eq!(metrics.get(Counter::CallbackPanics), 1);
        assert!(scene.current.health().error.is_some());
    }
}
