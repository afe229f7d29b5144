//! A program in this process, sampled by a backend.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tracehound::{
    Config, JaegerTracer,
    metrics::Counter,
    prelude::*,
    sampler::{
        ConstSampler,
        remote::{RemoteSampler, StrategyFetcher},
    },
};
use tracehound_interop::{Backend, StoredSpan, Tag, Value, pace, poll};

use crate::Result;

/// A service whose sampler asks a backend.
pub(crate) struct Program {
    pub(crate) service: String,
    tracer: JaegerTracer,
    /// The strategies that were in effect when it last looked.
    updates: u64,
}

impl Program {
    /// Starts a program that keeps nothing until the fetcher has an answer.
    pub(crate) fn start(
        jaeger: &Backend,
        service: &str,
        fetcher: Box<dyn StrategyFetcher>,
    ) -> Result<Self> {
        let agent = jaeger.compact_addr();
        let sampler = RemoteSampler::new(fetcher)
            .initial(ConstSampler::new(false))
            .refresh_interval(Duration::from_millis(200));
        // The decisions follow from the ids, so the same ids make the test repeatable. Each service has its own.
        let first = service
            .bytes()
            .fold(0, |hash, byte| hash << 7 ^ u64::from(byte));
        let state = AtomicU64::new(first);
        let next_id = move || {
            let seed = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)) >> 1
        };
        let tracer = Config::new(service)
            .agent_host(agent.ip().to_string())
            .agent_port(agent.port())
            .sampler(sampler)
            .customize(move |builder| builder.id_source(next_id))
            .build()?;
        Ok(Self {
            service: service.to_owned(),
            tracer,
            updates: 0,
        })
    }

    /// Waits until strategies are in effect that were not when it was called last.
    pub(crate) fn wait_updated(&mut self) -> Result {
        let now = || self.tracer.metrics().get(Counter::SamplerUpdatesOk);
        let updates = poll(WITHIN, EVERY, || match now() {
            updates if updates > self.updates => Ok(updates),
            updates => Err(updates),
        });
        let failed = |_| {
            let failures = self.tracer.metrics().get(Counter::SamplerQueriesErr);
            format!("{}: no new strategy; {failures} failures", self.service)
        };
        self.updates = updates.map_err(failed)?;
        Ok(())
    }

    /// Starts and finishes traces as fast as it can. Returns how many were sampled.
    pub(crate) fn make(&self, operation: &'static str, traces: u64) -> u64 {
        (0..traces).map(|_| u64::from(self.one(operation))).sum()
    }

    /// Starts and finishes traces at an even rate. Returns how many were sampled.
    pub(crate) fn make_evenly(&self, operation: &'static str, rate: u64, lasting: Duration) -> u64 {
        let (mut made, mut sampled) = (0, 0);
        pace(lasting, |elapsed| {
            let due = (elapsed.as_secs_f64() * rate as f64) as u64;
            sampled += self.make(operation, due - made);
            made = due;
        });
        sampled
    }

    fn one(&self, operation: &'static str) -> bool {
        let span = self.tracer.start_span(operation);
        span.context().is_sampled()
    }

    /// Waits until the backend has as many spans of the operation as the program has sampled, and returns them.
    ///
    /// Fails if it has more, or a span was lost on its way.
    pub(crate) fn stored(
        &self,
        jaeger: &Backend,
        operation: &str,
        sampled: u64,
    ) -> Result<Vec<StoredSpan>> {
        let flushed = self.tracer.flush(WITHIN);
        if !flushed.is_complete() || flushed.sent != flushed.finished {
            return Err(format!("{}: {flushed}", self.service).into());
        }
        let spans = poll(WITHIN, EVERY, || {
            match jaeger.spans_of(&self.service, operation) {
                Ok(spans) if spans.len() as u64 >= sampled => Ok(Ok(spans)),
                Ok(spans) => Err(spans.len()),
                Err(error) => Ok(Err(error)),
            }
        });
        let too_few = |stored| format!("{}, {operation}: {stored} of {sampled}", self.service);
        let spans = spans.map_err(too_few)??;
        let stored = spans.len() as u64;
        if stored > sampled {
            return Err(format!("{}, {operation}: {stored}, not {sampled}", self.service).into());
        }
        Ok(spans)
    }

    pub(crate) fn close(self) -> Result {
        let ledger = self.tracer.close(WITHIN);
        if ledger.is_complete() {
            Ok(())
        } else {
            Err(format!("{}: {ledger}", self.service).into())
        }
    }
}

/// Returns the tags of a root that tell of its sampler.
pub(crate) fn sampler_of(span: &StoredSpan) -> (Option<&Value>, Option<&Value>) {
    let find = |key: &str| {
        let found: Option<&Tag> = span.tags.iter().find(|tag| tag.key == key);
        found.map(|tag| &tag.value)
    };
    (find("sampler.type"), find("sampler.param"))
}

const WITHIN: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(20);
