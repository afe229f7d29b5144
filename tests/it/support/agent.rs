//! An agent that answers what a test tells it to, whatever it is asked.

use std::time::Duration;

use tracehound::testkit::{Fault, MockCollector};

/// Starts an agent with this answer.
pub(crate) fn agent(answer: Fault) -> MockCollector {
    let agent = MockCollector::start().expect("a port");
    agent.always(answer);
    agent
}

/// Returns an answer with status 200.
pub(crate) fn ok(body: &str) -> Fault {
    Fault::status(200).body(body)
}

/// Returns the paths of the requests so far, with their queries.
pub(crate) fn requests(agent: &MockCollector) -> Vec<String> {
    let requests = agent.requests().into_iter();
    requests
        .map(|request| request.target().to_owned())
        .collect()
}

/// Waits until `count` more requests were answered in full.
pub(crate) fn wait_for_more(agent: &MockCollector, count: usize) {
    // The next request proves that the answer before it was taken.
    let target = agent.request_count() as usize + count + 1;
    let requests = agent.wait_for_requests(target, Duration::from_secs(30));
    assert!(requests.len() >= target, "{} of {target}", requests.len());
}
