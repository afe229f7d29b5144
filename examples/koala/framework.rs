//! The parts that each service of the framework has from its first line on: logs, metrics, a rate limit and traces.

use std::sync::Arc;

use log::LevelFilter;
use tracehound::JaegerTracer;
use tracehound::bridge::LogWithTraceIds;
use tracehound::middleware::Database;
use tracehound::observer::{OperationMetrics, RedMetrics};
use tracehound::tracer::{BuildError, TracerBuilder};

use crate::access_log::AccessLog;
use crate::chain::{Service, Side, chain};
use crate::rate_limit::RateLimit;
use crate::trace::Trace;

/// The parts that the chains of one service share.
pub(crate) struct Framework {
    tracer: JaegerTracer,
    metrics: RedMetrics,
}

impl Framework {
    pub(crate) fn new(tracer: TracerBuilder) -> Result<Self, BuildError> {
        let metrics = RedMetrics::new();
        let tracer = tracer.observer(metrics.clone()).build()?;
        Ok(Self { tracer, metrics })
    }

    /// Makes the chain around a service, or behind a caller. All chains are made here.
    ///
    /// The trace comes first, so that the others run within its span.
    pub(crate) fn around(
        &self,
        side: Side,
        a_minute: u32,
        service: impl Service + 'static,
    ) -> Arc<dyn Service> {
        let tracer = self.tracer.clone();
        chain(
            [
                Arc::new(Trace { side, tracer }),
                Arc::new(AccessLog(side)),
                Arc::new(RateLimit::new(side, a_minute)),
            ],
            service,
        )
    }

    /// Names a database that the service calls.
    pub(crate) fn database(&self, system: &'static str) -> Database {
        Database::new(self.tracer.clone(), system).statements(true)
    }

    pub(crate) fn tracer(&self) -> &JaegerTracer {
        &self.tracer
    }

    /// Returns the rate, errors and durations of all operations. They are counted from spans, sampled or not, so no
    /// chain needs a part for them.
    pub(crate) fn metrics(&self) -> Vec<OperationMetrics> {
        self.metrics.snapshot()
    }
}

/// Sets the logger of the program: lines to standard output, with the ids of their trace.
pub(crate) fn log_to_stdout() -> Result<(), log::SetLoggerError> {
    let lines = env_logger::Builder::new()
        .filter_level(LevelFilter::Info)
        .format_timestamp(None)
        .target(env_logger::Target::Stdout)
        .build();
    log::set_max_level(lines.filter());
    log::set_boxed_logger(Box::new(LogWithTraceIds::new(lines)))
}
