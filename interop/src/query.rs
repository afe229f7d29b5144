use std::{
    collections::BTreeSet,
    fmt::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value as Json;

use crate::{Backend, Error, StoredSpan, Trace, Version, Way, poll};

/// An edge of the dependency graph: a service that calls another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// The calling service.
    pub parent: String,
    /// The called service.
    pub child: String,
    /// The number of spans of the child whose parent is a span of the parent.
    pub call_count: u64,
}

/// The counts of a backend at its receivers since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Received {
    /// Spans that were handed on by the agent (v1, UDP), taken by the collector (v1, other ways) or accepted by a
    /// receiver (v2).
    pub spans: u64,
    /// Spans that came but were not taken.
    pub refused_spans: u64,
    /// Datagrams that were read; `None` in v2, which does not count them.
    pub datagrams: Option<u64>,
    /// Datagrams that were dropped because the queue was full; `None` in v2.
    pub dropped_datagrams: Option<u64>,
    /// Datagrams that could not be decoded, which is an error of the writer; `None` in v2.
    pub handler_errors: Option<u64>,
}

impl Backend {
    /// Returns the trace once it has at least `spans` spans, without the adjustments made for display.
    ///
    /// The backend is asked every 100 ms for up to 10 s, because a span takes a moment from the
    /// socket to the store.
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the backend's last answer if the spans do not come;
    /// [`Error::Http`] at once if the backend answers that it cannot show the trace.
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

    /// Returns the trace as it is stored now; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if the backend answers with anything but the trace or "not found". It
    /// cannot write doubles that are infinite or not a number.
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

    /// Returns the spans of all stored traces in which the service has a span with this operation name, 50,000 traces
    /// at most, without the adjustments made for display.
    pub fn spans_of(&self, service: &str, operation: &str) -> Result<Vec<StoredSpan>, Error> {
        let operation = escaped(operation);
        let path = format!(
            "/api/traces?service={service}&operation={operation}&limit={MOST_TRACES}&raw=true"
        );
        let data = self.query(&path)?.unwrap_or(Json::Null);
        let traces = data.as_array().map_or(&[][..], Vec::as_slice);
        let mut spans = Vec::new();
        for trace in traces {
            spans.extend(Trace::from_json(trace)?.spans);
        }
        Ok(spans)
    }

    /// Returns the ids of all stored traces in which the service takes part, 50,000 at most.
    pub fn trace_ids(&self, service: &str) -> Result<BTreeSet<u128>, Error> {
        // v2 takes no limit beyond the number of traces that its store has room for.
        let path = format!("/api/traces?service={service}&limit={MOST_TRACES}");
        let data = self.query(&path)?.unwrap_or(Json::Null);
        elements(&data, "data", |trace| {
            u128::from_str_radix(trace["traceID"].as_str()?, 16).ok()
        })
    }

    /// Returns the [`trace_ids`](Self::trace_ids) once `are_complete` accepts them; asks as often as
    /// [`trace`](Self::trace).
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last ids if they are never accepted.
    pub fn trace_ids_when(
        &self,
        service: &str,
        are_complete: impl Fn(&BTreeSet<u128>) -> bool,
    ) -> Result<BTreeSet<u128>, Error> {
        self.wait(&format!("the traces of {service}"), || {
            let seen = self.trace_ids(service)?;
            if are_complete(&seen) {
                Ok(Ok(seen))
            } else {
                Ok(Err(format!("{seen:x?}")))
            }
        })
    }

    /// Returns the trace as API v3 gives it, in OTLP's JSON; `None` if there is none.
    ///
    /// This API can show the traces that the older one cannot.
    pub fn trace_v3_now(&self, trace_id: u128) -> Result<Option<Json>, Error> {
        let path = format!("/api/v3/traces/{trace_id:032x}?raw_traces=true");
        let body = self.get(self.endpoints().query_http, &path)?.found()?;
        body.map(|body| json(&path, &body)).transpose()
    }

    /// Returns the names of the services that have sent spans.
    pub fn services(&self) -> Result<BTreeSet<String>, Error> {
        let data = self.query("/api/services")?.unwrap_or(Json::Null);
        elements(&data, "data", |name| name.as_str().map(str::to_owned))
    }

    /// Returns the dependency graph of the spans that started within the last hour.
    ///
    /// Jaeger v2 also counts calls within one service, v1 does not.
    pub fn dependencies(&self) -> Result<BTreeSet<Dependency>, Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        // The window ends a minute ahead, so that a span just started is inside.
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

