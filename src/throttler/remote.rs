use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Deserialize;

use crate::agent_poll::{AgentPoll, Object, Polled};
use crate::clock::Clock;
use crate::http_client::{Endpoint, InvalidEndpoint};
use crate::metrics::Counter;
use crate::model::tags;
use crate::sampler::RateLimiter;
use crate::services::Services;
use crate::throttler::Throttler;
use crate::throttler::accounts::{Accounts, Request};

/// A throttler that spends credits of an agent, which are asked for by HTTP.
///
/// No open Jaeger backend has ever served credits, so this is for agents of your own; for all others there is
/// [`DebugLimiter`](crate::throttler::DebugLimiter). It speaks the protocol of the Go, the Node and the Python client:
///
/// ```text
/// GET {url}?service={service}&uuid={client-uuid}&operations=GET%20%2Fcart&operations=pay
/// {"balances":[{"operation":"GET /cart","balance":1.5}]}
/// ```
///
/// A debug trace costs one credit of its operation, or is denied. Every five seconds the agent is asked about the
/// operations for which a debug trace was requested in the last ten minutes, and its answer is added to their balances.
///
/// | case | answer |
/// |---|---|
/// | before the agent's first answer | what [`initial`](Self::initial) says; by default everything is allowed |
/// | the first request of an operation since | allowed, up to ten operations at once and then one a second. (Ours: in the other clients the first request of an operation is always denied.) |
/// | an operation with a name above 256 bytes, or beyond the 2,000th of ten minutes | denied |
///
/// A balance never grows above 100 credits. One question names as many operations as fit into about 8 KiB; the next one
/// goes on with the others. Credits of operations that this tracer does not know are ignored.
///
/// Questions run on the tracer's own thread that also asks for sampling strategies. Anything else than balances (a
/// status outside of 200 to 299, more than 1 MiB, a negative balance, the sampling strategy that a Jaeger 2 sends on
/// every path) changes nothing. The pause until the next question then doubles with each failure in a row, up to five
/// minutes; until the first answer it begins with a second. Answers are counted as
/// [`ThrottlerUpdatesOk`](Counter::ThrottlerUpdatesOk), failures as
/// [`ThrottlerUpdatesErr`](Counter::ThrottlerUpdatesErr). A line tells of the first failure in a row and of its end.
///
/// A forked child has the balances of its parent, and asks by itself from its first request on, by its parent's
/// `client-uuid`.
///
/// ```no_run
/// use tracehound::JaegerTracer;
/// use tracehound::throttler::{DebugLimiter, RemoteThrottler};
///
/// let throttler = RemoteThrottler::new("http://localhost:5778/credits")?
///     .initial(DebugLimiter::new()); // holds before the first answer
/// let tracer = JaegerTracer::builder("shop").throttler(throttler).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RemoteThrottler {
    endpoint: Endpoint,
    refresh: Duration,
    initial: Option<Box<dyn Throttler>>,
    credits: Arc<Credits>,
    /// Credits for the first requests of operations.
    first_requests: RateLimiter,
    poll: Option<AgentPoll>,
}

impl RemoteThrottler {
    /// Makes a throttler that asks for credits at `url`. Opens no connection before the tracer is built.
    ///
    /// A query of the URL is kept. A user name and a password are sent as basic authentication. `https` needs the
    /// feature `tls`.
    ///
    /// # Errors
    ///
    /// Fails if `url` is not a URL of HTTP, or would send a password in the clear.
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        let clock = Clock::system();
        Ok(Self {
            endpoint: Endpoint::parse(url)?,
            refresh: Duration::from_secs(5),
            initial: None,
            first_requests: first_requests(&clock),
            credits: Arc::new(Credits::new(clock, String::new())),
            poll: None,
        })
    }

    /// Sets the throttler that is asked before the agent's first answer. By default everything is allowed.
    #[must_use]
    pub fn initial(mut self, throttler: impl Throttler + 'static) -> Self {
        self.initial = Some(Box::new(throttler));
        self
    }

    /// Sets the pause between two questions. Each one is up to a fifth shorter or longer. Defaults to five seconds;
    /// from 1 ms to a year.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::throttler::RemoteThrottler;
    ///
    /// let throttler = RemoteThrottler::new("http://localhost:5778/credits")?
    ///     .refresh_interval(Duration::from_secs(1));
    /// # drop(throttler);
    /// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
    /// ```
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.refresh = interval;
        self
    }
}

