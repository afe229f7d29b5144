//! Documents that a part of the tracer asks an agent for again and again: baggage restrictions, credits for debug
//! traces.
//!
//! The questions run on the poller's thread, which sampling strategies use too. A failure changes nothing but the pause
//! until the next question ([`PollSchedule`]). A line tells when an agent begins to fail, and when it is
//! over.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::clock::Clock;
use crate::http_client::{Endpoint, HttpClient};
use crate::metrics::Counter;
use crate::poller::{PollSchedule, PollerTask};
use crate::services::Services;
use crate::sync::PerProcess;

/// A document that an agent is asked for.
pub(crate) trait Polled: Send + Sync + 'static {
    /// The document in a line of text, in the plural.
    const WHAT: &'static str;
    /// The cause of lines about a failure, and of lines about a change.
    const CAUSES: [&'static str; 2];
    /// The counters of questions that were answered, and of those that were not.
    const COUNTERS: [Counter; 2];

    /// Returns the query without the service. Returns `None` if there is nothing to ask for now.
    fn query(&self) -> Option<Vec<(&'static str, String)>>;

    /// Takes an answer. Returns a line of text if the user should know of a change.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, if the answer is not such a document. The text says why.
    fn take(&self, json: &[u8]) -> Result<Option<String>, String>;
}

/// A JSON object. A derived type alone would take a JSON array, too, for its members in their order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// The questions for one document, from the start of the tracer to its end.
pub(crate) struct AgentPoll {
    start: Box<dyn Fn() -> Questions + Send + Sync>,
    clock: Clock,
    is_closed: Arc<AtomicBool>,
    questions: PerProcess<Questions>,
}

/// The questions of one process.
struct Questions {
    client: HttpClient,
    /// `None` if the tracer was closed before this process asked anything.
    task: Option<PollerTask>,
    /// Nothing is left to do for the start.
    is_settled: AtomicBool,
    /// The time of the clock, in nanoseconds, before which no thread is asked for again.
    retry_at: AtomicU64,
}

impl Questions {
    fn new(client: HttpClient, task: Option<PollerTask>) -> Self {
        Self {
            client,
            task,
            is_settled: AtomicBool::new(false),
            retry_at: AtomicU64::new(0),
        }
    }

    /// Starts the thread that runs the task. `now` is the time of the clock.
    #[cold]
    fn start(&self, now: u64) {
        if now < self.retry_at.load(Ordering::Relaxed) {
            return;
        }
        // Before the thread is asked for: a line about it is user code, which may come here again.
        let retry_at = now.saturating_add(RETRY.as_nanos() as u64);
        self.retry_at.store(retry_at, Ordering::Relaxed);
        if self.task.as_ref().is_none_or(PollerTask::ensure_thread) {
            self.is_settled.store(true, Ordering::Relaxed);
        }
    }
}

impl AgentPoll {
    /// Starts to ask, at once and then after each pause of `refresh`.
    pub(crate) fn start<P: Polled>(
        polled: Arc<P>,
        endpoint: Endpoint,
        refresh: Duration,
        services: &Services,
    ) -> Self {
        let is_closed = Arc::new(AtomicBool::new(false));
        let (services, clock) = (services.clone(), services.clock().clone());
        let closed = is_closed.clone();
        let start = move || {
            let client = HttpClient::new();
            if closed.load(Ordering::Relaxed) {
                return Questions::new(client, None);
            }
            let mut question = Question {
                polled: polled.clone(),
                endpoint: endpoint.clone(),
                client: client.clone(),
                services: services.clone(),
                is_closed: closed.clone(),
                schedule: PollSchedule::new(refresh),
                has_failed: false,
                is_failure_told: false,
                untold_change: None,
            };
            let task = services
                .poller()
                .add(P::WHAT, Box::new(move || question.ask()));
            Questions::new(client, Some(task))
        };
        let poll = Self {
            questions: PerProcess::new(start()),
            start: Box::new(start),
            clock,
            is_closed,
        };
        poll.ensure_started();
        poll
    }

    /// Starts to ask in a forked child, too, and in a process that had no thread for it. Otherwise reads two atomic
    /// words.
    pub(crate) fn ensure_started(&self) {
        let questions = self.questions();
        if !questions.is_settled.load(Ordering::Relaxed) {
            questions.start(self.clock.now());
        }
    }

    /// Stops asking, and ends a request in flight. Does not wait.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.questions().client.shut_down();
    }

    fn questions(&self) -> &Questions {
        self.questions.get(|_| (self.start)())
    }
}

impl Drop for AgentPoll {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for AgentPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AgentPoll")
    }
}

/// The question of one process, which the poller asks.
struct Question<P> {
    polled: Arc<P>,
    endpoint: Endpoint,
    client: HttpClient,
    services: Services,
    is_closed: Arc<AtomicBool>,
    schedule: PollSchedule,
    /// The last question had no answer.
    has_failed: bool,
    /// The line about these failures has been written.
    is_failure_told: bool,
    /// The last change, of which no line has told yet.
    untold_change: Option<String>,
}

