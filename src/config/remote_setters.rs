//! The setters of the remote sampler.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::Config;
use crate::config::sampler::SamplerChoice;
use crate::config::setting::Setting;
use crate::sampler::SamplingRate;

impl Config {
    /// Sets the remote sampler, which keeps traces with the probability `initial` until the first strategies come.
    ///
    /// It is the default, with an initial probability of 0.001. Environment: `JAEGER_SAMPLER_TYPE=remote`, with
    /// `JAEGER_SAMPLER_PARAM` for the initial probability.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::sampler::SamplingRate;
    ///
    /// let config = Config::new("shop")
    ///     .remote_sampler(SamplingRate::ONE)
    ///     .sampling_endpoint("http://jaeger:5778/sampling");
    /// let explanation = config.explain();
    /// assert_eq!(explanation.get("sampler").expect("always there").value(), "remote 1");
    /// ```
    pub fn remote_sampler(mut self, initial: SamplingRate) -> Self {
        self.sampler = Setting::of_code(SamplerChoice::Remote(initial));
        self
    }

    /// Sets the URL where the remote sampler asks for strategies. The other setters for it and this one matter only if
    /// the remote sampler is used.
    ///
    /// | scheme | asks |
    /// |---|---|
    /// | `http`, `https` | an agent or backend over HTTP; `service=…` is added to the query |
    /// | `grpc`, `grpcs` | `jaeger.api_v2.SamplingManager` at this host and port; needs the feature `grpc` |
    ///
    /// `https` and `grpcs` are encrypted and need the feature `tls`.
    ///
    /// Defaults to `http://127.0.0.1:5778/sampling`, or to the agent's host if that is set. A URL that cannot be read
    /// is an error of [`build`](Self::build). Environment: `JAEGER_SAMPLING_ENDPOINT`.
    pub fn sampling_endpoint(mut self, url: impl Into<String>) -> Self {
        self.remote.endpoint = Setting::of_code(Some(url.into()));
        self
    }

    /// Sets how often the remote sampler asks for strategies; above zero.
    ///
    /// Defaults to one minute. Environment: `JAEGER_SAMPLER_REFRESH_INTERVAL`.
    pub fn sampler_refresh_interval(mut self, interval: Duration) -> Self {
        self.remote.refresh_interval = Setting::of_code(interval);
        self
    }

    /// Sets how many operations of a service have a sampler of their own; all others share one.
    ///
    /// Defaults to 2,000. Environment: `JAEGER_SAMPLER_MAX_OPERATIONS`.
    pub fn sampler_max_operations(mut self, operations: usize) -> Self {
        self.remote.max_operations = Setting::of_code(operations);
        self
    }

    /// Sets a file in which the remote sampler keeps the last strategies, so that they count from the start when the
    /// program starts again.
    ///
    /// Defaults to none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::Config;
    ///
    /// let config = Config::new("shop")
    ///     .sampler_refresh_interval(Duration::from_secs(10))
    ///     .sampler_max_operations(500)
    ///     .strategy_file("/var/lib/shop/strategy.json");
    /// let explanation = config.explain();
    /// assert_eq!(explanation.get("sampler_max_operations").map(|it| it.value()), Some("500"));
    /// ```
    pub fn strategy_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.remote.strategy_file = Setting::of_code(Some(path.into()));
        self
    }
}
