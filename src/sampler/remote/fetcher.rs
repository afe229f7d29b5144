use std::error::Error;
use std::fmt;

use crate::sampler::remote::{Strategy, StrategyError};
use crate::sampler::short_type_name;
use crate::services::Services;

/// A source of sampling strategies, such as a Jaeger agent that is asked over HTTP.
///
/// A [`RemoteSampler`](super::RemoteSampler) calls it on a thread of the tracer, one call at a time. A panic is caught,
/// counted, and taken for a failed fetch.
///
/// ```
/// use tracehound::sampler::remote::{FetchError, RemoteSampler, Strategy, StrategyFetcher};
///
/// /// Reads the strategy of a service from a folder that an operator writes to.
/// struct Folder(std::path::PathBuf);
///
/// impl StrategyFetcher for Folder {
///     fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError> {
///         let json = std::fs::read(self.0.join(service)).map_err(FetchError::failed)?;
///         Ok(Strategy::from_json(&json)?)
///     }
///
///     fn description(&self) -> String {
///         self.0.display().to_string()
///     }
/// }
///
/// let mut folder = Folder(std::env::temp_dir());
/// let error = folder.fetch("no such service").expect_err("no file");
/// assert!(matches!(error, FetchError::Failed(_)));
/// let sampler = RemoteSampler::new(folder);
/// # drop(sampler);
/// ```
pub trait StrategyFetcher: Send {
    /// Takes the tracer's services: where to count and to warn. Called once, before anything else. By default does
    /// nothing.
    fn attach(&mut self, _services: &Services) {}

    /// Returns the strategy of a service. May block; ten seconds are a good limit.
    ///
    /// # Errors
    ///
    /// Fails if there is no strategy now. The sampler then goes on as it is, and asks again later.
    fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError>;

    /// Returns where the strategies come from, for a line of text: a URL without secrets, for instance. By default the
    /// name of the type.
    fn description(&self) -> String {
        short_type_name::<Self>().to_owned()
    }

    /// Returns a function that makes a [`fetch`](Self::fetch) in flight return soon. The sampler asks for it once,
    /// before the first fetch, and calls it when the tracer closes, on whatever thread closes it; it must not block.
    ///
    /// By default there is none, and a fetch in flight ends by itself. `close` does not wait for it.
    fn canceller(&self) -> Option<CancelFetch> {
        None
    }

    /// Returns a function that makes the fetcher of a forked child process. The sampler asks once, in the process that
    /// has built the tracer, before it calls [`attach`](Self::attach).
    ///
    /// A forked child cannot use the fetcher of its parent, which may have been in the middle of anything. The first
    /// span that starts in the child calls the function. It must not wait for a lock that a thread of the parent may
    /// have held.
    ///
    /// By default there is none, and a forked child keeps the strategy that its parent had at the fork.
    fn after_fork(&self) -> Option<MakeFetcher> {
        None
    }
}

/// Makes a fetch in flight return: see [`StrategyFetcher::canceller`].
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
/// use tracehound::sampler::remote::{
///     CancelFetch, FetchError, MakeFetcher, Strategy, StrategyFetcher,
/// };
///
/// /// Asks until it has an answer, or is told to stop.
/// #[derive(Clone, Default)]
/// struct Patient {
///     is_cancelled: Arc<AtomicBool>,
/// }
///
/// impl StrategyFetcher for Patient {
///     fn fetch(&mut self, _service: &str) -> Result<Strategy, FetchError> {
///         while !self.is_cancelled.load(Relaxed) { /* ask with a timeout */ }
///         Err(FetchError::failed("cancelled"))
///     }
///
///     fn canceller(&self) -> Option<CancelFetch> {
///         let is_cancelled = self.is_cancelled.clone();
///         Some(Box::new(move || is_cancelled.store(true, Relaxed)))
///     }
///
///     fn after_fork(&self) -> Option<MakeFetcher> {
///         Some(Box::new(|| Box::new(Self::default())))
///     }
/// }
///
/// let mut fetcher = Patient::default();
/// fetcher.canceller().expect("it has one")();
/// let error = fetcher.fetch("shop").expect_err("cancelled");
/// assert_eq!(error.to_string(), "cancelled");
/// ```
pub type CancelFetch = Box<dyn Fn() + Send + Sync>;

/// Makes the fetcher of a forked child process: see [`StrategyFetcher::after_fork`].
///
/// The example of [`CancelFetch`] returns one.
pub type MakeFetcher = Box<dyn Fn() -> Box<dyn StrategyFetcher> + Send + Sync>;

impl StrategyFetcher for Box<dyn StrategyFetcher> {
    fn attach(&mut self, services: &Services) {
        (**self).attach(services);
    }

    fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError> {
        (**self).fetch(service)
    }

    fn description(&self) -> String {
        (**self).description()
    }

    fn canceller(&self) -> Option<CancelFetch> {
        (**self).canceller()
    }

    fn after_fork(&self) -> Option<MakeFetcher> {
        (**self).after_fork()
    }
}

/// The reason why a [`StrategyFetcher`] brought no strategy.
///
/// ```
/// use tracehound::sampler::remote::{FetchError, Strategy};
///
/// let refused = FetchError::failed("connection refused");
/// assert!(matches!(refused, FetchError::Failed(_)));
/// let malformed = Strategy::from_json(b"<html>").map_err(FetchError::from);
/// assert!(matches!(malformed, Err(FetchError::Invalid(_))));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// The source did not answer, or with an error. Counted as
    /// [`SamplerQueriesErr`](crate::metrics::Counter::SamplerQueriesErr).
    Failed(Box<dyn Error + Send + Sync>),
    /// The answer is not a strategy. Counted as [`SamplerUpdatesErr`](crate::metrics::Counter::SamplerUpdatesErr).
    Invalid(StrategyError),
}

impl FetchError {
    /// Returns the error of a source that did not answer, or with an error. Its text goes into a diagnostic line.
    pub fn failed(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(cause.into())
    }
}

impl From<StrategyError> for FetchError {
    fn from(error: StrategyError) -> Self {
        Self::Invalid(error)
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) => cause.fmt(f),
            Self::Invalid(error) => error.fmt(f),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The text of the cause is the text of this error.
        match self {
            Self::Failed(cause) => cause.source(),
            Self::Invalid(error) => error.source(),
        }
    }
}
