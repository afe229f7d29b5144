//! The reasons of losses that a tracer tells.

use std::time::SystemTime;

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::sampler::ConstSampler;

use super::*;

#[test]
fn the_last_reason_of_each_loss_is_known_and_when_it_was() {
    let causes = [DropCause::Refused, DropCause::Refused, DropCause::Rejected];
    let mut causes = causes.into_iter();
    let sender = Scripted::new(move |_| causes.next().map_or_else(SendOutcome::default, lost));
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .diagnostics(Diagnostics::silent())
        .reporter(RemoteReporter::new(sender))
        .build()
        .unwrap();
    let before = SystemTime::now();
    for _ in 0..4 {
        tracer.start_span("s").finish();
        tracer.flush(Duration::from_secs(30));
    }
    let losses = tracer.metrics().losses();
    let found: Vec<_> = losses.iter().map(|loss| (loss.cause, loss.spans)).collect();
    assert_eq!(found, [(DropCause::Refused, 2), (DropCause::Rejected, 1)]);
    for loss in losses {
        let last = loss.last.expect("the sender explains it");
        let line = format!("spans do not reach agent.example:1: {}", loss.cause);
        assert_eq!(last.reason, line);
        assert!(last.time >= before && last.time <= SystemTime::now());
    }
}
