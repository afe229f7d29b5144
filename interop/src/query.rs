use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value as Json;

use crate::{Backend, Error, Trace, Version, poll::poll};

/// An edge of the graph of who calls whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The calling service.
    pub parent: String,
    /// The called one.
    pub child: String,
    /// How many spans of the child have a span of the parent as their parent.
    pub call_count: u64,
}

/// What a backend counted at its UDP sockets since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Spans taken: handed on by the agent (v1), accepted by the Jaeger receiver (v2).
    pub spans: u64,
    /// Spans that came, but were not taken.
    pub refused_spans: u64,
    /// Datagrams read; `None` in v2, which does not count them.
    pub datagrams: Option<u64>,
    /// Datagrams dropped because the queue was full; `None` in v2.
    pub dropped_datagrams: Option<u64>,
    /// Datagrams that could not be decoded: an error of the writer. `None` in v2.
    pub handler_errors: Option<u64>,
}

impl Backend {
    /// The trace, once it has at least `spans` spans, without the adjustments made for display.
    ///
    /// Asked for every 100 ms for up to 10 s, as a span takes a moment from the socket to the
    /// store.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the backend's last answer when the spans do not come;
    /// [`Error::Http`] at once when the backend answers that it cannot show the trace.
    pub fn trace(&self, trace_id: u128, spans: usize) -> Result<Trace, Error> {
        let wanted = format!("{spans} spans of trace {trace_id:032x}");
        self.wait(&wanted, || {
            let seen = match self.trace_now(trace_id)? {
                Some(trace) if trace.spans.len() >= spans => return Ok(Ok(trace)),
                Some(trace) => format!("{} spans: {:#?}", trace.spans.len(), trace.spans),
                None => "no such trace".to_owned(),
            };
            Ok(Err(format!(
                "{seen}; by UDP since the start: {:?}",
                self.received()?
            )))
        })
    }

    /// The trace as it is stored now; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] when the backend answers with anything but the trace or "not found": it
    /// cannot write infinite doubles and those that are not a number.
    pub fn trace_now(&self, trace_id: u128) -> Result<Option<Trace>, Error> {
        let path = format!("/api/traces/{trace_id:032x}?raw=true");
        match self.query(&path)? {
            None => Ok(None),
            Some(data) => match data.as_array().map(Vec::as_slice) {
                Some([trace]) => Trace::from_json(trace).map(Some),
                _ => Err(Error::shape("data", &data)),
            },
        }
    }

    /// The trace as API v3 gives it, in OTLP's JSON; `None` when there is none.
    ///
    /// It can show the traces that the older API cannot.
    pub fn trace_v3_now(&self, trace_id: u128) -> Result<Option<Json>, Error> {
        let path = format!("/api/v3/traces/{trace_id:032x}?raw_traces=true");
        let body = self.get(self.endpoints().query_http, &path)?.found()?;
        body.map(|body| json(&path, &body)).transpose()
    }

    /// The names of the services that have sent spans.
    pub fn services(&self) -> Result<BTreeSet<String>, Error> {
        let data = self.query("/api/services")?.unwrap_or(Json::Null);
        elements(&data, "data", |name| name.as_str().map(str::to_owned))
    }

