//! The embedded agent beside both Jaegers.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value as Json;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound_interop::{Backend, Endpoints, Error, Trace, Version, poll};

use crate::{Result, tee::Tee};

/// The embedded agent and both Jaegers. All get what is sent to [`Three::tee`].
pub(crate) struct Three {
    pub(crate) dev: DevServer,
    pub(crate) v1: Backend,
    pub(crate) v2: Backend,
    pub(crate) tee: Tee,
}

/// A trace as the embedded agent and both Jaegers show it.
pub(crate) struct Shown {
    pub(crate) dev: Trace,
    pub(crate) v1: Trace,
    pub(crate) v2: Trace,
}

impl Three {
    /// Starts all of them, or says that the running test is skipped and returns `None`.
    pub(crate) fn start_or_skip() -> Result<Option<Self>> {
        let Some(v1) = Backend::start_or_skip(Version::V1)? else {
            return Ok(None);
        };
        let Some(v2) = Backend::start_or_skip(Version::V2)? else {
            return Ok(None);
        };
        let dev = dev()?;
        let tee = Tee::start(&[
            endpoints(&dev, v1.endpoints())?,
            v1.endpoints().clone(),
            v2.endpoints().clone(),
        ])?;
        Ok(Some(Self { dev, v1, v2, tee }))
    }

    /// Waits until all three show the trace with at least `spans` spans, without the adjustments made for display.
    pub(crate) fn trace(&self, trace_id: u128, spans: usize) -> Result<Shown> {
        let path = format!("/api/traces/{trace_id:032x}?raw=true");
        let dev = poll(PATIENCE, EVERY, || {
            let found = get(query_address(&self.dev), &path).map_err(|error| error.to_string())?;
            let trace =
                Trace::from_json(&found.1["data"][0]).map_err(|error: Error| error.to_string())?;
            match trace.spans.len() {
                found if found >= spans => Ok(trace),
                found => Err(format!("{found} of {spans} spans")),
            }
        });
        let dev =
            dev.map_err(|last| format!("trace {trace_id:032x}: {last}; {:?}", self.dev.totals()))?;
        let (v1, v2) = (
            self.v1.trace(trace_id, spans)?,
            self.v2.trace(trace_id, spans)?,
        );
        Ok(Shown { dev, v1, v2 })
    }
}

/// Starts the embedded agent with every port that a Jaeger has.
pub(crate) fn dev() -> Result<DevServer> {
    let options = DevOptions::new()
        .otlp_port(0)
        .otlp_grpc_port(0)
        .jaeger_grpc_port(0)
        .zipkin_port(0)
        .jaeger_query_port(0)
        .any_ports()
        .waterfall(Waterfall::Never);
    Ok(DevServer::start(options)?)
}

/// Returns the address of its query API.
pub(crate) fn query_address(dev: &DevServer) -> SocketAddr {
    let at_jaegers_port = dev.jaeger_query_address();
    at_jaegers_port.unwrap_or_else(|| dev.query_address())
}

/// Returns the addresses of the agent in the form of a backend's; those that it lacks are of `others`.
fn endpoints(dev: &DevServer, others: &Endpoints) -> Result<Endpoints> {
    let mut at = others.clone();
    at.compact = dev.agent_address();
    at.binary = dev.binary_agent_address();
    at.sampling_http = dev.sampling_address();
    at.collector_http = dev.collector_address();
    at.collector_grpc = dev.jaeger_grpc_address().ok_or("no port")?;
    at.otlp_http = dev.otlp_address().ok_or("no port")?;
    at.otlp_grpc = dev.otlp_grpc_address().ok_or("no port")?;
    at.zipkin = dev.zipkin_address().ok_or("no port")?;
    at.query_http = query_address(dev);
    Ok(at)
}

/// Requests `path`, and returns the status and the JSON of the answer; null stands for anything else.
pub(crate) fn get(at: SocketAddr, path: &str) -> Result<(u16, Json)> {
    read(agent().get(format!("http://{at}{path}")).call()?)
}

/// Posts a body of JSON. Otherwise like [`get`].
pub(crate) fn post(at: SocketAddr, path: &str, body: &str) -> Result<(u16, Json)> {
    let request = agent().post(format!("http://{at}{path}"));
    read(
        request
            .header("content-type", "application/json")
            .send(body)?,
    )
}

fn read(mut answer: ureq::http::Response<ureq::Body>) -> Result<(u16, Json)> {
    let status = answer.status().as_u16();
    let body = answer.body_mut().read_to_string()?;
    Ok((status, serde_json::from_str(&body).unwrap_or(Json::Null)))
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_idle_connections(0)
        .proxy(None)
        .timeout_global(Some(PATIENCE));
    config.build().into()
}

/// The timeout of what should come at once.
const PATIENCE: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(50);
