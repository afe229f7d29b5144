//! Where the spans go: to an agent inside this program, or to the one that `JAEGER_AGENT_HOST` or `JAEGER_AGENT_PORT`
//! names.

use std::error::Error;
use std::time::Duration;

use tracehound::config::Source;
use tracehound::dev::{DevOptions, DevServer, Waterfall};
use tracehound::reporter::sender::AgentAddress;
use tracehound::sampler::ConstSampler;
use tracehound::{Config, JaegerTracer};

pub(crate) enum Backend {
    Embedded(DevServer),
    Agent(AgentAddress),
}

impl Backend {
    /// With `well_known_ports` the embedded agent listens on Jaeger's ports, which other programs send to.
    pub(crate) fn choose(well_known_ports: bool) -> Result<Self, Box<dyn Error>> {
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
        let options = DevOptions::new().waterfall(Waterfall::Always);
        let options = if well_known_ports {
            options
        } else {
            options.any_ports()
        };
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

    /// Shows a trace, or says where to see it. Blocks the thread of `main`; the services run on others.
    pub(crate) fn show(&self, trace_id: &str, tracers: &[JaegerTracer]) {
        for tracer in tracers {
            tracer.flush(Duration::from_secs(1));
        }
        match self {
            Self::Embedded(server) => {
                server.wait_until_printed(Duration::from_secs(5));
            }
            Self::Agent(_) if trace_id.is_empty() => println!("No trace: tracing is off.\n"),
            Self::Agent(agent) => {
                let pages = AgentAddress::new(agent.host(), 16_686);
                println!("trace {trace_id}\nlook: http://{pages}/trace/{trace_id}\n");
            }
        }
    }
}
