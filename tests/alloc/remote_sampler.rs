//! Decisions of a remote sampler.

use std::sync::mpsc;
use std::thread;

use tracehound::diagnostics::Diagnostics;
use tracehound::model::{Process, TraceId};
use tracehound::sampler::remote::{FetchError, RemoteSampler, Strategy, StrategyFetcher};
use tracehound::sampler::{Sampler, SamplingDecision, SpanView};
use tracehound::services::Services;

use super::allocations;

#[test]
fn a_decision_of_a_remote_sampler_allocates_nothing() {
    struct Told(mpsc::Receiver<&'static str>);
    impl StrategyFetcher for Told {
        fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
            let json = self.0.recv().map_err(FetchError::failed)?;
            Ok(Strategy::from_json(json.as_bytes())?)
        }
    }
    let id = TraceId::new(0, 1).expect("not zero");
    let root = SpanView::new(id, "checkout", true);
    for json in [
        r#"{"probabilisticSampling":{"samplingRate":0.5}}"#,
        r#"{"rateLimitingSampling":{"maxTracesPerSecond":5}}"#,
        r#"{"operationSampling":{"defaultLowerBoundTracesPerSecond":5}}"#,
    ] {
        let (say, told) = mpsc::channel();
        let mut sampler = RemoteSampler::new(Told(told));
        let services = Services::detached(Process::new("shop", vec![]));
        sampler.attach(&services.with_diagnostics(Diagnostics::silent()));
        let state = sampler.state();
        say.send(json).expect("it is asked");
        while state.strategy().is_none() {
            thread::yield_now();
        }
        let made = allocations(10_000, || {
            let decision = sampler.on_create_span(&root);
            assert!(!matches!(decision, SamplingDecision::Delay));
            assert_eq!(
                sampler.depends_on_operation_name(),
                json.contains("operation")
            );
        });
        assert_eq!(made, 0, "{json}");
    }
}
