//! The assembly of a tracer from a builder's parts.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::model::{Randomness, tags};
use crate::record::{Budget, Recorder, SlotLimit, SpanClock, SpanQueue, fork, reseeds};
use crate::reporter::{Worker, WorkerOptions};
use crate::services::Services;
use crate::tracer::builder::TracerBuilder;
use crate::tracer::core::{Core, Guarded, RootDecision, interests_of, weighs_dropped};
use crate::tracer::jaeger::JaegerTracer;
use crate::tracer::process_tags;

impl TracerBuilder {
    /// Builds the tracer and starts its worker thread.
    ///
    /// # Errors
    ///
    /// [`BuildError::EmptyServiceName`] if the name has nothing but white space.
    pub fn build(mut self) -> Result<JaegerTracer, BuildError> {
        if self.service_name.trim().is_empty() {
            return Err(BuildError::EmptyServiceName);
        }
        let metrics = Metrics::default();
        let budget = self.queue_size.map_or_else(Budget::process, |spans| {
            Budget::new(spans.saturating_mul(SPAN_BYTES))
        });
        fork::watch();
        let queue = Arc::new(SpanQueue::new(budget, metrics.clone()));
        reseeds(&queue);
        let user_tags = mem::take(&mut self.tags);
        let keeps_uuid = user_tags.iter().any(|tag| tag.key == tags::CLIENT_UUID);
        let service_name = mem::take(&mut self.service_name);
        let process = Arc::new(process_tags::process(
            service_name,
            user_tags,
            &self.limits,
            &metrics,
        ));
        let clock = self.clock.take().unwrap_or_else(Clock::system);
        let services = Services::new(
            process.clone(),
            metrics.clone(),
            self.diagnostics.clone(),
            clock.clone(),
        );
        self.attach(&services);
        if self.recording.is_everything() {
            self.diagnostics.say(RECORDS_EVERYTHING);
        }
        let poller = services.poller().clone();
        let worker = Worker::start(
            WorkerOptions {
                queue: queue.clone(),
                services,
                keeps_uuid,
                flush_interval: self.flush_interval,
                factory: self.factory,
            },
            self.reporter,
            self.spawn_worker,
        );
        let sampler = Guarded::new(self.sampler);
        let root_decision = RootDecision::of(&sampler, &metrics, &self.limits);
        if let RootDecision::Keep(sampler_tags) = &root_decision {
            queue.set_sampler_tags(sampler_tags.clone());
        }
        let observers: Vec<_> = self.observers.into_iter().map(Guarded::new).collect();
        let watches_starts = observers.iter().any(|observer| {
            let watches = observer.call_always(&metrics, |observer| observer.watches_starts());
            watches.unwrap_or(false)
        });
        let weighs_dropped = weighs_dropped(&sampler, &metrics);
        let core = Core {
            root_decision,
            weighs_dropped,
            zipkin_shared_rpc_span: self.zipkin_shared_rpc_span,
            inspects_remote_parents: weighs_dropped || self.zipkin_shared_rpc_span,
            recorder: Arc::new(Recorder::new(
                SpanClock::new(clock),
                self.limits,
                queue,
                interests_of(&sampler, &metrics),
                self.recording,
                self.tag_names,
                SlotLimit::new(self.max_open_spans),
            )),
            sampler,
            throttler: self.throttler.map(Guarded::new),
            priority_sets_debug: self.priority_sets_debug,
            restrictions: self.restrictions.map(Guarded::new),
            is_closed: AtomicBool::new(false),
            process,
            diagnostics: self.diagnostics,
            poller,
            // W3C's random flag asks for 56 random bits, which only ids of our own are known to have.
            root_randomness: Randomness::default()
                .with_random_id(self.is_128_bit && self.id_source.is_none()),
            watches_starts,
            is_plain: self.id_source.is_none() && observers.is_empty(),
            id_source: self.id_source,
            observers,
            is_128_bit: self.is_128_bit,
            finalizes_on_inject: self.finalizes_on_inject,
            codecs: self.codecs,
        };
        Ok(JaegerTracer::from_parts(core, worker))
    }

    /// Hands the services to all parts but the reporter, to which the worker hands them.
    fn attach(&mut self, services: &Services) {
        services.attach("the sampler", |services| self.sampler.attach(services));
        if let Some(throttler) = &mut self.throttler {
            services.attach("the throttler", |services| throttler.attach(services));
        }
        if let Some(restrictions) = &mut self.restrictions {
            services.attach("the baggage restrictions", |services| {
                restrictions.attach(services);
            });
        }
        self.codecs.attach(services);
        for observer in &mut self.observers {
            services.attach("an observer", |services| observer.attach(services));
        }
    }
}

/// The line about a tracer that is only for tests.
const RECORDS_EVERYTHING: &str = "ONLY FOR TESTS: spans record everything, with the data of users: \
     statements, parameters, results, arguments of commands, queries, headers, bodies, messages";

/// The size that a waiting span counts as.
const SPAN_BYTES: usize = 512;

/// Why a tracer cannot be built.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::tracer::BuildError;
///
/// let error = JaegerTracer::builder(" ").build().expect_err("a name of blanks");
/// assert_eq!(error, BuildError::EmptyServiceName);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The service has no name.
    EmptyServiceName,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EmptyServiceName => f.write_str("the service name is empty"),
        }
    }
}

impl std::error::Error for BuildError {}
