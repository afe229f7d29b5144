use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use serde::Deserialize;

use crate::agent_poll::{AgentPoll, Object, Polled};
use crate::http_client::{Endpoint, InvalidEndpoint};
use crate::metrics::Counter;
use crate::restrictions::{AllowedKeys, BaggageRestrictions, Restriction};
use crate::services::Services;

/// Restrictions that an agent keeps: a list of keys, asked for by HTTP.
///
/// No open Jaeger backend has ever served such lists, so this is for agents of your own. It speaks the protocol of the
/// Go and the Java client:
///
/// ```text
/// GET {url}?service={service}
/// [{"baggageKey":"user-id","maxValueLength":36},{"baggageKey":"tenant","maxValueLength":64}]
/// ```
///
/// After the first answer only listed keys may be set, up to their lengths in bytes. A length of 0 or less denies the
/// key, and an empty list denies all, as in Go. Before the first answer [`initial`](Self::initial) holds.
///
/// It asks when the tracer starts and then once a minute, on the tracer's own thread that also asks for sampling
/// strategies. Each answer replaces the list. Anything else (a status outside of 200 to 299, more than 1 MiB, an object
/// such as the sampling strategy that a Jaeger 2 sends on every path) leaves the list as it is. The pause until the
/// next question then doubles with each failure in a row, up to five minutes; until the first answer it begins with a
/// second. Answers are counted as
/// [`BaggageRestrictionsUpdatesOk`](Counter::BaggageRestrictionsUpdatesOk), failures as
/// [`BaggageRestrictionsUpdatesErr`](Counter::BaggageRestrictionsUpdatesErr). A line tells of the first failure in a
/// row, of its end, and of a list that differs.
///
/// A forked child has the list of its parent, and asks by itself from its first item on.
///
/// ```no_run
/// use tracehound::JaegerTracer;
/// use tracehound::restrictions::{AllowedKeys, RemoteRestrictions};
///
/// let restrictions = RemoteRestrictions::new("http://localhost:5778/baggageRestrictions")?
///     .initial(AllowedKeys::new()); // allows nothing before the first answer
/// let tracer = JaegerTracer::builder("shop").baggage_restrictions(restrictions).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RemoteRestrictions {
    endpoint: Endpoint,
    refresh: Duration,
    initial: Option<Box<dyn BaggageRestrictions>>,
    list: Arc<List>,
    poll: Option<AgentPoll>,
}

impl RemoteRestrictions {
    /// Makes restrictions that are asked for at `url`. Opens no connection before the tracer is built.
    ///
    /// A query of the URL is kept. A user name and a password are sent as basic authentication. `https` needs the
    /// feature `tls`.
    ///
    /// # Errors
    ///
    /// Fails if `url` is not a URL of HTTP, or would send a password in the clear.
    pub fn new(url: &str) -> Result<Self, InvalidEndpoint> {
        Ok(Self {
            endpoint: Endpoint::parse(url)?,
            refresh: Duration::from_secs(60),
            initial: None,
            list: Arc::default(),
            poll: None,
        })
    }

    /// Sets what holds before the first answer. By default everything is allowed.
    #[must_use]
    pub fn initial(mut self, restrictions: impl BaggageRestrictions + 'static) -> Self {
        self.initial = Some(Box::new(restrictions));
        self
    }

    /// Sets the pause between two questions. Each one is up to a fifth shorter or longer. Defaults to a minute;
    /// from 1 ms to a year.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracehound::restrictions::RemoteRestrictions;
    ///
    /// let restrictions = RemoteRestrictions::new("http://localhost:5778/baggageRestrictions")?
    ///     .refresh_interval(Duration::from_secs(10));
    /// # drop(restrictions);
    /// # Ok::<(), tracehound::sampler::remote::InvalidEndpoint>(())
    /// ```
    #[must_use]
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.refresh = interval;
        self
    }
}

#[cfg(tracehound_fuzz)]
impl RemoteRestrictions {
    /// Takes an answer of an agent, as if it had been asked.
    pub(crate) fn take(&self, json: &[u8]) -> Result<Option<String>, String> {
        self.list.take(json)
    }
}

impl BaggageRestrictions for RemoteRestrictions {
    fn attach(&mut self, services: &Services) {
        if let Some(initial) = &mut self.initial {
            services.attach("the initial baggage restrictions", |services| {
                initial.attach(services);
            });
        }
        let list = self.list.clone();
        self.poll = Some(AgentPoll::start(
            list,
            self.endpoint.clone(),
            self.refresh,
            services,
        ));
    }

