use std::time::Duration;

use crate::config::error::{ConfigProblem, InvalidItem};
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse::{self, Expected};
use crate::config::secret::Secret;
use crate::config::sending::endpoint;
#[cfg(feature = "tls")]
use crate::config::sending::files;
use crate::config::sending::uploads::Uploads;
use crate::config::sending::way::{Way, of_variable};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::redact;
#[cfg(feature = "grpc")]
use crate::reporter::sender::OtlpGrpcSender;
use crate::reporter::sender::{InvalidHeader, OtlpSender};
use crate::reporter::{RemoteReporter, Reporter};

/// The settings of a receiver of OTLP. A variable for traces wins over the one for all signals.
pub(super) struct Otlp {
    /// The whole URL; `None` for the default one of the protocol.
    endpoint: Setting<Option<String>>,
    protocol: Setting<Protocol>,
    /// Whether gRPC is not encrypted at an endpoint without a scheme.
    insecure: Setting<bool>,
    headers: Setting<Vec<(String, Secret)>>,
    timeout: Setting<Duration>,
    gzip: Setting<bool>,
    /// The paths of files in PEM.
    certificate: Setting<Option<String>>,
    client_certificate: Setting<Option<String>>,
    client_key: Setting<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// `http/protobuf`.
    Http,
    /// `http/json`, in whose place protobuf is sent.
    Json,
    #[cfg(feature = "grpc")]
    Grpc,
}

impl Protocol {
    fn is_grpc(self) -> bool {
        match self {
            Self::Http | Self::Json => false,
            #[cfg(feature = "grpc")]
            Self::Grpc => true,
        }
    }
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: Setting::default_value(None),
            protocol: Setting::default_value(Protocol::Http),
            insecure: Setting::default_value(false),
            headers: Setting::default_value(Vec::new()),
            timeout: Setting::default_value(Duration::from_secs(5)),
            gzip: Setting::default_value(false),
            certificate: Setting::default_value(None),
            client_certificate: Setting::default_value(None),
            client_key: Setting::default_value(None),
        }
    }
}