    /// Who calls whom, by the spans that started within the last hour.
    ///
    /// Jaeger v2 also counts calls within one service, v1 does not.
    pub fn dependencies(&self) -> Result<BTreeSet<Dependency>, Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        // A minute ahead: a span just started must not fall out at the end of the window.
        let path = format!(
            "/api/dependencies?endTs={}&lookback={}",
            now + 60_000,
            3_660_000
        );
        let data = self.query(&path)?.unwrap_or(Json::Null);
        elements(&data, "data", |edge| {
            Some(Dependency {
                parent: edge["parent"].as_str()?.to_owned(),
                child: edge["child"].as_str()?.to_owned(),
                call_count: edge["callCount"].as_u64()?,
            })
        })
    }

    /// [`dependencies`](Self::dependencies), once `are_complete` says so; asked for as
    /// [`trace`](Self::trace) is.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last ones when they never are.
    pub fn dependencies_when(
        &self,
        are_complete: impl Fn(&BTreeSet<Dependency>) -> bool,
    ) -> Result<BTreeSet<Dependency>, Error> {
        self.wait("the dependencies", || {
            let seen = self.dependencies()?;
            if are_complete(&seen) {
                Ok(Ok(seen))
            } else {
                Ok(Err(format!("{seen:#?}")))
            }
        })
    }

    /// What came by UDP, in both protocols together.
    pub fn received(&self) -> Result<Received, Error> {
        let metrics = self.metrics()?;
        Ok(match self.version() {
            Version::V1 => {
                let datagrams = |name| Some(metrics.count(name, &[("model", "jaeger")]));
                let spans = |name| metrics.count(name, &[("format", "jaeger")]);
                Received {
                    spans: spans("reporter_spans_submitted"),
                    refused_spans: spans("reporter_spans_failures"),
                    datagrams: datagrams("thrift_udp_server_packets_processed"),
                    dropped_datagrams: datagrams("thrift_udp_server_packets_dropped"),
                    handler_errors: datagrams("thrift_udp_t_processor_handler_errors"),
                }
            }
            Version::V2 => {
                let count = |name| -> u64 {
                    ["udp_thrift_compact", "udp_thrift_binary"]
                        .iter()
                        .map(|transport| metrics.count(name, &[("transport", transport)]))
                        .sum()
                };
                Received {
                    spans: count("receiver_accepted_spans"),
                    refused_spans: count("receiver_refused_spans"),
                    ..Received::default()
                }
            }
        })
    }

    /// [`received`](Self::received), once `is_complete` says so; asked for as
    /// [`trace`](Self::trace) is.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last counts when it never is.
    pub fn received_when(
        &self,
        is_complete: impl Fn(&Received) -> bool,
    ) -> Result<Received, Error> {
        self.wait("datagrams at the backend", || {
            let seen = self.received()?;
            if is_complete(&seen) {
                Ok(Ok(seen))
            } else {
                Ok(Err(format!("{seen:?}")))
            }
        })
    }

    /// Looks until the inner result is `Ok`; an outer error ends the waiting.
    fn wait<T>(
        &self,
        wanted: &str,
        mut look: impl FnMut() -> Result<Result<T, String>, Error>,
    ) -> Result<T, Error> {
        let seen = poll(WITHIN, EVERY, || match look() {
            Ok(Ok(value)) => Ok(Ok(value)),
            Ok(Err(last)) => Err(last),
            Err(error) => Ok(Err(error)),
        });
        seen.unwrap_or_else(|last| {
            self.suspect();
            Err(Error::Deadline {
                wanted: wanted.to_owned(),
                last,
            })
        })
    }

    /// The member `data` of the older API's envelope; `None` for "not found".
    fn query(&self, path: &str) -> Result<Option<Json>, Error> {
        let body = self.get(self.endpoints().query_http, path)?.found()?;
        body.map(|body| Ok(json(path, &body)?["data"].take()))
            .transpose()
    }
}

fn json(path: &str, body: &str) -> Result<Json, Error> {
    serde_json::from_str(body).map_err(|error| Error::shape(path, &format!("{error} in {body}")))
}

/// An empty list may be null.
fn elements<T: Ord>(
    list: &Json,
    at: &str,
    read: impl Fn(&Json) -> Option<T>,
) -> Result<BTreeSet<T>, Error> {
    let read_one = |json: &Json| read(json).ok_or_else(|| Error::shape(at, json));
    match list {
        Json::Null => Ok(BTreeSet::new()),
        Json::Array(list) => list.iter().map(read_one).collect(),
        other => Err(Error::shape(at, other)),
    }
}

const WITHIN: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_millis(100);