    /// Returns the [`dependencies`](Self::dependencies) once `are_complete` accepts them; asks as
    /// often as [`trace`](Self::trace).
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last graph if it is never accepted.
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

    /// Returns the counts of both UDP protocols together.
    pub fn received(&self) -> Result<Received, Error> {
        self.received_by(Way::Agent)
    }

    /// Returns the counts of the spans that came by `way`. Only UDP has counts of datagrams.
    ///
    /// v1 counts OTLP by HTTP and by gRPC together, under a format that it calls unknown, and counts its
    /// agent's spans as gRPC, too.
    pub fn received_by(&self, way: Way) -> Result<Received, Error> {
        let metrics = self.metrics()?;
        let sum = |name, labels: &[&[(&str, &str)]]| -> u64 {
            labels
                .iter()
                .map(|labels| metrics.count(name, labels))
                .sum()
        };
        Ok(match self.version() {
            Version::V1 if way != Way::Agent => {
                let labels: &[&[_]] = match way {
                    Way::Grpc => &[&[("format", "proto")]],
                    Way::OtlpHttp | Way::OtlpGrpc => &[&[("format", "unknown")]],
                    Way::Zipkin => &[&[("format", "zipkin")]],
                    _ => &[&[("format", "jaeger")]],
                };
                Received {
                    spans: sum("collector_spans_received", labels),
                    refused_spans: sum("collector_spans_rejected", labels)
                        + sum("collector_spans_dropped", &[&[]]),
                    ..Received::default()
                }
            }
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
                let labels: &[&[_]] = match way {
                    Way::Agent => &[
                        &[("transport", "udp_thrift_compact")],
                        &[("transport", "udp_thrift_binary")],
                    ],
                    Way::Thrift => &[&[("transport", "collector_http")]],
                    Way::Grpc => &[&[("receiver", "jaeger"), ("transport", "grpc")]],
                    Way::OtlpHttp => &[&[("receiver", "otlp"), ("transport", "http")]],
                    Way::OtlpGrpc => &[&[("receiver", "otlp"), ("transport", "grpc")]],
                    Way::Zipkin => &[&[("receiver", "zipkin")]],
                };
                Received {
                    spans: sum("receiver_accepted_spans", labels),
                    refused_spans: sum("receiver_refused_spans", labels),
                    ..Received::default()
                }
            }
        })
    }

    /// Returns the [`received`](Self::received) counts once `is_complete` accepts them; asks as
    /// often as [`trace`](Self::trace).
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last counts if they are never accepted.
    pub fn received_when(
        &self,
        is_complete: impl Fn(&Received) -> bool,
    ) -> Result<Received, Error> {
        self.received_by_when(Way::Agent, is_complete)
    }

    /// Returns the counts of [`received_by`](Self::received_by) once `is_complete` accepts them; asks
    /// as often as [`trace`](Self::trace).
    ///
    /// # Errors
    ///
    /// [`Error::Deadline`] with the last counts if they are never accepted.
    pub fn received_by_when(
        &self,
        way: Way,
        is_complete: impl Fn(&Received) -> bool,
    ) -> Result<Received, Error> {
        self.wait(&format!("spans by {way} at the backend"), || {
            let seen = self.received_by(way)?;
            if is_complete(&seen) {
                Ok(Ok(seen))
            } else {
                Ok(Err(format!("{seen:?}")))
            }
        })
    }

    /// Calls `look` until the inner result is `Ok`; an outer error ends the waiting.
    pub(crate) fn wait<T>(
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

    /// Returns the member `data` of the older API's envelope; `None` for "not found".
    fn query(&self, path: &str) -> Result<Option<Json>, Error> {
        let body = self.get(self.endpoints().query_http, path)?.found()?;
        body.map(|body| Ok(json(path, &body)?["data"].take()))
            .transpose()
    }
}

/// Returns a text for the value of a parameter in a URL.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(byte.into());
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

pub(crate) fn json(path: &str, body: &str) -> Result<Json, Error> {
    serde_json::from_str(body).map_err(|error| Error::shape(path, &format!("{error} in {body}")))
}

/// Reads a list; an empty one may be null.
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

const MOST_TRACES: usize = 50_000;
const WITHIN: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_millis(100);
