//! The remote sampler: what it follows, what lives on, and what it says.

mod files;
mod http;
mod lives_on;
mod polls;
mod vectors;

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::remote::{
    CancelFetch, FetchError, RemoteSampler, RemoteSamplerState, Strategy, StrategyFetcher,
};

use crate::support::{kept_lines, until};

/// A fetcher that waits for the test to say what it brings.
struct Told {
    orders: mpsc::Receiver<Order>,
    /// Told of each fetch as it begins.
    begins: mpsc::Sender<()>,
    /// Dropped with the fetcher.
    _alive: Arc<()>,
    cancel: mpsc::Sender<Order>,
}

/// A reply, or the reason for none.
type Order = Result<Vec<u8>, &'static str>;

impl StrategyFetcher for Told {
    fn fetch(&mut self, service: &str) -> Result<Strategy, FetchError> {
        assert_eq!(service, "shop");
        let _ = self.begins.send(());
        match self.orders.recv() {
            Ok(Ok(json)) => Ok(Strategy::from_json(&json)?),
            Ok(Err("panic")) => panic!("a fetcher"),
            Ok(Err(reason)) => Err(FetchError::failed(reason)),
            Err(_) => Err(FetchError::failed("the test is over")),
        }
    }

    fn description(&self) -> String {
        "the test".to_owned()
    }

    fn canceller(&self) -> Option<CancelFetch> {
        let cancel = self.cancel.clone();
        Some(Box::new(move || {
            let _ = cancel.send(Err("cancelled"));
        }))
    }
}

/// A tracer whose strategies come from the test, one by one.
struct Scene {
    tracer: JaegerTracer,
    clock: ManualClock,
    state: RemoteSamplerState,
    orders: mpsc::Sender<Order>,
    begun: mpsc::Receiver<()>,
    fetcher: Arc<()>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    fn new() -> Self {
        Self::with(|sampler| sampler)
    }

    fn with(adapt: impl FnOnce(RemoteSampler) -> RemoteSampler) -> Self {
        let (orders, told) = mpsc::channel();
        let (begins, begun) = mpsc::channel();
        let fetcher = Arc::new(());
        let told = Told {
            orders: told,
            begins,
            _alive: fetcher.clone(),
            cancel: orders.clone(),
        };
        let sampler = RemoteSampler::new(told).refresh_interval(Duration::from_millis(1));
        let sampler = adapt(sampler);
        let (state, clock) = (sampler.state(), ManualClock::at_micros(1_000_000));
        let (diagnostics, lines) = kept_lines();
        let tracer = JaegerTracer::builder("shop")
            .sampler(sampler)
            .clock(clock.clone())
            .diagnostics(diagnostics)
            .reporter(NullReporter::new())
            .build()
            .unwrap();
        begun
            .recv_timeout(LONG)
            .expect("the first fetch begins at once");
        Self {
            tracer,
            clock,
            state,
            orders,
            begun,
            fetcher,
            lines,
        }
    }

    /// Has the fetch that waits bring this, and waits until the next one begins.
    fn fetch(&self, outcome: Result<&str, &'static str>) {
        let outcome = outcome.map(|json| json.as_bytes().to_vec());
        self.orders.send(outcome).unwrap();
        self.begun
            .recv_timeout(LONG)
            .expect("the next fetch begins");
    }

    /// Returns the counts of queries and updates, good and bad.
    fn counts(&self) -> [u64; 4] {
        [
            Counter::SamplerQueriesOk,
            Counter::SamplerQueriesErr,
            Counter::SamplerUpdatesOk,
            Counter::SamplerUpdatesErr,
        ]
        .map(|counter| self.tracer.metrics().get(counter))
    }

    /// Returns how many of a number of new traces are kept.
    fn kept(&self, traces: usize) -> usize {
        self.kept_of("checkout", traces)
    }

    fn kept_of(&self, operation: &'static str, traces: usize) -> usize {
        let is_kept = |_: &usize| self.tracer.start_span(operation).context().is_sampled();
        (0..traces).filter(is_kept).count()
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

fn probabilistic(rate: f64) -> String {
    format!(r#"{{"probabilisticSampling":{{"samplingRate":{rate}}}}}"#)
}

fn limiting(rate: f64) -> String {
    format!(r#"{{"rateLimitingSampling":{{"maxTracesPerSecond":{rate}}}}}"#)
}

fn by_operation(bound: f64, operations: &[(&str, f64)]) -> String {
    let operation = |(name, rate): &(&str, f64)| {
        format!(r#"{{"operation":{name:?},"probabilisticSampling":{{"samplingRate":{rate}}}}}"#)
    };
    let operations: Vec<_> = operations.iter().map(operation).collect();
    format!(
        r#"{{"operationSampling":{{"defaultSamplingProbability":0,
            "defaultLowerBoundTracesPerSecond":{bound},
            "perOperationStrategies":[{}]}}}}"#,
        operations.join(",")
    )
}

const LONG: Duration = Duration::from_secs(30);