    fn restriction(&self, key: &str) -> Restriction {
        if let Some(poll) = &self.poll {
            poll.ensure_started();
        }
        match (&*self.list.0.load(), &self.initial) {
            (Some(list), _) => list.restriction(key),
            (None, Some(initial)) => initial.restriction(key),
            (None, None) => Restriction::NONE,
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

impl fmt::Debug for RemoteRestrictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteRestrictions")
            .field("endpoint", &self.endpoint)
            .field("list", &self.list.0.load())
            .finish_non_exhaustive()
    }
}

/// The last list that the agent sent, if it has sent one.
#[derive(Default)]
struct List(ArcSwapOption<AllowedKeys>);

impl Polled for List {
    const WHAT: &'static str = "baggage restrictions";
    const CAUSES: [&'static str; 2] = ["baggage_restrictions", "baggage_restrictions_change"];
    const COUNTERS: [Counter; 2] = [
        Counter::BaggageRestrictionsUpdatesOk,
        Counter::BaggageRestrictionsUpdatesErr,
    ];

    fn query(&self) -> Option<Vec<(&'static str, String)>> {
        Some(Vec::new())
    }

    fn take(&self, json: &[u8]) -> Result<Option<String>, String> {
        let entries: Vec<Object<Entry>> = serde_json::from_slice(json)
            .map_err(|_| "the answer is not a list of baggage restrictions".to_owned())?;
        let count = entries.len();
        let list = entries
            .into_iter()
            .fold(AllowedKeys::new(), |list, Object(entry)| {
                let length = usize::try_from(entry.max_value_length).unwrap_or(0);
                list.key(entry.baggage_key, length)
            });
        if self.0.load().as_deref() == Some(&list) {
            return Ok(None);
        }
        self.0.store(Some(Arc::new(list)));
        let listed = match count {
            1 => "1 key is listed".to_owned(),
            count => format!("{count} keys are listed"),
        };
        Ok(Some(format!("{listed}, and no others may be set")))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    baggage_key: String,
    max_value_length: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::Diagnostics;
    use crate::model::Process;

    fn allowed(list: &List, key: &str) -> Option<usize> {
        let list = list.0.load();
        list.as_ref()
            .map(|list| list.restriction(key).max_value_bytes())
    }

    #[test]
    fn a_list_replaces_the_one_before() {
        let list = List::default();
        let take = |json: &str| list.take(json.as_bytes()).expect("a list").is_some();
        assert!(take(
            r#"[{"baggageKey":"a","maxValueLength":3},{"baggageKey":"b","maxValueLength":0,"x":[]}]"#
        ));
        assert_eq!(
            ["a", "b", "c"].map(|key| allowed(&list, key)),
            [Some(3), Some(0), Some(0)]
        );
        assert!(!take(
            r#"[{"maxValueLength":0,"baggageKey":"b"},{"baggageKey":"a","maxValueLength":3}]"#
        ));
        assert!(take(
            r#"[{"baggageKey":"c","maxValueLength":-1},{"baggageKey":"a","maxValueLength":1},
            {"baggageKey":"a","maxValueLength":9223372036854775807}]"#
        ));
        let lengths = ["a", "b", "c"].map(|key| allowed(&list, key));
        assert_eq!(lengths, [Some(i64::MAX as usize), Some(0), Some(0)]);
        assert!(take(" [] "));
        assert_eq!(allowed(&list, "a"), Some(0), "an empty list denies all");
    }

    #[test]
    fn any_other_answer_is_refused_and_changes_nothing() {
        let list = List::default();
        list.take(br#"[{"baggageKey":"a","maxValueLength":3}]"#)
            .expect("a list");
        let deep = "[".repeat(100_000);
        for json in [
            "",
            "null",
            "0",
            "\"\"",
            "{}",
            r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.001}}"#,
            "collector error: baggage not implemented",
            "[null]",
            "[{}]",
            "[[]]",
            r#"[["b",1]]"#,
            r#"[{"baggageKey":"b"}]"#,
            r#"[{"maxValueLength":1}]"#,
            r#"[{"baggageKey":null,"maxValueLength":1}]"#,
            r#"[{"baggageKey":"b","maxValueLength":1.5}]"#,
            r#"[{"baggageKey":"b","maxValueLength":"1"}]"#,
            r#"[{"baggageKey":"b","maxValueLength":1e999}]"#,
            r#"[{"baggageKey":"b","maxValueLength":9223372036854775808}]"#,
            r#"[{"baggageKey":"b","maxValueLength":1},"#,
            r#"[{"baggageKey":"b","maxValueLength":1}] x"#,
            r#"[{"baggageKey":"b","maxValueLength":1},{"baggageKey":7,"maxValueLength":1}]"#,
            &deep,
        ] {
            assert!(list.take(json.as_bytes()).is_err(), "{json}");
            assert_eq!(
                ["a", "b"].map(|key| allowed(&list, key)),
                [Some(3), Some(0)],
                "{json}"
            );
        }
        assert!(
            list.take(b"[{\"baggageKey\":\"\xff\",\"maxValueLength\":1}]")
                .is_err()
        );
    }

    #[test]
    fn a_panic_of_the_initial_restrictions_does_not_stop_the_questions() {
        struct Bad;
        impl BaggageRestrictions for Bad {
            fn attach(&mut self, _: &Services) {
                panic!("an attachment")
            }

            fn restriction(&self, _: &str) -> Restriction {
                Restriction::Denied
            }
        }
        let restrictions = RemoteRestrictions::new("http://127.0.0.1:1/keys").expect("a URL");
        let mut restrictions = restrictions.initial(Bad);
        let services = Services::detached(Process::new("shop", vec![]));
        let services = services.with_diagnostics(Diagnostics::silent());
        restrictions.attach(&services);
        assert!(restrictions.poll.is_some());
        assert_eq!(services.metrics().get(Counter::CallbackPanics), 1);
    }
}
