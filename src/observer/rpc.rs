//! The metrics of remote procedure calls that Jaeger's Go client has.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::metrics::{CounterHandle, MetricName, MetricsFactory, TimerHandle};
use crate::model::SpanKind;
use crate::observer::{ObservedSpan, SpanObserver};
use crate::sync::PerProcess;

/// An observer that counts and times the calls that a service answers, under the names of Jaeger's Go client
/// (`rpcmetrics`), so that dashboards for Go services work.
///
/// | metric | labels | kind |
/// |---|---|---|
/// | `jaeger_rpc_requests` | `endpoint`, `error` (`true`, `false`) | counter |
/// | `jaeger_rpc_request_latency` | `endpoint`, `error` | timer |
/// | `jaeger_rpc_http_requests` | `endpoint`, `status_code` (`2xx`, `3xx`, `4xx`, `5xx`) | counter |
///
/// Each also has the label `component=jaeger`. [`Config::rpc_metrics`](crate::Config::rpc_metrics) and the variable
/// `JAEGER_RPC_METRICS` turn them on.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::metrics::InMemoryMetrics;
/// use tracehound::observer::RpcMetrics;
/// use tracehound::prelude::*;
///
/// let metrics = InMemoryMetrics::new();
/// let tracer = JaegerTracer::builder("shop").observer(RpcMetrics::new(metrics.clone())).build()?;
/// let span = tracer.build_span("GET /cart/{id}").tag("span.kind", "server").start();
/// span.set_tag("http.status_code", 404);
/// span.finish();
///
/// let endpoint = ("endpoint", "GET-/cart/-id-");
/// let labels = |name, value| [("component", "jaeger"), endpoint, (name, value)];
/// assert_eq!(metrics.counter_value("jaeger_rpc_requests", &labels("error", "false")), 1);
/// assert_eq!(metrics.counter_value("jaeger_rpc_http_requests", &labels("status_code", "4xx")), 1);
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
///
/// # What is counted?
///
/// Spans with the tag `span.kind=server` and a name, sampled or not, as they finish. The endpoint is the name at the
/// end, with `-` for each byte that is not a letter or digit of ASCII or one of `-_/.`, so a character of several bytes
/// becomes several dashes. The first 200 names are remembered, and calls under further ones go to the endpoint `other`.
/// Names that become one endpoint share their metrics, but take a place each. `http_requests` counts statuses from 200
/// to 599. [`ObservedSpan`] tells how errors and statuses are read.
///
/// # What does it cost?
///
/// The thread that finishes a server span calls two or three handles of the factory, and a clock of none. For counts
/// that cost less, and of all spans, use [`RedMetrics`](super::RedMetrics).
pub struct RpcMetrics {
    factory: Box<dyn MetricsFactory>,
    endpoints: PerProcess<Endpoints>,
}

/// The endpoints of one process.
#[derive(Default)]
struct Endpoints {
    /// By raw name. Replaced as a whole, so that a look-up takes no lock.
    known: ArcSwap<HashMap<String, Arc<EndpointMetrics>>>,
    /// Held while a name is added.
    adding: Mutex<ByEndpoint>,
}

/// The metrics by endpoint: names that become one endpoint share them.
type ByEndpoint = HashMap<String, Arc<EndpointMetrics>>;

/// The handles of one endpoint.
struct EndpointMetrics {
    successes: Outcome,
    failures: Outcome,
    /// By the first digit of the status, from 2.
    by_status: [Box<dyn CounterHandle>; 4],
}

struct Outcome {
    requests: Box<dyn CounterHandle>,
    latency: Box<dyn TimerHandle>,
}

impl RpcMetrics {
    /// Makes the observer. It makes its metrics by `factory`, as it meets endpoints.
    pub fn new(factory: impl MetricsFactory + 'static) -> Self {
        Self {
            factory: Box::new(factory),
            endpoints: PerProcess::new(Endpoints::default()),
        }
    }

    /// Returns the metrics of an operation, and makes them if need be.
    fn endpoint(&self, name: &str) -> Arc<EndpointMetrics> {
        let endpoints = self.endpoints.get(|_| Endpoints::default());
        let known = endpoints.known.load();
        if let Some(metrics) = known.get(name) {
            return metrics.clone();
        }
        let mut by_endpoint = endpoints
            .adding
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added the name meanwhile.
        let known = endpoints.known.load_full();
        if let Some(metrics) = known.get(name) {
            return metrics.clone();
        }
        let is_full = known.len() >= MAX_NAMES;
        let endpoint = if is_full {
            OTHER.to_owned()
        } else {
            normalized(name)
        };
        let made = by_endpoint.entry(endpoint).or_insert_with_key(|endpoint| {
            Arc::new(EndpointMetrics::new(&*self.factory, endpoint))
        });
        if !is_full {
            let mut more = (*known).clone();
            more.insert(name.to_owned(), made.clone());
            endpoints.known.store(Arc::new(more));
        }
        made.clone()
    }
}

impl SpanObserver for RpcMetrics {
    fn on_finish(&self, span: &ObservedSpan<'_>) {
        let name = span.operation_name();
        if span.kind() != Some(SpanKind::Server) || name.is_empty() {
            return;
        }
        let metrics = self.endpoint(name);
        let outcome = match span.is_error() {
            true => &metrics.failures,
            false => &metrics.successes,
        };
        outcome.requests.add(1);
        outcome.latency.record(span.duration());
        let class = span.http_status().unwrap_or_default() / 100;
        let class = class.checked_sub(2).map(usize::from);
        if let Some(counter) = class.and_then(|class| metrics.by_status.get(class)) {
            counter.add(1);
        }
    }
}

impl EndpointMetrics {
    fn new(factory: &dyn MetricsFactory, endpoint: &str) -> Self {
        let outcome = |error| {
            let labels = [COMPONENT, ("endpoint", endpoint), ("error", error)];
            Outcome {
                requests: factory.counter(&MetricName::new(
                    "jaeger_rpc_requests",
                    &labels,
                    "Calls that the service has answered.",
                )),
                latency: factory.timer(&MetricName::new(
                    "jaeger_rpc_request_latency",
                    &labels,
                    "Time from the start to the end of the calls that the service has answered.",
                )),
            }
        };
        Self {
            successes: outcome("false"),
            failures: outcome("true"),
            by_status: ["2xx", "3xx", "4xx", "5xx"].map(|class| {
                let labels = [COMPONENT, ("endpoint", endpoint), ("status_code", class)];
                factory.counter(&MetricName::new(
                    "jaeger_rpc_http_requests",
                    &labels,
                    "Calls that the service has answered by HTTP.",
                ))
            }),
        }
    }
}

impl fmt::Debug for RpcMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints = self.endpoints.get(|_| Endpoints::default());
        write!(f, "RpcMetrics({} names)", endpoints.known.load().len())
    }
}

/// Returns the endpoint of an operation name.
fn normalized(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'/' | b'.' => char::from(byte),
            _ => '-',
        })
        .collect()
}

const COMPONENT: (&str, &str) = ("component", "jaeger");
const MAX_NAMES: usize = 200;
const OTHER: &str = "other";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_normalized_byte_by_byte() {
        let rows = [
            ("GET /cart/{id}", "GET-/cart/-id-"),
            ("azAZ09-_/.", "azAZ09-_/."),
            ("é", "--"),
            ("a☂b", "a---b"),
            ("\u{0}\n\"", "---"),
        ];
        for (name, expected) in rows {
            assert_eq!(normalized(name), expected, "{name:?}");
        }
    }
}
