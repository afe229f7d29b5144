use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::sampler::remote::Strategy;
use crate::sampler::remote::current::{Active, Current, Origin};

/// A view of what a [`RemoteSampler`](super::RemoteSampler) does. Cheap to clone; take one before the tracer gets the
/// sampler.
///
/// Its `Debug` shows all at one look.
///
/// ```
/// use std::time::Duration;
/// use tracehound::JaegerTracer;
/// use tracehound::reporter::NullReporter;
/// use tracehound::sampler::remote::{FetchError, RemoteSampler, Strategy, StrategyFetcher};
///
/// /// Has no answer.
/// struct Silent;
///
/// impl StrategyFetcher for Silent {
///     fn fetch(&mut self, _service: &str) -> Result<Strategy, FetchError> {
///         Err(FetchError::failed("no answer"))
///     }
/// }
///
/// let sampler = RemoteSampler::new(Silent);
/// let state = sampler.state();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(sampler)
///     .reporter(NullReporter::new())
///     .build()?;
/// while state.error().is_none() {
///     std::thread::yield_now(); // another thread asks
/// }
/// assert_eq!(state.error().as_deref(), Some("no answer"));
/// assert_eq!((state.strategy(), state.last_reply()), (None, None));
/// assert!(state.age() >= Duration::ZERO);
/// # drop(tracer);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
#[derive(Clone)]
pub struct RemoteSamplerState {
    pub(super) current: Arc<Current>,
    pub(super) source: Arc<str>,
}

impl RemoteSamplerState {
    /// Returns the strategy that counts now. `None` until there is one: the initial sampler decides.
    pub fn strategy(&self) -> Option<Strategy> {
        self.current.load().strategy.clone()
    }

    /// Returns how long the sampler has decided as it does now.
    pub fn age(&self) -> Duration {
        self.since(self.current.load().since)
    }

    /// Returns the time since the last reply that was a strategy. `None` if there was none.
    pub fn last_reply(&self) -> Option<Duration> {
        let health = self.current.health();
        health.last_reply.map(|time| self.since(time))
    }

    /// Returns the reason why the last fetch failed. `None` if it succeeded, or there was none yet.
    pub fn error(&self) -> Option<String> {
        self.current.health().error
    }

    /// Returns who has stated what the sampler does.
    pub(super) fn told_by(&self, active: &Active) -> &str {
        match active.origin {
            Origin::Initial => "the program",
            Origin::File => "the file of an earlier run",
            Origin::Fetched => &self.source,
        }
    }

    fn since(&self, time: Duration) -> Duration {
        self.current.now().saturating_sub(time)
    }
}

impl fmt::Debug for RemoteSamplerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self.current.load();
        let decides = match &active.strategy {
            Some(strategy) => strategy.to_string(),
            None if self.current.is_attached() => active.sampler().description(),
            None => "nothing, as no tracer has it".to_owned(),
        };
        let health = self.current.health();
        f.debug_struct("RemoteSampler")
            .field("decides", &decides)
            .field("told_by", &self.told_by(&active))
            .field("for", &self.since(active.since))
            .field("asks", &self.source)
            .field(
                "last_reply",
                &health.last_reply.map(|time| self.since(time)),
            )
            .field("error", &health.error)
            .finish()
    }
}
