use std::time::Duration;

use crate::config::error::ConfigProblem;
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse;
use crate::config::secret::Secret;
use crate::config::sending::endpoint;
use crate::config::sending::uploads::Uploads;
use crate::config::sending::way::{JaegerProtocol, Way, of_variable};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::redact;
#[cfg(feature = "grpc")]
use crate::reporter::sender::GrpcSender;
use crate::reporter::sender::{HttpSender, InvalidHeader};
use crate::reporter::{RemoteReporter, Reporter};

/// The settings of a Jaeger collector.
pub(crate) struct Collector {
    /// `None` for the default one of the protocol.
    endpoint: Setting<Option<String>>,
    protocol: Setting<Protocol>,
    user: Setting<Option<Secret>>,
    password: Setting<Option<Secret>>,
    token: Setting<Option<Secret>>,
    /// Further headers, of a file.
    headers: Vec<(String, Secret)>,
    timeout: Setting<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// Thrift over HTTP.
    Http,
    #[cfg(feature = "grpc")]
    Grpc,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            endpoint: Setting::default_value(None),
            protocol: Setting::default_value(Protocol::Http),
            user: Setting::default_value(None),
            password: Setting::default_value(None),
            token: Setting::default_value(None),
            headers: Vec::new(),
            timeout: Setting::default_value(TIMEOUT),
        }
    }
}

impl Collector {
    /// Puts the values of variables in the place of these settings.
    pub(super) fn read(
        self,
        variables: &mut Variables<'_>,
        protocol: Option<&Setting<JaegerProtocol>>,
    ) -> Self {
        let read = read_endpoint(variables, protocol);
        let (endpoint, protocol) = match read {
            Some((endpoint, protocol)) => (endpoint, Some(protocol)),
            None => (self.endpoint, protocol.and_then(of_jaeger)),
        };
        Self {
            endpoint,
            protocol: self.protocol.or(protocol),
            user: self.user.or(variables.first([
                ("JAEGER_USER", secret),
                ("OTEL_EXPORTER_JAEGER_USER", secret),
            ])),
            password: self.password.or(variables.first([
                ("JAEGER_PASSWORD", secret),
                ("OTEL_EXPORTER_JAEGER_PASSWORD", secret),
            ])),
            token: self
                .token
                .or(variables.first([("JAEGER_AUTH_TOKEN", secret)])),
            headers: self.headers,
            timeout: self.timeout.or(variables.first([
                ("JAEGER_REPORTER_TIMEOUT", parse::duration),
                ("OTEL_EXPORTER_JAEGER_TIMEOUT", parse::duration),
                ("OTEL_BSP_EXPORT_TIMEOUT", parse::duration),
            ])),
        }
    }

    /// Returns the way to the collector, if a variable of this family has named it.
    pub(super) fn way_of_variable(&self, family: &str) -> Option<Setting<Way>> {
        of_variable(&self.endpoint, family, Way::Collector)
    }

    /// Reports credentials that cannot be used, and warns of those that go nowhere.
    pub(super) fn check(&mut self, is_used: bool, variables: &mut Variables<'_>) {
        if is_used {
            if let Err(problem) = self.reporter(&mut Vec::new()) {
                variables.report(problem);
                // What is read lossily is sent without them.
                self.user = Setting::default_value(None);
                self.password = Setting::default_value(None);
                self.token = Setting::default_value(None);
                self.headers.clear();
            }
            return;
        }
        for credential in [&self.user, &self.password, &self.token] {
            if credential.value.is_some() {
                let name = credential.name("collector");
                let because = "spans go to no collector, which JAEGER_ENDPOINT would name";
                variables.warn(ConfigProblem::no_effect(name, because));
            }
        }
    }

