//! Where the spans go: to an agent inside this program, or to the one that `JAEGER_AGENT_HOST` or `JAEGER_AGENT_PORT`
//! names.

use std::error::Error;
use std::time::Duration;

use tracehound::config::Source;
use tracehound::dev::{DevOptions, DevServer};
use tracehound::metrics::DropCounts;
use tracehound::reporter::sender::AgentAddress;
use tracehound::sampler::ConstSampler;
use tracehound::{Config, JaegerTracer};

pub(crate) enum Backend {
    Embedded(DevServer),
    Agent(AgentAddress),
}

impl Backend {
    /// `options` are those of the embedded agent.
    pub(crate) fn choose(options: DevOptions) -> Result<Self, Box<dyn Error>> {
        let settings = Config::from_env()?.explain();
        let is_set = |name| {
            let setting = settings.get(name);
            setting.is_some_and(|setting| matches!(setting.source(), Source::Variable(_)))
        };
        if is_set("agent_host") || is_set("agent_port") {
            let value = |name| settings.get(name).map_or("", |setting| setting.value());
            let host = value("agent_host").trim_matches('"');
            let agent = AgentAddress::parse(host, value("agent_port").parse()?)?;
            return Ok(Self::Agent(agent));
        }
        Ok(Self::Embedded(DevServer::start(options)?))
    }

    /// Makes a tracer for one of the services. It keeps every trace.
    pub(crate) fn tracer(&self, service_name: &str) -> Result<JaegerTracer, Box<dyn Error>> {
        Ok(match self {
            Self::Embedded(server) => server.tracer(service_name)?,
            Self::Agent(_) => Config::from_env()?
                .service_name(service_name)
                .sampler(ConstSampler::new(true))
                .build()?,
        })
    }

    /// Returns where the spans go.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded(server) => {
                let address = server.agent_address();
                format!("the agent inside this program ({address})")
            }
            Self::Agent(address) => format!("your agent at {address}"),
        }
    }

    /// Returns the start of the addresses of traces, for a browser. A trace id follows it.
    pub(crate) fn pages(&self) -> String {
        match self {
            Self::Embedded(server) => format!("http://{}/trace/", server.query_address()),
            Self::Agent(agent) => {
                let pages = AgentAddress::new(agent.host(), 16_686);
                format!("http://{pages}/trace/")
            }
        }
    }
}

/// Sends the last spans, and prints what became of every span.
pub(crate) fn print_ledger(tracers: &[JaegerTracer]) {
    let (mut sent, mut dropped) = (0, DropCounts::default());
    for tracer in tracers {
        let report = tracer.close(Duration::from_secs(1));
        sent += report.sent;
        dropped.merge(&report.dropped);
    }
    print!("spans: sent {sent}, dropped {}", dropped.total());
    match dropped.total() {
        0 => println!(),
        _ => println!(" ({dropped})"),
    }
}
