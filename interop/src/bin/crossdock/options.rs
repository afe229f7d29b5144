//! The settings of the service, by flags and by the environment.

use std::{
    collections::HashMap,
    env,
    fmt::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use tracehound::{Config, JaegerTracer, config::ConfigError, sampler::ConstSampler};

/// How our client puts the context into the metadata of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GrpcClient {
    /// `ClientLayer`, which also makes the client span.
    #[default]
    Layer,
    /// `TracingInterceptor`, inside of a client span that the service makes.
    Interceptor,
}

/// The settings of the service.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// The name of the service.
    pub(crate) service: String,
    /// The port for gRPC, at the address of [`listen`](Self::listen).
    pub(crate) grpc_port: Option<u16>,
    /// The part of this library by which the gRPC client injects.
    pub(crate) grpc_client: GrpcClient,
    format: Option<String>,
    trace_id_bits: Option<String>,
    /// The host and the port of the agent.
    agent: Option<(String, String)>,
    /// The URL of the sampling server.
    sampling: Option<String>,
}

impl Options {
    /// Reads the flags of the program, and for those that are missing the environment.
    pub(crate) fn read() -> Result<Self, String> {
        Self::parse(env::args().skip(1), |name| env::var(name).ok())
    }

    fn parse(
        arguments: impl IntoIterator<Item = String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let flags = flags(arguments)?;
        let setting = |names: &[&str], variable_name: &str| {
            let of_flag = names.iter().find_map(|name| flags.get(*name)).cloned();
            let value = of_flag.or_else(|| variable(variable_name));
            value.filter(|value| !value.is_empty())
        };
        let host = match setting(&["host"], "CROSSDOCK_HOST") {
            Some(host) => host
                .parse()
                .map_err(|_| invalid("--host", "an IP address", &host))?,
            None => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let port = match setting(&["port"], "CROSSDOCK_PORT") {
            Some(port) => port
                .parse()
                .map_err(|_| invalid("--port", "a port", &port))?,
            None => DEFAULT_PORT,
        };
        let grpc_port = match setting(&["grpc-port"], "CROSSDOCK_GRPC_PORT") {
            Some(port) => Some(
                port.parse()
                    .map_err(|_| invalid("--grpc-port", "a port", &port))?,
            ),
            None => None,
        };
        let grpc_client = match setting(&["grpc-client"], "CROSSDOCK_GRPC_CLIENT").as_deref() {
            None | Some("layer") => GrpcClient::Layer,
            Some("interceptor") => GrpcClient::Interceptor,
            Some(other) => {
                return Err(invalid("--grpc-client", "layer or interceptor", other));
            }
        };
        let agent = match setting(&["agent", "agent-compact"], "AGENT_HOST_PORT") {
            Some(agent) => match agent.rsplit_once(':') {
                Some((host, port)) => Some((host.to_owned(), port.to_owned())),
                None => return Err(invalid("--agent", "HOST:PORT", &agent)),
            },
            None => None,
        };
        Ok(Self {
            listen: SocketAddr::new(host, port),
            service: setting(&["service"], "JAEGER_SERVICE_NAME")
                .unwrap_or_else(|| DEFAULT_SERVICE.to_owned()),
            grpc_port,
            grpc_client,
            format: setting(&["format"], "JAEGER_PROPAGATION"),
            trace_id_bits: setting(&["trace-id-bits"], "CROSSDOCK_TRACE_ID_BITS"),
            agent,
            sampling: setting(&["sampling"], "SAMPLING_SERVER_URL"),
        })
    }

    /// Makes the tracer of the service, which samples what a request asks for and nothing else.
    pub(crate) fn tracer(&self) -> Result<JaegerTracer, ConfigError> {
        let config = self.config(&[])?;
        config.sampler(ConstSampler::new(false)).build()
    }

    /// Makes a tracer with a sampler of the type, as the variable `JAEGER_SAMPLER_TYPE` names it.
    ///
    /// The parameter is 1: every trace; at most one a second for the rate limiting sampler; every trace until the
    /// sampling server has answered for the remote one.
    pub(crate) fn tracer_with(&self, sampler_type: &str) -> Result<JaegerTracer, ConfigError> {
        let mut sampler = vec![
            ("JAEGER_SAMPLER_TYPE", sampler_type),
            ("JAEGER_SAMPLER_PARAM", "1"),
        ];
        if sampler_type == "remote" {
            sampler.push(("JAEGER_SAMPLER_REFRESH_INTERVAL", "5s"));
            let url = self.sampling.as_deref();
            sampler.extend(url.map(|url| ("JAEGER_SAMPLING_ENDPOINT", url)));
        }
        self.config(&sampler)?.build()
    }

    fn config(&self, further: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let (agent_host, agent_port) = self.agent.clone().unzip();
        let is_128_bit = self.trace_id_bits.as_deref().map(|bits| match bits {
            "64" => "false".to_owned(),
            "128" => "true".to_owned(),
            // The configuration complains of it.
            other => other.to_owned(),
        });
        Config::from_lookup(|name| {
            let own = match name {
                "JAEGER_SERVICE_NAME" => Some(self.service.clone()),
                FORMAT => self.format.clone(),
                "JAEGER_TRACEID_128BIT" => is_128_bit.clone(),
                "JAEGER_AGENT_HOST" => agent_host.clone(),
                "JAEGER_AGENT_PORT" => agent_port.clone(),
                _ => None,
            };
            let further = further.iter().find(|(key, _)| *key == name);
            own.or_else(|| further.map(|(_, value)| (*value).to_owned()))
        })
    }
}

/// Returns whether the tracer cannot be built because the library lacks the format.
pub(crate) fn lacks_format(error: &ConfigError) -> bool {
    error
        .problems()
        .iter()
        .any(|problem| problem.name() == FORMAT)
}

/// Returns the text of the error in one line.
pub(crate) fn one_line(error: &ConfigError) -> String {
    let mut line = String::new();
    for part in error.to_string().lines() {
        let separator = if line.is_empty() { "" } else { "; " };
        // Writing to a `String` cannot fail.
        let _ = write!(line, "{separator}{}", part.trim());
    }
    line
}

/// Reads `--name value` and `--name=value`. Unknown flags are kept, and nobody asks for them.
fn flags(arguments: impl IntoIterator<Item = String>) -> Result<HashMap<String, String>, String> {
    let mut flags = HashMap::new();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let Some(flag) = argument.strip_prefix("--") else {
            return Err(format!(
                "expected a flag such as --port, found {argument:?}"
            ));
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => match arguments.next() {
                Some(value) => (flag.to_owned(), value),
                None => return Err(format!("--{flag}: a value is missing")),
            },
        };
        flags.insert(name, value);
    }
    Ok(flags)
}

