//! A configuration with the embedded agent.

use tracehound::Config;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;

use super::building::{SOON, built};
#[cfg(feature = "dev")]
use super::read;

#[test]
fn a_reporter_of_the_code_wins_over_the_embedded_agent() {
    let spans = InMemoryReporter::new();
    let config = || Config::new("shop").dev(true).reporter(spans.clone());
    let expected = "dev: has no effect: the code gives a reporter, which stays";
    let explanation = config().explain();
    let passed_over: Vec<_> = explanation
        .passed_over()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(passed_over, [expected]);
    assert_eq!(
        explanation.get("reporter").unwrap().value(),
        "InMemoryReporter"
    );

    let (tracer, lines) = built(config().sampler(ConstSampler::new(true)));
    assert_eq!(lines.lock().unwrap()[0], format!("passed over: {expected}"));
    tracer.start_span("checkout").finish();
    assert!(tracer.flush(SOON).is_complete());
    assert_eq!(spans.spans().len(), 1);
}

#[test]
#[cfg(not(feature = "dev"))]
fn the_embedded_agent_needs_its_feature() {
    let error = Config::new("shop").dev(true).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "dev: asks for the embedded agent, which the feature `dev` of this crate brings, found \"true\""
    );
}

#[test]
#[cfg(feature = "dev")]
fn the_code_may_refuse_the_embedded_agent() {
    let explanation = read(&[("TRACEHOUND_DEV", "1")]).dev(false).explain();
    assert!(explanation.get("reporter").is_none());
    let default = Config::new("shop").explain();
    assert_eq!(explanation.get("sampler"), default.get("sampler"));
}

#[cfg(feature = "dev")]
#[test]
fn strategies_of_the_embedded_agent_are_explained_in_place_of_its_sampler() {
    let file = (
        "TRACEHOUND_DEV_STRATEGIES_FILE",
        "/etc/jaeger/strategies.json",
    );
    let explanation = read(&[("TRACEHOUND_DEV", "1"), file]).explain();
    let sampler = explanation.get("sampler").unwrap();
    assert_eq!(
        sampler.value(),
        "strategies of \"/etc/jaeger/strategies.json\""
    );
    assert_eq!(sampler.source().to_string(), file.0);
    // Without the embedded agent the file means nothing.
    let sampler = read(&[file]).explain().get("sampler").unwrap().clone();
    assert_eq!(sampler.source().to_string(), "default");
}
