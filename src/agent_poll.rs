//! Documents that a part of the tracer asks an agent for again and again: baggage restrictions, credits for debug
//! traces.
//!
//! The questions run on the poller's thread, which sampling strategies use too. A failure changes nothing but the pause
//! until the next question, which doubles up to five minutes. A line tells when an agent begins to fail, and when it is
//! over.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::http_client::{Endpoint, HttpClient};
use crate::metrics::Counter;
use crate::poller::PollerTask;
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

/// The questions for one document, from the start of the tracer to its end.
pub(crate) struct AgentPoll {
    start: Box<dyn Fn() -> Questions + Send + Sync>,
    is_closed: Arc<AtomicBool>,
    questions: PerProcess<Questions>,
}

/// The questions of one process.
struct Questions {
    client: HttpClient,
    /// `None` if the tracer was closed before this process asked anything.
    _task: Option<PollerTask>,
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
        let services = services.clone();
        let closed = is_closed.clone();
        let start = move || {
            let client = HttpClient::new();
            if closed.load(Ordering::Relaxed) {
                return Questions {
                    client,
                    _task: None,
                };
            }
            let mut question = Question {
                polled: polled.clone(),
                endpoint: endpoint.clone(),
                client: client.clone(),
                services: services.clone(),
                is_closed: closed.clone(),
                refresh,
                failures: 0,
            };
            let task = services
                .poller()
                .add(P::WHAT, Box::new(move || question.ask()));
            task.ensure_thread();
            Questions {
                client,
                _task: Some(task),
            }
        };
        Self {
            questions: PerProcess::new(start()),
            start: Box::new(start),
            is_closed,
        }
    }

    /// Starts to ask in a forked child, too, at its first call there. Otherwise reads one atomic word.
    pub(crate) fn ensure_started(&self) {
        self.questions();
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
    refresh: Duration,
    /// How many questions have failed since the last answer.
    failures: u32,
}

impl<P: Polled> Question<P> {
    /// Asks once, and returns the pause until the next time.
    fn ask(&mut self) -> Option<Duration> {
        let Some(query) = self.polled.query() else {
            return Some(pause(self.refresh, 0));
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
        match taken {
            Ok(change) => {
                self.services.metrics().add(ok, 1);
                self.tell_of_answer(change);
                self.failures = 0;
            }
            Err(reason) => {
                self.services.metrics().add(err, 1);
                self.tell_of_failure(&reason);
                self.failures = self.failures.saturating_add(1);
            }
        }
        Some(pause(self.refresh, self.failures))
    }

    fn tell_of_answer(&self, change: Option<String>) {
        let (endpoint, what) = (&self.endpoint, P::WHAT);
        let diagnostics = self.services.diagnostics();
        let [failure_cause, change_cause] = P::CAUSES;
        if self.failures > 0 {
            diagnostics.recovered(failure_cause, || {
                format!("{what} come from {endpoint} again")
            });
        }
        if let Some(change) = change {
            // At most one line in ten seconds, however often it changes.
            diagnostics.warn(change_cause, || format!("{what} from {endpoint}: {change}"));
        }
    }

    fn tell_of_failure(&self, reason: &str) {
        if self.failures == 0 {
            let (endpoint, what) = (&self.endpoint, P::WHAT);
            let line = || format!("no {what} from {endpoint}, so nothing changes: {reason}");
            self.services.diagnostics().warn(P::CAUSES[0], line);
        }
    }
}

/// Returns the pause after this many failures: `refresh` ten percent shorter or longer, doubled for each failure up to
/// five minutes.
fn pause(refresh: Duration, failures: u32) -> Duration {
    let refresh = refresh.clamp(LEAST_PAUSE, MOST_REFRESH);
    let longest = LONGEST_PAUSE.max(refresh);
    let doubled = refresh.saturating_mul(1 << failures.min(16)).min(longest);
    let random = RandomState::new().hash_one(failures) >> 11;
    let share = random as f64 / (1_u64 << 53) as f64;
    doubled.mul_f64(0.9 + 0.2 * share)
}

/// The shortest pause between two questions.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause that a user can set: a day.
const MOST_REFRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest pause after failures, unless questions are rarer anyway.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The most bytes of an answer.
const MAX_REPLY_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_with_failures_and_differ_by_a_tenth() {
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
        for (refresh, failures, expected) in [
            (second, 0, 1.0),
            (second, 1, 2.0),
            (second, 5, 32.0),
            (second, 9, 300.0),
            (second, u32::MAX, 300.0),
            (hour, 0, 3_600.0),
            (hour, 7, 3_600.0),
        ] {
            let pauses = [(); 100].map(|()| pause(refresh, failures).as_secs_f64());
            let range = expected * 0.9..=expected * 1.1;
            assert!(
                pauses.iter().all(|pause| range.contains(pause)),
                "{pauses:?}"
            );
            assert_ne!(pauses, [pauses[0]; 100]);
        }
        assert!(pause(Duration::MAX, 3) > hour);
    }
}