#[cfg(tracehound_fuzz)]
impl RemoteThrottler {
    /// Takes an answer of an agent, as if it had been asked.
    pub(crate) fn take(&self, json: &[u8]) -> Result<Option<String>, String> {
        self.credits.take(json)
    }
}

fn first_requests(clock: &Clock) -> RateLimiter {
    RateLimiter::with_capacity(1.0, FIRST_REQUESTS, clock.clone())
}

impl Throttler for RemoteThrottler {
    fn attach(&mut self, services: &Services) {
        if let Some(initial) = &mut self.initial {
            services.attach("the initial throttler", |services| initial.attach(services));
        }
        let clock = services.clock().clone();
        let tags = &services.process().tags;
        let uuid = tags.iter().find(|tag| tag.key == tags::CLIENT_UUID);
        let uuid = uuid.map_or_else(String::new, |tag| tag.value.to_string());
        self.first_requests = first_requests(&clock);
        self.credits = Arc::new(Credits::new(clock, uuid));
        self.poll = Some(AgentPoll::start(
            self.credits.clone(),
            self.endpoint.clone(),
            self.refresh,
            services,
        ));
    }

    fn is_allowed(&self, operation_name: &str) -> bool {
        if let Some(poll) = &self.poll {
            poll.ensure_started();
        }
        // Also before the first answer: the agent is asked about requested operations only.
        let request = self.credits.accounts.request(operation_name);
        if !self.credits.are_loaded.load(Ordering::Relaxed) {
            let initial = self.initial.as_ref();
            return initial.is_none_or(|initial| initial.is_allowed(operation_name));
        }
        match request {
            Request::First => self.first_requests.try_spend(1.0),
            Request::Known(account) => account.try_spend(),
            Request::NoRoom => false,
        }
    }

    fn close(&self) {
        if let Some(poll) = &self.poll {
            poll.close();
        }
        if let Some(initial) = &self.initial {
            initial.close();
        }
    }
}

impl fmt::Debug for RemoteThrottler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteThrottler")
            .field("endpoint", &self.endpoint)
            .field("is_loaded", &self.credits.are_loaded)
            .field("operations", &self.credits.accounts.len())
            .finish_non_exhaustive()
    }
}

/// The balances of a client, as far as the agent has told them.
struct Credits {
    accounts: Accounts,
    /// The agent has answered once.
    are_loaded: AtomicBool,
    uuid: String,
}

impl Credits {
    fn new(clock: Clock, uuid: String) -> Self {
        Self {
            accounts: Accounts::new(clock),
            are_loaded: AtomicBool::new(false),
            uuid,
        }
    }
}

impl Polled for Credits {
    const WHAT: &'static str = "credits for debug traces";
    const CAUSES: [&'static str; 2] = ["debug_credits", "debug_credits_change"];
    const COUNTERS: [Counter; 2] = [Counter::ThrottlerUpdatesOk, Counter::ThrottlerUpdatesErr];

    fn query(&self) -> Option<Vec<(&'static str, String)>> {
        let operations = self.accounts.next_question();
        if operations.is_empty() {
            return None;
        }
        let uuid = ("uuid", self.uuid.clone());
        let operations = operations
            .into_iter()
            .map(|name| ("operations", name.to_string()));
        Some([uuid].into_iter().chain(operations).collect())
    }

    fn take(&self, json: &[u8]) -> Result<Option<String>, String> {
        let Object(answer): Object<Answer> = serde_json::from_slice(json)
            .map_err(|_| "the answer is not a list of balances".to_owned())?;
        let balances = answer.balances.unwrap_or_default();
        if balances.iter().any(|Object(it)| it.balance < 0.0) {
            return Err("a balance is negative".to_owned());
        }
        for Object(Balance { operation, balance }) in balances {
            self.accounts.add(&operation, balance);
        }
        self.are_loaded.store(true, Ordering::Relaxed);
        Ok(None)
    }
}

#[derive(Deserialize)]
struct Answer {
    // Required, unlike an ordinary `Option`: the sampling strategy that a Jaeger 2 sends on every path has no balances.
    // A server in Go writes an empty list as `null`.
    #[serde(deserialize_with = "Option::deserialize")]
    balances: Option<Vec<Object<Balance>>>,
}

#[derive(Deserialize)]
struct Balance {
    operation: String,
    balance: f64,
}

/// How many first requests of operations are allowed at once.
const FIRST_REQUESTS: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::diagnostics::Diagnostics;
    use crate::model::Process;

