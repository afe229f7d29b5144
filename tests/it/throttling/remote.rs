//! Credits for debug traces that an agent grants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::clock::ManualClock;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::{ConstSampler, TracesPerSecond};
use tracehound::testkit::{Fault, MockCollector};
use tracehound::throttler::{DebugLimiter, RemoteThrottler};

use crate::support::agent::{agent, ok, requests, wait_for_more};
use crate::support::{kept_lines, until};

const NO_CREDITS: &str = r#"{"balances":[]}"#;

struct Fixture {
    tracer: JaegerTracer,
    lines: Arc<Mutex<Vec<String>>>,
}

fn fixture(
    agent: &MockCollector,
    change: impl FnOnce(RemoteThrottler) -> RemoteThrottler,
) -> Fixture {
    let throttler = RemoteThrottler::new(&agent.url("/credits")).expect("a URL");
    let throttler = change(throttler.refresh_interval(Duration::from_millis(10)));
    let (diagnostics, lines) = kept_lines();
    let tracer = JaegerTracer::builder("my shop")
        .sampler(ConstSampler::new(false))
        .clock(ManualClock::default())
        .tag("client-uuid", "u/1")
        .throttler(throttler)
        .diagnostics(diagnostics)
        .reporter(NullReporter::new())
        .build()
        .expect("the service has a name");
    Fixture { tracer, lines }
}

impl Fixture {
    fn is_allowed(&self, operation_name: &str) -> bool {
        let span = self.tracer.start_span(operation_name.to_owned());
        span.set_tag("sampling.priority", 1);
        span.context().is_debug()
    }

    /// Waits until the agent has answered once, so that its credits count.
    fn load(&self) {
        assert!(self.is_allowed("loads"));
        until("an answer", || self.count(Counter::ThrottlerUpdatesOk) > 0);
    }

    fn count(&self, counter: Counter) -> u64 {
        self.tracer.metrics().get(counter)
    }

    fn lines_about_credits(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap();
        let is_about = |line: &&String| line.contains("credits");
        lines.iter().filter(is_about).cloned().collect()
    }
}

#[test]
fn everything_is_allowed_before_the_first_answer_unless_the_code_says_otherwise() {
    for answer in [
        Fault::drop(),
        Fault::status(404).body("no"),
        ok(r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":1}}"#),
    ] {
        let agent = agent(answer);
        let open = fixture(&agent, |it| it);
        let none = DebugLimiter::new().total(TracesPerSecond::from(0));
        let closed = fixture(&agent, |it| it.initial(none));
        for _ in 0..50 {
            assert!(open.is_allowed("pay"));
            assert!(!closed.is_allowed("pay"));
        }
        until("the questions", || requests(&agent).len() >= 2);
        assert!(open.is_allowed("pay"));
        assert!(!closed.is_allowed("pay"));
        assert_eq!(open.count(Counter::ThrottledDebugSpans), 0);
        assert_eq!(closed.count(Counter::ThrottledDebugSpans), 51);
    }
}

#[test]
fn the_agent_is_asked_about_requested_operations_only() {
    let agent = agent(ok(NO_CREDITS));
    let fixture = fixture(&agent, |it| it);
    assert!(fixture.is_allowed("GET /cart"));
    until("a question", || !requests(&agent).is_empty());
    let question = "/credits?service=my%20shop&uuid=u%2F1&operations=GET%20%2Fcart";
    assert_eq!(requests(&agent)[0], question);
    assert!(fixture.is_allowed("a&b"));
    let both = ["operations=GET%20%2Fcart", "operations=a%26b"];
    until("both operations", || {
        let paths = requests(&agent);
        paths
            .iter()
            .any(|path| both.iter().all(|one| path.contains(one)))
    });
}

#[test]
fn an_agent_is_not_asked_as_long_as_nobody_requests_a_debug_trace() {
    let [unasked, other] = [agent(ok(NO_CREDITS)), agent(ok(NO_CREDITS))];
    let idle = fixture(&unasked, |it| it);
    idle.tracer.start_span("s").finish();
    let busy = fixture(&other, |it| it);
    busy.load();
    wait_for_more(&other, 5);
    assert_eq!(requests(&unasked), [""; 0]);
}

#[test]
fn credits_of_the_agent_are_spent_one_by_one() {
    let agent = agent(ok(NO_CREDITS));
    let fixture = fixture(&agent, |it| it);
    fixture.load();
    assert!(fixture.is_allowed("pay"), "the first request");
    assert!(!fixture.is_allowed("pay"), "there are no credits yet");
    agent.always(ok(r#"{"balances":[{"operation":"pay","balance":1000}]}"#));
    until("credits", || fixture.is_allowed("pay"));
    agent.always(ok(NO_CREDITS));
    wait_for_more(&agent, 2);
    let left = (0..1_000).filter(|_| fixture.is_allowed("pay")).count();
    assert!(
        (99..=100).contains(&left),
        "a balance is at most 100: {left}"
    );
    assert!(
        !fixture.is_allowed("loads"),
        "the credits of others do not count"
    );
    assert!(fixture.count(Counter::ThrottledDebugSpans) > 900);
}

#[test]
fn first_requests_of_new_operations_are_bounded() {
    let agent = agent(ok(NO_CREDITS));
    let fixture = fixture(&agent, |it| it);
    fixture.load();
    // The clock stands still.
    let allowed = (0..500).filter(|n| fixture.is_allowed(&n.to_string()));
    assert_eq!(allowed.count(), 10);
}

#[test]
fn an_answer_without_balances_changes_nothing_and_is_told_once() {
    for bad in [
        Fault::status(404).body("404 page not found"),
        Fault::status(500).body("error"),
        ok(r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":1}}"#),
        ok(r#"{"balances":[{"operation":"pay","balance":-1}]}"#),
    ] {
        let agent = agent(ok(r#"{"balances":[{"operation":"loads","balance":2}]}"#));
        let fixture = fixture(&agent, |it| it);
        fixture.load();
        agent.always(bad);
        until("failures", || {
            fixture.count(Counter::ThrottlerUpdatesErr) >= 3
        });
        assert!(fixture.is_allowed("loads"), "the balance stays");
        assert_eq!(fixture.lines_about_credits().len(), 1);
        let before = fixture.count(Counter::ThrottlerUpdatesOk);
        agent.always(ok(NO_CREDITS));
        until("an answer", || {
            fixture.count(Counter::ThrottlerUpdatesOk) > before
        });
        until("the line", || fixture.lines_about_credits().len() == 2);
    }
}
