//! The remote sampler under servers that answer wrongly, slowly, without end or not at all.

mod clocks;
#[cfg(feature = "grpc")]
mod grpc;
mod replies;
mod servers;
#[cfg(feature = "tls")]
mod tls;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::remote::{HttpStrategyFetcher, RemoteSampler};
use tracehound::sampler::{ProbabilisticSampler, SamplingRate};

use crate::support::kept_lines;
use crate::support::strategy_server::{Answer, StrategyServer};

/// Returns a tracer of this sampler that writes nothing and sends nothing.
fn quiet_tracer(sampler: RemoteSampler) -> JaegerTracer {
    JaegerTracer::builder("test")
        .sampler(sampler)
        .reporter(NullReporter::new())
        .diagnostics(Diagnostics::silent())
        .build()
        .expect("named")
}

/// Polls until `is_so`.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        thread::yield_now();
    }
}

/// A tracer whose strategies come from a server.
struct Fleet {
    server: StrategyServer,
    tracer: JaegerTracer,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Fleet {
    /// Starts a server with a strategy that differs from how the tracer begins, and waits until the tracer follows it.
    fn following(strategy: &str) -> Self {
        Self::following_at(StrategyServer::start(Answer::ok(strategy)), |url| url)
    }

    fn following_at(server: StrategyServer, url: impl Fn(String) -> String) -> Self {
        let fetcher = HttpStrategyFetcher::new(&url(server.url())).expect("a URL");
        let fleet = Self::asking(server, fetcher);
        until("the first strategy", || {
            fleet.count(Counter::SamplerUpdatesOk) == 1
        });
        fleet
    }

    /// Asks without waiting for an answer.
    fn asking(server: StrategyServer, fetcher: HttpStrategyFetcher) -> Self {
        let (diagnostics, lines) = kept_lines();
        let sampler = RemoteSampler::new(fetcher)
            .initial(ProbabilisticSampler::new(SamplingRate::ZERO))
            .refresh_interval(Duration::from_millis(5));
        let tracer = JaegerTracer::builder("test")
            .sampler(sampler)
            .reporter(NullReporter::new())
            .diagnostics(diagnostics)
            .build()
            .expect("named");
        Self {
            server,
            tracer,
            lines,
        }
    }

    fn count(&self, counter: Counter) -> u64 {
        self.tracer.metrics().get(counter)
    }

    /// Returns which of a hundred traces of some operations are kept.
    fn decisions(&self) -> Vec<bool> {
        let names = ["kept", "dropped", "another"];
        let names = names.iter().cycle().take(99);
        names
            .map(|name| self.tracer.start_span(*name).context().is_sampled())
            .collect()
    }

    /// Lets the server answer badly, waits until `counter` has counted it, and checks that nothing else came of it.
    fn withstands(&self, what: &str, answer: Answer, counter: Counter) {
        let decisions = self.decisions();
        let updates = self.count(Counter::SamplerUpdatesOk);
        let failures = self.count(counter);
        let lines = self.lines.lock().unwrap().len();
        self.server.answer(answer);
        until(what, || self.count(counter) > failures);
        assert_eq!(self.decisions(), decisions, "{what}");
        assert_eq!(self.count(Counter::SamplerUpdatesOk), updates, "{what}");
        let lines = &self.lines.lock().unwrap()[lines..];
        assert!(lines.len() <= 1, "{what}: {lines:?}");
        for line in lines {
            assert!(
                line.len() < 600 && !line.contains(char::is_control),
                "{what}: {line}"
            );
        }
    }
}

/// A strategy under which `kept` is always kept and `dropped` never.
const BY_OPERATION: &str = r#"{"operationSampling":{"defaultSamplingProbability":1,"perOperationStrategies":[
    {"operation":"kept","probabilisticSampling":{"samplingRate":1}},
    {"operation":"dropped","probabilisticSampling":{"samplingRate":0}}]}}"#;