    fn credits() -> Credits {
        Credits::new(ManualClock::default().into(), "7f".to_owned())
    }

    /// Returns how many debug traces of an operation that is known are allowed.
    fn spent(credits: &Credits, operation: &str) -> usize {
        let is_allowed = || match credits.accounts.request(operation) {
            Request::Known(account) => account.try_spend(),
            Request::First | Request::NoRoom => false,
        };
        std::iter::repeat_with(is_allowed)
            .take_while(|it| *it)
            .count()
    }

    #[test]
    fn a_question_names_the_client_and_its_operations() {
        let credits = credits();
        assert_eq!(credits.query(), None, "nothing to ask for");
        for name in ["a", "b c", "a"] {
            credits.accounts.request(name);
        }
        let mut query = credits.query().expect("two operations");
        query[1..].sort();
        let expected = [("uuid", "7f"), ("operations", "a"), ("operations", "b c")];
        assert_eq!(
            query,
            expected.map(|(name, value)| (name, value.to_owned()))
        );
    }

    #[test]
    fn balances_add_up_to_a_hundred() {
        let credits = credits();
        credits.accounts.request("a");
        let take = |json: &str| credits.take(json.as_bytes()).expect("balances");
        for (json, expected) in [
            (r#"{"balances":[{"operation":"a","balance":1.5}]}"#, 1),
            (
                r#"{"balances":[{"operation":"a","balance":0.5,"x":{}}],"y":0}"#,
                1,
            ),
            (
                r#"{"balances":[{"operation":"a","balance":0.75},{"operation":"a","balance":1.25}]}"#,
                2,
            ),
            (r#"{"balances":[{"operation":"stranger","balance":5}]}"#, 0),
            (r#"{"balances":[]}"#, 0),
            (r#"{"balances":null}"#, 0),
            (r#"{"balances":[{"operation":"a","balance":1e300}]}"#, 100),
        ] {
            assert_eq!(take(json), None);
            assert_eq!(spent(&credits, "a"), expected, "{json}");
        }
        assert_eq!(credits.accounts.len(), 1, "a stranger takes no room");
    }

    #[test]
    fn any_other_answer_is_refused_and_adds_nothing() {
        let credits = credits();
        credits.accounts.request("a");
        let deep = r#"{"balances":"#.to_owned() + &"[".repeat(100_000);
        for json in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.001}}"#,
            r#"{"balances":{}}"#,
            r#"{"balances":[null]}"#,
            r#"{"balances":[{}]}"#,
            "[[]]",
            r#"{"balances":[["a",5]]}"#,
            r#"{"balances":[{"operation":"a"}]}"#,
            r#"{"balances":[{"balance":1}]}"#,
            r#"{"balances":[{"operation":"a","balance":5},{"operation":"b","balance":-1}]}"#,
            r#"{"balances":[{"operation":"a","balance":5},{"operation":"b","balance":null}]}"#,
            r#"{"balances":[{"operation":"a","balance":"5"}]}"#,
            r#"{"balances":[{"operation":"a","balance":1e999}]}"#,
            r#"{"balances":[{"operation":"a","balance":NaN}]}"#,
            r#"{"balances":[{"operation":"a","balance":5}]"#,
            &deep,
        ] {
            assert!(credits.take(json.as_bytes()).is_err(), "{json}");
        }
        assert!(!credits.are_loaded.load(Ordering::Relaxed));
        assert_eq!(spent(&credits, "a"), 0);
    }

    #[test]
    fn a_panic_of_the_initial_throttler_does_not_stop_the_questions() {
        struct Bad;
        impl Throttler for Bad {
            fn attach(&mut self, _: &Services) {
                panic!("an attachment")
            }

            fn is_allowed(&self, _: &str) -> bool {
                false
            }
        }
        let throttler = RemoteThrottler::new("http://127.0.0.1:1/credits").expect("a URL");
        let mut throttler = throttler.initial(Bad);
        let services = Services::detached(Process::new("shop", vec![]));
        let services = services.with_diagnostics(Diagnostics::silent());
        throttler.attach(&services);
        assert!(throttler.poll.is_some());
        assert_eq!(services.metrics().get(Counter::CallbackPanics), 1);
    }
}