    pub(super) fn explain(&self) -> Vec<ExplainedSetting> {
        let shown = |secret: &Option<Secret>| match secret {
            Some(_) => "set".to_owned(),
            None => "none".to_owned(),
        };
        vec![
            row("collector_endpoint", &self.endpoint, |_| {
                quoted(&redact::value(self.effective_endpoint()))
            }),
            row(
                "collector_protocol",
                &self.protocol,
                |protocol| match protocol {
                    Protocol::Http => "http/thrift.binary".to_owned(),
                    #[cfg(feature = "grpc")]
                    Protocol::Grpc => "grpc".to_owned(),
                },
            ),
            row("collector_user", &self.user, shown),
            row("collector_password", &self.password, shown),
            row("collector_token", &self.token, shown),
            row("collector_timeout", &self.timeout, |it| format!("{it:?}")),
        ]
    }

    /// Returns the reporter, and where spans go in words.
    pub(super) fn reporter(
        &self,
        _warnings: &mut Vec<ConfigProblem>,
    ) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        match self.protocol.value {
            Protocol::Http => self.reporter_by::<HttpSender>(),
            #[cfg(feature = "grpc")]
            Protocol::Grpc => self.reporter_by::<GrpcSender>(),
        }
    }

    fn reporter_by<S: Uploads>(&self) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        let sender = self.sender::<S>()?;
        let destination = sender.destination();
        Ok((Box::new(RemoteReporter::new(sender)), destination))
    }

    fn effective_endpoint(&self) -> &str {
        let default = match self.protocol.value {
            Protocol::Http => HttpSender::DEFAULT_ENDPOINT,
            #[cfg(feature = "grpc")]
            Protocol::Grpc => GrpcSender::DEFAULT_ENDPOINT,
        };
        self.endpoint.value.as_deref().unwrap_or(default)
    }

    /// Takes the settings of a file.
    #[cfg(feature = "serde")]
    pub(crate) fn set_of_file(
        &mut self,
        endpoint: Option<String>,
        [user, password]: [Option<Secret>; 2],
        headers: Vec<(String, Secret)>,
        timeout: Option<Duration>,
    ) {
        let set = |setting: &mut Setting<_>, value: Option<Secret>, key| {
            if value.is_some() {
                *setting = Setting::of_file(value, key);
            }
        };
        set(&mut self.user, user, "reporter.user");
        set(&mut self.password, password, "reporter.password");
        self.headers = headers;
        if let Some(timeout) = timeout {
            self.timeout = Setting::of_file(timeout, "reporter.timeout");
        }
        if let Some(endpoint) = endpoint {
            let key = "reporter.endpoint";
            self.protocol = Setting::of_file(of_scheme(&endpoint), key);
            self.endpoint = Setting::of_file(Some(endpoint), key);
        }
    }

    /// Makes the sender. Opens no connection.
    fn sender<S: Uploads>(&self) -> Result<S, ConfigProblem> {
        let name = self.endpoint.name("collector_endpoint");
        let endpoint = self.effective_endpoint();
        let sender = S::at(endpoint)
            .map_err(|error| endpoint::problem(name, endpoint, error, EXPECTED))?
            .within(self.timeout.value);
        let refused = |header: &'static str, expected| {
            move |error: InvalidHeader| match error {
                InvalidHeader::ExposedCredentials => endpoint::exposed(name, endpoint),
                _ => ConfigProblem::invalid_secret(header, expected),
            }
        };
        let mut sender = match (&self.user.value, &self.password.value, &self.token.value) {
            (Some(user), Some(password), _) => sender
                .with_user(&user.0, &password.0)
                .map_err(refused(self.user.name("collector_user"), "a user name"))?,
            (Some(_), None, _) => {
                return Err(ConfigProblem::missing(
                    self.user.name("collector_user"),
                    TOGETHER,
                ));
            }
            (None, Some(_), _) => {
                let name = self.password.name("collector_password");
                return Err(ConfigProblem::missing(name, TOGETHER));
            }
            (None, None, Some(token)) => sender.with_token(&token.0).map_err(refused(
                self.token.name("collector_token"),
                "a token of one line",
            ))?,
            (None, None, None) => sender,
        };
        for (header, value) in &self.headers {
            let refused = refused("reporter.http_headers", "names and values of headers");
            sender = sender.with_header(header, &value.0).map_err(refused)?;
        }
        Ok(sender)
    }
}