impl<P: Polled> Question<P> {
    /// Asks once, and returns the pause until the next time.
    fn ask(&mut self) -> Option<Duration> {
        let Some(query) = self.polled.query() else {
            return Some(self.schedule.idle_pause());
        };
        let service = self.services.process().service_name.as_str();
        let pairs: Vec<(&str, &str)> = [("service", service)]
            .into_iter()
            .chain(query.iter().map(|(name, value)| (*name, value.as_str())))
            .collect();
        let url = self.endpoint.url_with(&pairs);
        let answer = self.client.get(&url, MAX_REPLY_BYTES);
        let taken = answer
            .map_err(|error| error.to_string())
            .and_then(|json| self.polled.take(&json));
        if self.is_closed.load(Ordering::Relaxed) {
            return None;
        }
        let [ok, err] = P::COUNTERS;
        let is_success = taken.is_ok();
        match taken {
            Ok(change) => {
                self.services.metrics().add(ok, 1);
                self.tell_of_answer(change);
            }
            Err(reason) => {
                self.services.metrics().add(err, 1);
                self.tell_of_failure(&reason);
            }
        }
        self.has_failed = !is_success;
        Some(self.schedule.pause_after(is_success))
    }

    fn tell_of_answer(&mut self, change: Option<String>) {
        let (endpoint, what) = (&self.endpoint, P::WHAT);
        self.is_failure_told = false;
        let diagnostics = self.services.diagnostics();
        let [failure_cause, change_cause] = P::CAUSES;
        if self.has_failed {
            diagnostics.recovered(failure_cause, || {
                format!("{what} come from {endpoint} again")
            });
        }
        if let Some(change) = change.or_else(|| self.untold_change.take()) {
            // At most one line in ten seconds, however often it changes. The last change is told of in any case.
            let line = || format!("{what} from {endpoint}: {change}");
            let is_told = diagnostics.tell(change_cause, line);
            self.untold_change = (!is_told).then_some(change);
        }
    }

    fn tell_of_failure(&mut self, reason: &str) {
        if !self.is_failure_told {
            let (endpoint, what) = (&self.endpoint, P::WHAT);
            let line = || format!("no {what} from {endpoint}, so nothing changes: {reason}");
            self.is_failure_told = self.services.diagnostics().tell(P::CAUSES[0], line);
        }
    }
}

/// How long not to ask for a thread again after none could be started.
const RETRY: Duration = Duration::from_secs(1);

/// The most bytes of an answer.
const MAX_REPLY_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::clock::{ManualClock, deadline_after, instant_now};
    use crate::diagnostics::Diagnostics;
    use crate::model::Process;
    use crate::poller::tests::NO_THREADS;

    /// Answers that come are counted, and nothing else.
    struct Nothing;

    impl Polled for Nothing {
        const WHAT: &'static str = "nothings";
        const CAUSES: [&'static str; 2] = ["nothing", "nothing_change"];
        const COUNTERS: [Counter; 2] = [Counter::ThrottlerUpdatesOk, Counter::ThrottlerUpdatesErr];

        fn query(&self) -> Option<Vec<(&'static str, String)>> {
            Some(Vec::new())
        }

        fn take(&self, _: &[u8]) -> Result<Option<String>, String> {
            Ok(None)
        }
    }

    /// Returns an endpoint where nobody listens, and services whose lines go nowhere.
    fn without_agent(clock: ManualClock) -> (Endpoint, Services) {
        let services = Services::detached(Process::new("shop", vec![]));
        let services = services.with_diagnostics(Diagnostics::silent());
        let endpoint = Endpoint::parse("http://127.0.0.1:1/").expect("a URL");
        (endpoint, services.with_clock(clock))
    }

    #[test]
    fn a_thread_that_could_not_be_started_is_asked_for_again_after_a_second() {
        let clock = ManualClock::default();
        let (endpoint, services) = without_agent(clock.clone());
        let counted = || services.metrics().get(Counter::ThrottlerUpdatesErr);
        NO_THREADS.set(true);
        let poll = AgentPoll::start(Arc::new(Nothing), endpoint, Duration::MAX, &services);
        poll.ensure_started();
        NO_THREADS.set(false);
        poll.ensure_started();
        let is_settled = || poll.questions().is_settled.load(Ordering::Relaxed);
        assert!(!is_settled() && counted() == 0, "within the second");
        clock.advance(RETRY);
        poll.ensure_started();
        assert!(is_settled());
        let deadline = deadline_after(Duration::from_secs(60));
        while counted() == 0 {
            assert!(instant_now() < deadline, "no question");
            std::thread::yield_now();
        }
    }

    #[test]
    fn failures_that_begin_soon_after_a_line_are_told_of_later() {
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let sink = lines.clone();
        let diagnostics = Diagnostics::with_handler(move |line| {
            sink.lock().expect("not poisoned").push(line.to_owned());
        });
        let (endpoint, services) = without_agent(ManualClock::default());
        let mut question = Question {
            polled: Arc::new(Nothing),
            endpoint,
            client: HttpClient::new(),
            services: services.with_diagnostics(diagnostics.clone()),
            is_closed: Arc::default(),
            schedule: PollSchedule::new(Duration::MAX),
            has_failed: false,
            is_failure_told: false,
            untold_change: None,
        };
        let said = || std::mem::take(&mut *lines.lock().expect("not poisoned")).len();
        question.ask();
        assert_eq!(said(), 1);
        question.tell_of_answer(Some("a".to_owned()));
        question.has_failed = false;
        assert_eq!(said(), 2, "the end, and a change");
        question.ask();
        question.tell_of_answer(Some("b".to_owned()));
        question.ask();
        assert_eq!(said(), 0, "within ten seconds");
        diagnostics.end_quiet();
        question.ask();
        assert_eq!(said(), 1);
        question.tell_of_answer(None);
        assert_eq!(said(), 2, "the end, and the last change");
        question.tell_of_answer(None);
        assert_eq!(said(), 0);
    }
}
