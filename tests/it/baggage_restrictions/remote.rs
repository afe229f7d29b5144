//! Baggage restrictions that an agent keeps.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::restrictions::{AllowedKeys, RemoteRestrictions};

use crate::support::agent::{Agent, Answer};
use crate::support::{kept_lines, until};

/// What a Jaeger 2 answers on every path of its sampling port.
const SAMPLING: &str =
    r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.001}}"#;

struct Fixture {
    tracer: JaegerTracer,
    lines: Arc<Mutex<Vec<String>>>,
}

fn fixture(
    agent: &Agent,
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
    let agent = Agent::start(Answer::ok(r#"[{"baggageKey":"user","maxValueLength":3}]"#));
    let fixture = fixture(&agent, |it| it);
    until("the list", || fixture.counts()[0] > 0);
    assert_eq!(
        agent.requests()[0],
        "/baggageRestrictions?service=my%20shop"
    );
    assert_eq!(fixture.set("user", "abcd").as_deref(), Some("abc"));
    assert_eq!(fixture.set("cart", "v"), None);
    agent.answers(Answer::ok(
        r#"[{"baggageKey":"cart","maxValueLength":9},{"baggageKey":"user","maxValueLength":-1}]"#,
    ));
    until("the other list", || fixture.set("cart", "v").is_some());
    assert_eq!(fixture.set("user", "a"), None);
    agent.answers(Answer::ok("[]"));
    until("the empty list", || fixture.set("cart", "v").is_none());
    assert_eq!(fixture.counts()[1], 0);
    assert_eq!(fixture.lines().len(), 1, "{:?}", fixture.lines());
}

#[test]
fn everything_is_allowed_before_the_first_answer_unless_the_code_says_otherwise() {
    for answer in [
        Answer::Silence,
        Answer::Reply(404, "no".into()),
        Answer::ok(SAMPLING),
    ] {
        let agent = Agent::start(answer);
        let open = fixture(&agent, |it| it);
        let closed = fixture(&agent, |it| it.initial(AllowedKeys::new()));
        until("the questions", || agent.requests().len() >= 2);
        assert_eq!(open.set("user", "abcd").as_deref(), Some("abcd"));
        assert_eq!(closed.set("user", "abcd"), None);
    }
}

#[test]
fn an_answer_that_is_no_list_changes_nothing_and_is_told_once() {
    let list = Answer::ok(r#"[{"baggageKey":"user","maxValueLength":3}]"#);
    for bad in [
        Answer::Reply(404, "404 page not found".into()),
        Answer::Reply(500, "collector error: baggage not implemented".into()),
        Answer::Reply(302, "[]".into()),
        Answer::ok(SAMPLING),
        Answer::ok("[{}]"),
        Answer::ok(&format!("[{}]", " ".repeat(1 << 20))),
    ] {
        let agent = Agent::start(list.clone());
        let fixture = fixture(&agent, |it| it);
        until("the list", || fixture.counts()[0] > 0);
        agent.answers(bad);
        until("failures", || fixture.counts()[1] >= 3);
        assert_eq!(fixture.set("user", "abcd").as_deref(), Some("abc"));
        assert_eq!(fixture.set("cart", "v"), None);
        assert_eq!(fixture.lines().len(), 2, "{:?}", fixture.lines());
        agent.answers(list.clone());
        let before = fixture.counts()[0];
        until("the end of the trouble", || fixture.counts()[0] > before);
        until("the line", || fixture.lines().len() == 3);
        assert!(
            fixture.lines()[2].ends_with("again"),
            "{:?}",
            fixture.lines()
        );
        assert!(
            agent
                .requests()
                .iter()
                .all(|path| path.starts_with("/baggageRestrictions?"))
        );
    }
}

#[test]
fn close_does_not_wait_for_an_answer() {
    let agent = Agent::start(Answer::Silence);
    let fixture = fixture(&agent, |it| it);
    until("the question", || !agent.requests().is_empty());
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