/// Reads the endpoint and how it is spoken to, if this build can do so.
fn read_endpoint(
    variables: &mut Variables<'_>,
    protocol: Option<&Setting<JaegerProtocol>>,
) -> Option<(Setting<Option<String>>, Setting<Protocol>)> {
    for name in ["JAEGER_ENDPOINT", "OTEL_EXPORTER_JAEGER_ENDPOINT"] {
        let Some(text) = variables.get(name) else {
            continue;
        };
        let of_endpoint = Setting::of_variable(of_scheme(&text), name);
        let is_otel = name.starts_with("OTEL_");
        let protocol = match protocol.filter(|_| is_otel).and_then(of_jaeger) {
            Some(protocol) => protocol,
            None if is_otel && is_port_of_grpc(&text) => grpc(name).unwrap_or(of_endpoint),
            None => of_endpoint,
        };
        match endpoint_problem(name, &text, protocol.value) {
            None => return Some((Setting::of_variable(Some(text), name), protocol)),
            Some(problem) => {
                variables.report(problem);
                if !is_otel {
                    return None;
                }
            }
        }
    }
    None
}

fn endpoint_problem(name: &'static str, text: &str, protocol: Protocol) -> Option<ConfigProblem> {
    #[cfg(not(feature = "grpc"))]
    if has_scheme_of_grpc(text) {
        return Some(ConfigProblem::unsupported(name, text, GRPC));
    }
    let checked = match protocol {
        Protocol::Http => HttpSender::new(text).map(drop),
        #[cfg(feature = "grpc")]
        Protocol::Grpc => GrpcSender::new(text).map(drop),
    };
    let error = checked.err()?;
    Some(endpoint::problem(name, text, error, EXPECTED))
}

/// Returns the protocol of a collector.
fn of_jaeger(protocol: &Setting<JaegerProtocol>) -> Option<Setting<Protocol>> {
    let value = match protocol.value {
        JaegerProtocol::Http => Protocol::Http,
        #[cfg(feature = "grpc")]
        JaegerProtocol::Grpc => Protocol::Grpc,
        _ => return None,
    };
    Some(Setting {
        value,
        source: protocol.source,
    })
}

/// Returns the protocol that the scheme of an endpoint asks for.
fn of_scheme(endpoint: &str) -> Protocol {
    match has_scheme_of_grpc(endpoint) {
        #[cfg(feature = "grpc")]
        true => Protocol::Grpc,
        _ => Protocol::Http,
    }
}

fn has_scheme_of_grpc(endpoint: &str) -> bool {
    let scheme = endpoint.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|it| it.eq_ignore_ascii_case("grpc") || it.eq_ignore_ascii_case("grpcs"))
}

/// Returns whether an endpoint has the port on which collectors speak gRPC, and no path. Before OpenTelemetry's
/// exporter for Jaeger knew several protocols, such endpoints were of gRPC.
fn is_port_of_grpc(endpoint: &str) -> bool {
    endpoint.trim_end_matches('/').ends_with(":14250")
}

#[cfg(feature = "grpc")]
fn grpc(name: &'static str) -> Option<Setting<Protocol>> {
    Some(Setting::of_variable(Protocol::Grpc, name))
}

#[cfg(not(feature = "grpc"))]
fn grpc(_name: &'static str) -> Option<Setting<Protocol>> {
    None
}

fn secret(text: &str) -> Result<Option<Secret>, parse::Expected> {
    Ok(Some(Secret(text.to_owned())))
}

/// As long as the sender's own.
const TIMEOUT: Duration = Duration::from_secs(5);
const EXPECTED: parse::Expected =
    "a URL such as http://jaeger:14268/api/traces, or grpc://jaeger:14250";
#[cfg(not(feature = "grpc"))]
const GRPC: &str = "sending over gRPC, which the feature `grpc` of this crate brings";
const TOGETHER: &str = "user and password are set together, or neither of them";