impl Otlp {
    /// Puts the values of variables in the place of these settings.
    pub(super) fn read(self, variables: &mut Variables<'_>) -> Self {
        let protocol = self.protocol.or(variables.first([
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ]));
        if protocol.value == Protocol::Json {
            let name = protocol.name("otlp_protocol");
            let because = "spans go as protobuf, which receivers of JSON take as well";
            variables.warn(ConfigProblem::no_effect(name, because));
        }
        let insecure = self.insecure.or(variables.first([
            ("OTEL_EXPORTER_OTLP_TRACES_INSECURE", parse::otel_boolean),
            ("OTEL_EXPORTER_OTLP_INSECURE", parse::otel_boolean),
        ]));
        let endpoint = read_endpoint(variables, protocol.value, insecure.value);
        let mut read = Self {
            endpoint: self.endpoint.or(endpoint),
            protocol,
            insecure,
            headers: self.headers.or(read_headers(variables)),
            timeout: self.timeout.or(variables.first([
                ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", parse::duration),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", parse::duration),
                ("OTEL_BSP_EXPORT_TIMEOUT", parse::duration),
            ])),
            gzip: self.gzip.or(variables.first([
                ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", compression),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", compression),
            ])),
            certificate: self.certificate.or(variables.first([
                ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", path),
                ("OTEL_EXPORTER_OTLP_CERTIFICATE", path),
            ])),
            client_certificate: self.client_certificate.or(variables.first([
                ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", path),
                ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", path),
            ])),
            client_key: self.client_key.or(variables.first([
                ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", path),
                ("OTEL_EXPORTER_OTLP_CLIENT_KEY", path),
            ])),
        };
        read.drop_bad_headers(variables);
        read
    }

    /// Returns the way to the receiver, if a variable of this family has named it.
    pub(super) fn way_of_variable(&self, family: &str) -> Option<Setting<Way>> {
        of_variable(&self.endpoint, family, Way::Otlp)
    }

    pub(super) fn explain(&self) -> Vec<ExplainedSetting> {
        let file = |path: &Option<String>| match path {
            Some(path) => quoted(path),
            None => "none".to_owned(),
        };
        vec![
            row("otlp_endpoint", &self.endpoint, |_| {
                quoted(&redact::value(self.effective_endpoint()))
            }),
            row("otlp_protocol", &self.protocol, |protocol| match protocol {
                Protocol::Http | Protocol::Json => "http/protobuf".to_owned(),
                #[cfg(feature = "grpc")]
                Protocol::Grpc => "grpc".to_owned(),
            }),
            row("otlp_insecure", &self.insecure, bool::to_string),
            row("otlp_headers", &self.headers, |headers| {
                let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
                match names.is_empty() {
                    true => "none".to_owned(),
                    false => quoted(&names.join(",")),
                }
            }),
            row("otlp_timeout", &self.timeout, |it| format!("{it:?}")),
            row("otlp_compression", &self.gzip, |gzip| {
                if *gzip { "gzip" } else { "none" }.to_owned()
            }),
            row("otlp_certificate", &self.certificate, file),
            row("otlp_client_certificate", &self.client_certificate, file),
            row("otlp_client_key", &self.client_key, file),
        ]
    }

    /// Returns the reporter, and where spans go in words. A file that cannot be used is a warning.
    pub(super) fn reporter(
        &self,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        match self.protocol.value {
            Protocol::Http | Protocol::Json => self.reporter_by(OtlpSender::gzip, warnings),
            #[cfg(feature = "grpc")]
            Protocol::Grpc => self.reporter_by(OtlpGrpcSender::gzip, warnings),
        }
    }

    fn reporter_by<S: Uploads>(
        &self,
        set_gzip: fn(S, bool) -> S,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        let mut sender = set_gzip(self.sender::<S>()?, self.gzip.value);
        for (header, value) in &self.headers.value {
            let name = self.headers.name("otlp_headers");
            sender = sender
                .with_header(header, &value.0)
                .map_err(|_| ConfigProblem::missing(name, BAD_HEADER))?;
        }
        let sender = self.with_files(sender, warnings)?;
        let destination = sender.destination();
        Ok((Box::new(RemoteReporter::new(sender)), destination))
    }

    fn effective_endpoint(&self) -> &str {
        let default = match self.protocol.value {
            Protocol::Http | Protocol::Json => OtlpSender::DEFAULT_ENDPOINT,
            #[cfg(feature = "grpc")]
            Protocol::Grpc => OtlpGrpcSender::DEFAULT_ENDPOINT,
        };
        self.endpoint.value.as_deref().unwrap_or(default)
    }

    /// Makes the sender without headers. Opens no connection.
    fn sender<S: Uploads>(&self) -> Result<S, ConfigProblem> {
        let name = self.endpoint.name("otlp_endpoint");
        let endpoint = self.effective_endpoint();
        let sender =
            S::at(endpoint).map_err(|error| endpoint::problem(name, endpoint, error, EXPECTED))?;
        Ok(sender.within(self.timeout.value))
    }

    /// Returns what is wrong with a header.
    fn header_error(&self, header: &str, value: &Secret) -> Option<InvalidHeader> {
        match self.protocol.value {
            Protocol::Http | Protocol::Json => {
                let sender = self.sender::<OtlpSender>().ok()?;
                sender.with_header(header, &value.0).err()
            }
            #[cfg(feature = "grpc")]
            Protocol::Grpc => {
                let sender = self.sender::<OtlpGrpcSender>().ok()?;
                sender.with_header(header, &value.0).err()
            }
        }
    }

    /// Removes the headers that a request cannot carry, each with a warning.
    fn drop_bad_headers(&mut self, variables: &mut Variables<'_>) {
        let name = self.headers.name("otlp_headers");
        let headers = std::mem::take(&mut self.headers.value);
        for (position, (header, value)) in (1..).zip(headers) {
            let expected = match self.header_error(&header, &value) {
                None => {
                    self.headers.value.push((header, value));
                    continue;
                }
                Some(InvalidHeader::ExposedCredentials) => {
                    "an endpoint of https for this header, because http sends it in the clear"
                }
                Some(InvalidHeader::Reserved) => "a header that the request does not set itself",
                Some(_) => BAD_HEADER,
            };
            let item = InvalidItem { position, expected };
            variables.report(ConfigProblem::invalid_item(name, item));
        }
    }

    /// Takes the certificates and the key from their files, if they are good.
    #[cfg(feature = "tls")]
    fn with_files<S: Uploads>(
        &self,
        sender: S,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<S, ConfigProblem> {
        let mut read = |setting, setter| files::read(setting, setter, warnings);
        let roots = read(&self.certificate, "otlp_certificate");
        let certificate = read(&self.client_certificate, "otlp_client_certificate");
        let key = read(&self.client_key, "otlp_client_key");
        let mut sender = sender;
        if let Some(pem) = roots {
            // A setter that fails does not return the sender, so another one tries.
            match self.sender::<S>()?.trusting(&pem) {
                Ok(_) => sender = files::checked(sender.trusting(&pem))?,
                Err(error) => {
                    let name = self.certificate.name("otlp_certificate");
                    warnings.push(ConfigProblem::failed(name, &error));
                }
            }
        }
        match (certificate, key) {
            (Some(pem), Some(key)) => match self.sender::<S>()?.showing(&pem, &key) {
                Ok(_) => sender = files::checked(sender.showing(&pem, &key))?,
                Err(error) => {
                    let name = self.client_certificate.name("otlp_client_certificate");
                    warnings.push(ConfigProblem::failed(name, &error));
                }
            },
            (Some(_), None) => warnings.push(ConfigProblem::no_effect(
                self.client_certificate.name("otlp_client_certificate"),
                "its key is missing, OTEL_EXPORTER_OTLP_CLIENT_KEY",
            )),
            (None, Some(_)) => warnings.push(ConfigProblem::no_effect(
                self.client_key.name("otlp_client_key"),
                "its certificate is missing, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
            )),
            (None, None) => {}
        }
        Ok(sender)
    }

    /// Warns of files that only an encrypted connection reads.
    #[cfg(not(feature = "tls"))]
    fn with_files<S: Uploads>(
        &self,
        sender: S,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<S, ConfigProblem> {
        let files = [
            &self.certificate,
            &self.client_certificate,
            &self.client_key,
        ];
        for file in files.into_iter().filter(|file| file.value.is_some()) {
            let because = "an encrypted connection needs the feature `tls` of this crate";
            warnings.push(ConfigProblem::no_effect(
                file.name("otlp_certificate"),
                because,
            ));
        }
        Ok(sender)
    }
}

/// Reads the endpoint. Over HTTP, that of traces is used as it is; to that of all signals the path of traces is added.
fn read_endpoint(
    variables: &mut Variables<'_>,
    protocol: Protocol,
    is_insecure: bool,
) -> Option<Setting<Option<String>>> {
    for name in [ENDPOINT_OF_TRACES, ENDPOINT] {
        let Some(text) = variables.get(name) else {
            continue;
        };
        let url = match name {
            _ if protocol.is_grpc() => with_scheme(&text, is_insecure),
            ENDPOINT_OF_TRACES => exact(&text),
            _ => with_path_of_traces(&text),
        };
        let checked = match protocol {
            Protocol::Http | Protocol::Json => OtlpSender::new(&url).map(drop),
            #[cfg(feature = "grpc")]
            Protocol::Grpc => OtlpGrpcSender::new(&url).map(drop),
        };
        match checked {
            Ok(()) => return Some(Setting::of_variable(Some(url), name)),
            Err(error) => variables.report(endpoint::problem(name, &text, error, EXPECTED)),
        }
    }
    None
}

/// Returns the URL of gRPC. The scheme may be missing.
fn with_scheme(url: &str, is_insecure: bool) -> String {
    match (url.contains("://"), is_insecure) {
        (true, _) => url.to_owned(),
        (false, true) => format!("http://{url}"),
        (false, false) => format!("https://{url}"),
    }
}

/// Returns the URL with the path `/` if it has none: the sender would add one of its own.
fn exact(url: &str) -> String {
    let authority = url.find("://").map_or(0, |scheme| scheme + 3);
    match url[authority..].find(['/', '?', '#']) {
        None => format!("{url}/"),
        Some(end) if !url[authority + end..].starts_with('/') => {
            let (server, rest) = url.split_at(authority + end);
            format!("{server}/{rest}")
        }
        Some(_) => url.to_owned(),
    }
}

/// Returns the URL with `v1/traces` behind its path.
fn with_path_of_traces(url: &str) -> String {
    let url = exact(url);
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (base, rest) = url.split_at(end);
    format!("{}/v1/traces{rest}", base.trim_end_matches('/'))
}

/// Reads the headers. An item that cannot be read is passed over with a warning.
fn read_headers(variables: &mut Variables<'_>) -> Option<Setting<Vec<(String, Secret)>>> {
    let names = [
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        "OTEL_EXPORTER_OTLP_HEADERS",
    ];
    for name in names {
        let Some(text) = variables.get(name) else {
            continue;
        };
        let mut headers = Vec::new();
        for (position, item) in (1..).zip(text.split(',').map(str::trim_ascii)) {
            // Properties of W3C Baggage may follow a semicolon.
            let item = item.split(';').next().unwrap_or_default();
            let pair = item.split_once('=');
            let pair = pair.and_then(|(key, value)| {
                let key = parse::percent_decoded(key.trim_ascii())?;
                let value = parse::percent_decoded(value.trim_ascii())?;
                (!key.is_empty()).then_some((key, Secret(value)))
            });
            match pair {
                Some(pair) => headers.push(pair),
                None if item.is_empty() => {}
                None => {
                    let expected = "name=value, with commas between and percent-encoded";
                    let item = InvalidItem { position, expected };
                    variables.report(ConfigProblem::invalid_item(name, item));
                }
            }
        }
        return Some(Setting::of_variable(headers, name));
    }
    None
}

fn protocol(text: &str) -> Result<Protocol, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "http/protobuf" => Ok(Protocol::Http),
        "http/json" => Ok(Protocol::Json),
        #[cfg(feature = "grpc")]
        "grpc" => Ok(Protocol::Grpc),
        #[cfg(not(feature = "grpc"))]
        "grpc" => Err("http/protobuf, because grpc needs the feature `grpc` of this crate"),
        _ => Err("http/protobuf or grpc"),
    }
}

fn compression(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err("gzip or none"),
    }
}

fn path(text: &str) -> Result<Option<String>, Expected> {
    Ok(Some(text.to_owned()))
}

const ENDPOINT_OF_TRACES: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const EXPECTED: Expected = "a URL such as http://collector:4318, or http://collector:4317 for gRPC";
const BAD_HEADER: Expected = "the name and the value of a header";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_of_traces_is_exact_and_one_of_all_signals_gets_the_path() {
        for (url, of_traces, of_all) in [
            ("http://h:1", "http://h:1/", "http://h:1/v1/traces"),
            ("http://h:1/", "http://h:1/", "http://h:1/v1/traces"),
            ("http://h/a", "http://h/a", "http://h/a/v1/traces"),
            ("http://h/a/", "http://h/a/", "http://h/a/v1/traces"),
            ("http://h?t=1", "http://h/?t=1", "http://h/v1/traces?t=1"),
            (
                "http://h/a?t=/",
                "http://h/a?t=/",
                "http://h/a/v1/traces?t=/",
            ),
        ] {
            assert_eq!(exact(url), of_traces);
            assert_eq!(with_path_of_traces(url), of_all);
        }
    }
}
