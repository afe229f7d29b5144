use std::fmt;

/// A probability from 0 to 1.
///
/// ```
/// use tracehound::sampler::SamplingRate;
///
/// assert_eq!(SamplingRate::new(0.25)?.get(), 0.25);
/// assert!(SamplingRate::new(1.5).is_err());
/// assert!(SamplingRate::new(f64::NAN).is_err());
/// # Ok::<(), tracehound::sampler::SamplingRateError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SamplingRate(f64);

impl SamplingRate {
    /// The rate that keeps nothing.
    pub const ZERO: Self = Self(0.0);
    /// The rate that keeps everything.
    pub const ONE: Self = Self(1.0);
    /// The rate that Jaeger clients start with: one trace in a thousand.
    ///
    /// ```
    /// use tracehound::sampler::SamplingRate;
    ///
    /// assert_eq!(SamplingRate::ZERO.get(), 0.0);
    /// assert_eq!(SamplingRate::ONE.get(), 1.0);
    /// assert_eq!(SamplingRate::DEFAULT.get(), 0.001);
    /// ```
    pub const DEFAULT: Self = Self(0.001);

    /// Checks a number.
    ///
    /// # Errors
    ///
    /// Fails if `rate` is below 0, above 1 or not a number.
    pub fn new(rate: f64) -> Result<Self, SamplingRateError> {
        if (0.0..=1.0).contains(&rate) {
            // Turns -0 into 0, which looks better in a tag.
            Ok(Self(rate + 0.0))
        } else {
            Err(SamplingRateError(rate))
        }
    }

    /// Returns the rate as a number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The error of [`SamplingRate::new`]: the number is not a probability.
///
/// ```
/// use tracehound::sampler::SamplingRate;
///
/// let error = SamplingRate::new(1.5).expect_err("above 1");
/// assert_eq!(error.to_string(), "expected a probability from 0 to 1, found 1.5");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplingRateError(f64);

impl fmt::Display for SamplingRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected a probability from 0 to 1, found {}", self.0)
    }
}

impl std::error::Error for SamplingRateError {}

/// How many traces a second to keep: 0 or more, fractions allowed.
///
/// ```
/// use tracehound::sampler::TracesPerSecond;
///
/// assert_eq!(TracesPerSecond::new(0.1)?.get(), 0.1);
/// assert_eq!(TracesPerSecond::from(5).get(), 5.0);
/// assert!(TracesPerSecond::new(-1.0).is_err());
/// assert!(TracesPerSecond::new(f64::INFINITY).is_err());
/// # Ok::<(), tracehound::sampler::TracesPerSecondError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct TracesPerSecond(f64);

impl TracesPerSecond {
    /// Checks a number.
    ///
    /// # Errors
    ///
    /// Fails if `traces` is negative, infinite or not a number.
    pub fn new(traces: f64) -> Result<Self, TracesPerSecondError> {
        if traces.is_finite() && traces >= 0.0 {
            Ok(Self(traces + 0.0))
        } else {
            Err(TracesPerSecondError(traces))
        }
    }

    /// Returns the rate as a number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl From<u32> for TracesPerSecond {
    fn from(traces: u32) -> Self {
        Self(traces.into())
    }
}

/// The error of [`TracesPerSecond::new`]: the number is not a rate of traces.
///
/// ```
/// use tracehound::sampler::TracesPerSecond;
///
/// let error = TracesPerSecond::new(-1.0).expect_err("negative");
/// assert_eq!(error.to_string(), "expected a number of traces a second, 0 or more, found -1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TracesPerSecondError(f64);

impl fmt::Display for TracesPerSecondError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected a number of traces a second, 0 or more, found {}",
            self.0
        )
    }
}

impl std::error::Error for TracesPerSecondError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_zero_is_zero() {
        assert!(SamplingRate::new(-0.0).is_ok_and(|rate| rate.get().is_sign_positive()));
        assert!(TracesPerSecond::new(-0.0).is_ok_and(|rate| rate.get().is_sign_positive()));
    }
}
