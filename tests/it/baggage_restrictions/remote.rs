//! Baggage restrictions that an agent keeps.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::restrictions::{AllowedKeys, RemoteRestrictions};
use tracehound::testkit::{Fault, MockCollector};

use crate::support::agent::{agent, ok, requests};
use crate::support::{kept_lines, until};

/// What a Jaeger 2 answers on every path of its sampling port.
const SAMPLING: &str =
    r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.001}}"#;

struct Fixture {
    tracer: JaegerTracer,
    lines: Arc<Mutex<Vec<String>>>,
}

fn fixture(
    agent: &MockCollector,
    change: impl FnOnce(RemoteRestrictions) -> RemoteRestrictions,
) -> Fixture {
    let url = agent.url("/baggageRestrictions");
    let restrictions = RemoteRestrictions::new(&url).expect("a URL");
    let restrictions = change(restrictions.refresh_interval(Duration::from_millis(10)));
    let (diagnostics, lines) = kept_lines();
    let tracer = JaegerTracer::builder("my shop")
        .baggage_restrictions(restrictions)
        .diagnostics(diagnostics)
        .reporter(NullReporter::new())
        .build()
        .expect("the service has a name");
    Fixture { tracer, lines }
}

impl Fixture {
    /// Returns what becomes of an item.
    fn set(&self, key: &str, value: &str) -> Option<String> {
        let span = self.tracer.start_span("s");
        span.set_baggage_item(key, value);
        span.baggage_item(key)
    }

    /// Returns how many questions were answered, and how many were not.
    fn counts(&self) -> [u64; 2] {
        [
            Counter::BaggageRestrictionsUpdatesOk,
            Counter::BaggageRestrictionsUpdatesErr,
        ]
        .map(|counter| self.tracer.metrics().get(counter))
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

#[test]
fn a_list_of_the_agent_is_followed_as_it_changes() {
    let agent = agent(ok(r#"[{"baggageKey":"user","maxValueLength":3}]"#));
    let fixture = fixture(&agent, |it| it);
    until("the list", || fixture.counts()[0] > 0);
    assert_eq!(
        requests(&agent)[0],
        "/baggageRestrictions?service=my%20shop"
    );
    assert_eq!(fixture.set("user", "abcd").as_deref(), Some("abc"));
    assert_eq!(fixture.set("cart", "v"), None);
    agent.always(ok(
        r#"[{"baggageKey":"cart","maxValueLength":9},{"baggageKey":"user","maxValueLength":-1}]"#,
    ));
    until("the other list", || fixture.set("cart", "v").is_some());
    assert_eq!(fixture.set("user", "a"), None);
    agent.always(ok("[]"));
    until("the empty list", || fixture.set("cart", "v").is_none());
    assert_eq!(fixture.counts()[1], 0);
    assert_eq!(fixture.lines().len(), 1, "{:?}", fixture.lines());
}

#[test]
fn everything_is_allowed_before_the_first_answer_unless_the_code_says_otherwise() {
    for answer in [Fault::drop(), Fault::status(404).body("no"), ok(SAMPLING)] {
        let agent = agent(answer);
        let open = fixture(&agent, |it| it);
        let closed = fixture(&agent, |it| it.initial(AllowedKeys::new()));
        until("the questions", || requests(&agent).len() >= 2);
        assert_eq!(open.set("user", "abcd").as_deref(), Some("abcd"));
        assert_eq!(closed.set("user", "abcd"), None);
    }
}

#[test]
fn an_answer_that_is_no_list_changes_nothing_and_is_told_once() {
    let list = ok(r#"[{"baggageKey":"user","maxValueLength":3}]"#);
    for bad in [
        Fault::status(404).body("404 page not found"),
        Fault::status(500).body("collector error: baggage not implemented"),
        Fault::status(302)
            .header("Location", "/elsewhere")
            .body("[]"),
        ok(SAMPLING),
        ok("[{}]"),
        ok(&format!("[{}]", " ".repeat(1 << 20))),
    ] {
        let agent = agent(list.clone());
        let fixture = fixture(&agent, |it| it);
        until("the list", || fixture.counts()[0] > 0);
        agent.always(bad);
        until("failures", || fixture.counts()[1] >= 3);
        assert_eq!(fixture.set("user", "abcd").as_deref(), Some("abc"));
        assert_eq!(fixture.set("cart", "v"), None);
        assert_eq!(fixture.lines().len(), 2, "{:?}", fixture.lines());
        agent.always(list.clone());
        let before = fixture.counts()[0];
        until("the end of the trouble", || fixture.counts()[0] > before);
        until("the line", || fixture.lines().len() == 3);
        assert!(
            fixture.lines()[2].ends_with("again"),
            "{:?}",
            fixture.lines()
        );
        assert!(
            requests(&agent)
                .iter()
                .all(|path| path.starts_with("/baggageRestrictions?"))
        );
    }
}

#[test]
fn close_does_not_wait_for_an_answer() {
    let agent = agent(Fault::drop());
    let fixture = fixture(&agent, |it| it);
    until("the question", || !requests(&agent).is_empty());
    let start = Instant::now();
    fixture.tracer.close(Duration::from_secs(5));
    // A request may take ten seconds.
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(
        fixture.counts(),
        [0, 0],
        "a request that was ended is no failure"
    );
    assert_eq!(fixture.lines(), [""; 0]);
}

#[test]
fn a_url_that_is_none_is_refused() {
    for url in [
        "",
        "localhost:5778",
        "ftp://h/x",
        "http://me:secret@far.example/x",
    ] {
        let error = RemoteRestrictions::new(url).expect_err("no URL of HTTP");
        assert!(!error.to_string().contains("secret"));
    }
}
