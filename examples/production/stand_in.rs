//! An agent within the process, where no Jaeger is.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs, process};

use tracehound::Config;
use tracehound::dev::{DevOptions, DevServer, Waterfall};

/// An agent that keeps one trace in twenty by its strategy, in a file as Jaeger has one.
pub(crate) struct StandIn {
    pub(crate) server: DevServer,
    strategies: PathBuf,
}

impl StandIn {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let name = format!("tracehound-production-{}.json", process::id());
        let strategies = env::temp_dir().join(name);
        let one_in_twenty = r#"{"default_strategy": {"type": "probabilistic", "param": 0.05}}"#;
        fs::write(&strategies, one_in_twenty)?;
        let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
        let server = DevServer::start(options.strategies_file(&strategies))?;
        Ok(Self { server, strategies })
    }

    /// Returns settings by which spans go to it, and strategies come from it.
    pub(crate) fn receives(&self, config: Config) -> Config {
        let agent = self.server.agent_address();
        let strategies = self.server.sampling_address();
        config
            .agent_host(agent.ip().to_string())
            .agent_port(agent.port())
            .sampling_endpoint(format!("http://{strategies}/sampling"))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.strategies);
    }
}
