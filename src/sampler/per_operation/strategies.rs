use crate::sampler::{SamplingRate, TracesPerSecond};

/// The probabilities and the lower bound of a service's operations, as Jaeger's adaptive sampling computes them.
///
/// An operation that is not listed has the default probability. All operations have the one lower bound, each for
/// itself. So an operation of probability 0 still keeps as many traces a second as the lower bound says, and keeps
/// none only if that is 0 too.
///
/// ```
/// use tracehound::sampler::{OperationStrategies, SamplingRate, TracesPerSecond};
///
/// let strategies = OperationStrategies::new(SamplingRate::new(0.001)?, TracesPerSecond::new(0.1)?)
///     .operation("GET /health", SamplingRate::ZERO)
///     .operation("POST /order", SamplingRate::new(0.5)?);
/// assert_eq!(strategies.operations().count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct OperationStrategies {
    default_rate: SamplingRate,
    lower_bound: TracesPerSecond,
    operations: Vec<(String, SamplingRate)>,
}

impl OperationStrategies {
    /// Makes strategies without a list: every operation has the default probability.
    pub fn new(default_rate: SamplingRate, default_lower_bound: TracesPerSecond) -> Self {
        Self {
            default_rate,
            lower_bound: default_lower_bound,
            operations: Vec::new(),
        }
    }

    /// Adds an operation and its probability. Names are compared exactly. If one is added twice, the last probability
    /// counts.
    #[must_use]
    pub fn operation(mut self, name: impl Into<String>, rate: SamplingRate) -> Self {
        self.operations.push((name.into(), rate));
        self
    }

    /// Returns the probability of operations that are not listed.
    pub const fn default_rate(&self) -> SamplingRate {
        self.default_rate
    }

    /// Returns how many traces a second every operation keeps, whether listed or not, even if its probability gives
    /// less.
    pub const fn default_lower_bound(&self) -> TracesPerSecond {
        self.lower_bound
    }

    /// Returns the list, as it was added.
    ///
    /// ```
    /// use tracehound::sampler::{OperationStrategies, SamplingRate, TracesPerSecond};
    ///
    /// let strategies = OperationStrategies::new(SamplingRate::DEFAULT, TracesPerSecond::from(1))
    ///     .operation("GET /health", SamplingRate::ZERO);
    /// assert_eq!(strategies.default_rate().get(), 0.001);
    /// assert_eq!(strategies.default_lower_bound().get(), 1.0);
    /// assert_eq!(strategies.operations().next(), Some(("GET /health", SamplingRate::ZERO)));
    /// ```
    pub fn operations(&self) -> impl Iterator<Item = (&str, SamplingRate)> {
        self.operations
            .iter()
            .map(|(name, rate)| (name.as_str(), *rate))
    }
}
