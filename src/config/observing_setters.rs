//! Settings of metrics and observers.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::error::ConfigProblem;
use crate::config::setting::Setting;
use crate::metrics::MetricsFactory;
use crate::observer::SpanObserver;

impl Config {
    /// Sets the factory of a metrics library, to which the tracer's own metrics go, and the metrics of remote procedure
    /// calls if they are [on](Self::rpc_metrics).
    ///
    /// Defaults to none: [`JaegerTracer::metrics`](crate::JaegerTracer::metrics) tells the tracer's own all the same.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::metrics::InMemoryMetrics;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let metrics = InMemoryMetrics::new();
    /// let config = Config::new("shop").metrics_factory(metrics.clone());
    /// let config = config.sampler(ConstSampler::new(true));
    /// let tracer = config.reporter(NullReporter::new()).build()?;
    /// # drop(tracer);
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn metrics_factory(mut self, factory: impl MetricsFactory + 'static) -> Self {
        self.observing.factory = Some(Arc::new(factory));
        self
    }

    /// Adds an observer, which is told of the start and the end of every span, sampled or not.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::observer::RedMetrics;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let red = RedMetrics::new();
    /// let config = Config::new("shop").observer(red.clone());
    /// let config = config.sampler(ConstSampler::new(true));
    /// let tracer = config.reporter(NullReporter::new()).build()?;
    /// # drop(tracer);
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn observer(mut self, observer: impl SpanObserver + 'static) -> Self {
        self.observing.observers.push(Box::new(observer));
        self
    }

    /// Sets whether the calls that the service answers are counted and timed in the metrics library of the
    /// [factory](Self::metrics_factory), under the names of Jaeger's Go client: see
    /// [`RpcMetrics`](crate::observer::RpcMetrics). Without a factory it has no effect, which a line says.
    ///
    /// Defaults to false. Environment: `JAEGER_RPC_METRICS`.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::metrics::InMemoryMetrics;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let metrics = InMemoryMetrics::new();
    /// let tracer = Config::new("shop")
    ///     .metrics_factory(metrics.clone())
    ///     .rpc_metrics(true)
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(NullReporter::new())
    ///     .build()?;
    /// tracer.build_span("pay").tag("span.kind", "server").start().finish();
    /// let labels = [("component", "jaeger"), ("endpoint", "pay"), ("error", "false")];
    /// assert_eq!(metrics.counter_value("jaeger_rpc_requests", &labels), 1);
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn rpc_metrics(mut self, rpc_metrics: bool) -> Self {
        self.rpc_metrics = Setting::of_code(rpc_metrics);
        self
    }

    /// Sets how long a span may be open before a line says so: see
    /// [`OpenSpans::limit`](crate::watch::OpenSpans::limit). For the list itself add an observer of your own.
    ///
    /// Defaults to no limit. Environment: `TRACEHOUND_OPEN_SPAN_LIMIT`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::Config;
    ///
    /// let config = Config::new("shop").open_span_limit(Duration::from_secs(30));
    /// let explanation = config.explain();
    /// assert_eq!(explanation.get("open_span_limit").map(|it| it.value()), Some("30s"));
    /// ```
    pub fn open_span_limit(mut self, limit: Duration) -> Self {
        self.open_span_limit = Setting::of_code(Some(limit));
        self
    }

    /// Returns a warning if metrics of remote procedure calls are asked for and have no place to go.
    pub(super) fn rpc_metrics_without_effect(&self) -> Option<ConfigProblem> {
        let has_no_place = self.rpc_metrics.value && self.observing.factory.is_none();
        let because = "the code gives no factory for metrics, by `Config::metrics_factory`";
        has_no_place
            .then(|| ConfigProblem::no_effect(self.rpc_metrics.name("rpc_metrics"), because))
    }
}