fn invalid(name: &str, expected: &str, found: &str) -> String {
    format!("{name}: expected {expected}, found {found:?}")
}

const FORMAT: &str = "JAEGER_PROPAGATION";
const DEFAULT_PORT: u16 = 8081;
const DEFAULT_SERVICE: &str = "crossdock-rust";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &str, variables: &[(&str, &str)]) -> Result<Options, String> {
        let arguments = arguments.split_whitespace().map(str::to_owned);
        Options::parse(arguments, |name| {
            let set = variables.iter().find(|(key, _)| *key == name);
            set.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_flag_wins_over_a_variable() -> Result<(), String> {
        let variables = [("CROSSDOCK_PORT", "1"), ("AGENT_HOST_PORT", "agent:5")];
        let options = parse("--port 2 --service=s", &variables)?;
        assert_eq!(options.listen, SocketAddr::from(([127, 0, 0, 1], 2)));
        assert_eq!(options.service, "s");
        assert_eq!(options.agent, Some(("agent".to_owned(), "5".to_owned())));
        Ok(())
    }

    #[test]
    fn unknown_flags_are_accepted() -> Result<(), String> {
        let options = parse("--otlp http://127.0.0.1:4318 --host 127.0.0.9", &[])?;
        assert_eq!(
            options.listen,
            SocketAddr::from(([127, 0, 0, 9], DEFAULT_PORT))
        );
        Ok(())
    }

    #[test]
    fn a_flag_that_cannot_be_read_is_named() {
        for (arguments, message) in [
            ("--port x", "--port: expected a port, found \"x\""),
            (
                "--host here",
                "--host: expected an IP address, found \"here\"",
            ),
            (
                "--agent 6831",
                "--agent: expected HOST:PORT, found \"6831\"",
            ),
            ("--port", "--port: a value is missing"),
            ("8081", "expected a flag such as --port, found \"8081\""),
        ] {
            let found = parse(arguments, &[]).expect_err(arguments);
            assert_eq!(found, message);
        }
    }

    #[test]
    fn an_unknown_format_is_the_fault_of_the_format() -> Result<(), String> {
        let error = parse("--format smoke", &[])?
            .tracer()
            .expect_err("no such format");
        assert!(lacks_format(&error), "{error}");
        assert_eq!(one_line(&error).lines().count(), 1);
        let error = parse("--trace-id-bits 96", &[])?
            .tracer()
            .expect_err("no such length");
        assert!(!lacks_format(&error), "{error}");
        Ok(())
    }
}
