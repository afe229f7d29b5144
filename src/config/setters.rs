//! The setters of the tracer. Those of the agent, the remote sampler, the policies and the observers have files of
//! their own.

use std::borrow::Cow;
use std::time::Duration;

use crate::config::Config;
use crate::config::choices::ReporterChoice;
use crate::config::error::ConfigProblem;
use crate::config::sampler::SamplerChoice;
use crate::config::setting::{Setting, Source};
use crate::diagnostics::Diagnostics;
use crate::model::{Recording, Tag, TagNames, TagValue};
use crate::propagation::{HeaderNames, Propagation};
use crate::reporter::Reporter;
use crate::reporter::sender::Sender;
use crate::sampler::Sampler;
use crate::span::Limits;
use crate::tracer::TracerBuilder;

impl Config {
    /// Sets the name of the service, under which Jaeger shows its spans. Required unless tracing is disabled.
    ///
    /// Replaces the name that a variable gives. If that is another one, a line at the start and
    /// [`explain`](Self::explain) say so: the variable has no effect.
    ///
    /// ```
    /// use tracehound::Config;
    ///
    /// let lookup = |name: &str| (name == "JAEGER_SERVICE_NAME").then(|| "cart".to_owned());
    /// let explanation = Config::from_lookup(lookup)?.service_name("shop").explain();
    /// assert_eq!(explanation.get("service_name").expect("set").value(), "\"shop\"");
    /// assert_eq!(explanation.passed_over()[0].name(), "JAEGER_SERVICE_NAME");
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    ///
    /// Environment: `JAEGER_SERVICE_NAME`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if self.service_name.value.trim() != name.trim() {
            self.warn_of_replaced(self.service_name.source, "the code names the service");
        }
        self.service_name = Setting::of_code(name);
        self
    }

    /// Sets whether tracing is off. The tracer then does nothing, and no other setting matters.
    ///
    /// Defaults to false. Environment: `JAEGER_DISABLED`.
    pub fn disabled(mut self, disabled: bool) -> Self {
        self.disabled = Setting::of_code(disabled);
        self
    }

    /// Sets whether the embedded agent of the feature `dev` takes the place of the agent and of the sampler.
    ///
    /// It keeps every trace, or those that the strategy file of the variable `TRACEHOUND_DEV_STRATEGIES_FILE` says, and
    /// draws it in the terminal, as with `tracehound::dev`. In production the program runs
    /// without it. If the code sets a reporter, this setting has no effect.
    ///
    /// ```
    /// use tracehound::Config;
    ///
    /// let lookup = |name: &str| (name == "TRACEHOUND_DEV").then(|| "1".to_owned());
    /// # #[cfg(feature = "dev")]
    /// # {
    /// let explanation = Config::from_lookup(lookup)?.explain();
    /// let reporter = explanation.get("reporter").expect("the embedded agent is one");
    /// assert_eq!(reporter.value(), "embedded agent");
    /// assert_eq!(reporter.source().to_string(), "TRACEHOUND_DEV");
    /// # }
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    ///
    /// It replaces the sampler and the agent that the code sets; a reporter that the code sets replaces it.
    ///
    /// Defaults to false. If it is true in a program without the feature, that is an error. Environment:
    /// `TRACEHOUND_DEV`.
    pub fn dev(mut self, dev: bool) -> Self {
        self.dev = Setting::of_code(dev);
        self
    }

    /// Sets the sampler, which decides which traces to keep.
    ///
    /// Defaults to the remote sampler, which begins with a probability of 0.001. Without the feature `remote-sampler`,
    /// defaults to a [`ProbabilisticSampler`](crate::sampler::ProbabilisticSampler) of 0.001. Environment:
    /// `JAEGER_SAMPLER_TYPE`, `JAEGER_SAMPLER_PARAM`.
    ///
    /// Replaces the sampler that a variable asks for. A line at the start and [`explain`](Self::explain) say that the
    /// variable has no effect.
    pub fn sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.warn_of_replaced(self.sampler.source, "the code sets the sampler");
        self.sampler = Setting::of_code(SamplerChoice::new(sampler));
        self
    }

    /// Puts a sampler of the code around the one of the settings, such as a
    /// [`KeepSampler`](crate::sampler::KeepSampler) around the remote sampler. [`explain`](Self::explain) and the line
    /// at the start name the inner one. Wrappers add up: the last one is asked first. Defaults to none.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::prelude::*;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::KeepSampler;
    ///
    /// let variables = |name: &str| match name {
    ///     "JAEGER_SAMPLER_TYPE" => Some("const".to_owned()),
    ///     "JAEGER_SAMPLER_PARAM" => Some("0".to_owned()),
    ///     _ => None,
    /// };
    /// let spans = InMemoryReporter::new();
    /// let tracer = Config::from_lookup(variables)?
    ///     .service_name("bank")
    ///     .wrap_sampler(KeepSampler::new) // keeps traces that fail
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// tracer.start_span("charge").finish();
    /// tracer.start_span("refund").set_tag("error", true);
    /// assert_eq!(spans.spans()[0].operation_name, "refund");
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn wrap_sampler<S: Sampler + 'static>(
        mut self,
        wrap: impl FnOnce(Box<dyn Sampler>) -> S + Send + Sync + 'static,
    ) -> Self {
        self.wrap_sampler
            .push(Box::new(|sampler| Box::new(wrap(sampler))));
        self
    }

    /// Sets a reporter, which takes the spans in place of an agent. The settings of the agent then have no effect.
    ///
    /// By default spans go to the agent, or [where variables say](crate::config#where-do-spans-go). Without the feature
    /// `udp` there is no agent, and one of them is required. A line at the start and [`explain`](Self::explain) say if
    /// a variable that names a way has no effect.
    pub fn reporter(mut self, reporter: impl Reporter + 'static) -> Self {
        self.reporter = Some(ReporterChoice::new(reporter));
        self
    }

    /// Sets a sender, which takes batches of spans in place of an agent: the one of a collector, or one of your own.
    ///
    /// ```
    /// use tracehound::Config;
    /// # #[cfg(feature = "otlp")]
    /// use tracehound::reporter::sender::OtlpSender;
    ///
    /// # #[cfg(feature = "otlp")]
    /// # {
    /// let sender = OtlpSender::new("http://localhost:4318")?.gzip(true);
    /// let config = Config::new("shop").sender(sender);
    /// let explanation = config.explain();
    /// assert_eq!(explanation.get("sender").expect("set").value(), "OtlpSender");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Stands for [`reporter`](Self::reporter) with a [`RemoteReporter`](crate::reporter::RemoteReporter); the later of
    /// the two calls counts. Environment: [where spans go](crate::config#where-do-spans-go). A line at the start and
    /// [`explain`](Self::explain) say if a variable that names a way has no effect.
    pub fn sender(mut self, sender: impl Sender + 'static) -> Self {
        self.reporter = Some(ReporterChoice::of_sender(sender));
        self
    }

    /// Sets whether a line is written for each span as well.
    ///
    /// Defaults to false. Environment: `JAEGER_REPORTER_LOG_SPANS`.
    pub fn log_spans(mut self, log_spans: bool) -> Self {
        self.log_spans = Setting::of_code(log_spans);
        self
    }

    /// Sets how many finished spans may wait; at least 1. The bound is in bytes, at 512 bytes a span.
    ///
    /// Defaults to 16,384 (8 MiB), which all tracers without a bound of their own share. Environment:
    /// `JAEGER_REPORTER_MAX_QUEUE_SIZE`.
    pub fn queue_size(mut self, spans: usize) -> Self {
        self.queue_size = Setting::of_code(Some(spans.max(1)));
        self
    }

    /// Sets how many spans may be open at once and record; at least 1. See [`TracerBuilder::max_open_spans`].
    ///
    /// Defaults to 1,000,000. Environment: `TRACEHOUND_MAX_OPEN_SPANS`.
    ///
    /// ```
    /// use tracehound::Config;
    ///
    /// let config = Config::new("shop").max_open_spans(50_000);
    /// assert_eq!(config.explain().get("max_open_spans").map(|it| it.value()), Some("50000"));
    /// ```
    pub fn max_open_spans(mut self, spans: usize) -> Self {
        self.max_open_spans = Setting::of_code(spans.max(1));
        self
    }

    /// Sets the formats in which contexts travel: all are written, and the first one that holds a trace is read. An
    /// empty list turns propagation off.
    ///
    /// Defaults to [`Propagation::DEFAULT`]. Environment: `JAEGER_PROPAGATION`. A line at the start and
    /// [`explain`](Self::explain) say if the variable has other formats, and so no effect.
    pub fn propagation(mut self, formats: impl IntoIterator<Item = Propagation>) -> Self {
        let formats = formats.into_iter().collect();
        if self.propagation.value != formats {
            self.warn_of_replaced(self.propagation.source, "the code sets the formats");
        }
        self.propagation = Setting::of_code(formats);
        self
    }

    /// Sets the names of Jaeger's headers, where contexts travel in them.
    ///
    /// Defaults to [`HeaderNames::default`]. No variable sets it.
    pub fn header_names(mut self, names: HeaderNames) -> Self {
        self.header_names = Some(Setting::of_code(names));
        self
    }

    /// Sets how long a finished span waits at most before it is sent; above zero.
    ///
    /// Defaults to one second, and to 50 ms with the embedded agent. Environment: `JAEGER_REPORTER_FLUSH_INTERVAL`.
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = Setting::of_code(interval);
        self
    }

    /// Sets whether the ids of new traces have 128 bits instead of 64.
    ///
    /// Defaults to false. Environment: `JAEGER_TRACEID_128BIT`.
    pub fn trace_id_128bit(mut self, trace_id_128bit: bool) -> Self {
        self.trace_id_128bit = Setting::of_code(trace_id_128bit);
        self
    }

    /// Adds a tag of the process, which every span has. It replaces one with an equal key. Only the tracer
    /// sets `jaeger.version`: another value is ignored with a warning.
    ///
    /// Environment: `JAEGER_TAGS`.
    pub fn tag(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<TagValue>) -> Self {
        if let Err(warning) = self.tags.set(Setting::of_code(Tag::new(key, value))) {
            self.warnings.push(warning);
        }
        self
    }

    /// Sets how much a span may hold, in place of the values of variables.
    ///
    /// Environment: `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT` for
    /// [`tag_value_bytes`](Limits::tag_value_bytes), `OTEL_SPAN_EVENT_COUNT_LIMIT` for [`logs`](Limits::logs).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::Config;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::propagation::{HeaderNames, Propagation};
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::sampler::ConstSampler;
    /// use tracehound::span::Limits;
    ///
    /// let tracer = Config::new("nameless")
    ///     .service_name("shop")
    ///     .disabled(false)
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(NullReporter::new())
    ///     .queue_size(65_536)
    ///     .flush_interval(Duration::from_millis(200))
    ///     .propagation([Propagation::Jaeger])
    ///     .header_names(HeaderNames::default().trace_id("x-shop-trace")?)
    ///     .trace_id_128bit(true)
    ///     .limits(Limits::default().tag_value_bytes(4_096))
    ///     .diagnostics(Diagnostics::silent())
    ///     .build()?;
    /// assert!(tracer.propagated_headers().contains("x-shop-trace"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.tag_value_bytes = Setting::of_code(limits.tag_value_bytes);
        self.logs = Setting::of_code(limits.logs);
        self.limits = limits;
        self
    }

    /// Sets how much of the program's data its spans show. [`Recording::everything`] is for test environments, and a
    /// line says so at the start.
    ///
    /// Defaults to [`Recording::metadata`], which shows none. Environment: `TRACEHOUND_RECORD`, with the words
    /// `metadata`, `statements` and `everything`.
    ///
    /// ```
    /// use tracehound::Config;
    ///
    /// let lookup = |name: &str| (name == "TRACEHOUND_RECORD").then(|| "statements".to_owned());
    /// let explanation = Config::from_lookup(lookup)?.explain();
    /// assert_eq!(explanation.get("recording").expect("always there").value(), "statements");
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn recording(mut self, recording: Recording) -> Self {
        self.recording = Setting::of_code(recording);
        self
    }

    /// Sets the vocabulary in which the [middleware](crate::middleware#which-names-do-tags-have) names tags.
    ///
    /// Defaults to [`TagNames::OpenTracing`]. Environment: `TRACEHOUND_TAG_NAMES`, with the words `opentracing`,
    /// `opentelemetry` and `both`; if it is not set, `OTEL_SEMCONV_STABILITY_OPT_IN` with `http,database` or
    /// `http/dup,database/dup`.
    ///
    /// ```
    /// use tracehound::Config;
    ///
    /// let lookup = |name: &str| (name == "TRACEHOUND_TAG_NAMES").then(|| "both".to_owned());
    /// let explanation = Config::from_lookup(lookup)?.explain();
    /// assert_eq!(explanation.get("tag_names").expect("always there").value(), "both");
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn tag_names(mut self, names: TagNames) -> Self {
        self.tag_names = Setting::of_code(names);
        self
    }

    /// Sets where the tracer's own lines go, the line at its start included.
    ///
    /// Defaults to standard error.
    pub fn diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = diagnostics;
        self
    }

    /// Changes the builder after all settings, for parts that have no setting here: codecs, clock, ids.
    /// [`explain`](Self::explain) does not show its changes.
    ///
    /// ```
    /// use tracehound::Config;
    /// use tracehound::clock::ManualClock;
    /// use tracehound::reporter::NullReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let clock = ManualClock::at_micros(1_500_000_000_000_000);
    /// let tracer = Config::new("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(NullReporter::new())
    ///     .customize(|builder| builder.clock(clock))
    ///     .build()?;
    /// # let _ = tracer;
    /// # Ok::<(), tracehound::config::ConfigError>(())
    /// ```
    pub fn customize(
        mut self,
        change: impl FnOnce(TracerBuilder) -> TracerBuilder + Send + Sync + 'static,
    ) -> Self {
        self.customize.push(Box::new(change));
        self
    }

    /// Warns that a variable has no effect, if the value that the code replaces is of one.
    fn warn_of_replaced(&mut self, source: Source, because: &'static str) {
        if let Source::Variable(variable) = source {
            self.warnings
                .push(ConfigProblem::no_effect(variable, because));
        }
    }
}
