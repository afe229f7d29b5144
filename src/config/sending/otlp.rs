use std::time::Duration;

use crate::config::error::{ConfigProblem, InvalidItem};
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse::{self, Expected};
use crate::config::secret::Secret;
#[cfg(feature = "tls")]
use crate::config::sending::files;
use crate::config::sending::way::Way;
use crate::config::sending::{endpoint, of_variable};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::redact;
use crate::reporter::sender::{InvalidHeader, OtlpSender, Sender as _};
use crate::reporter::{RemoteReporter, Reporter};

/// The settings of a receiver of OTLP. A variable for traces wins over the one for all signals.
pub(super) struct Otlp {
    /// The whole URL.
    endpoint: Setting<String>,
    protocol: Setting<Protocol>,
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
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            endpoint: Setting::default_value(OtlpSender::DEFAULT_ENDPOINT.to_owned()),
            protocol: Setting::default_value(Protocol::Http),
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
        let mut read = Self {
            endpoint: self.endpoint.or(read_endpoint(variables)),
            protocol,
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
            row("otlp_endpoint", &self.endpoint, |endpoint| {
                quoted(&redact::value(endpoint))
            }),
            row("otlp_protocol", &self.protocol, |_| {
                "http/protobuf".to_owned()
            }),
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
        let mut sender = self.sender()?;
        for (header, value) in &self.headers.value {
            let name = self.headers.name("otlp_headers");
            sender = sender
                .header(header, &value.0)
                .map_err(|_| ConfigProblem::missing(name, BAD_HEADER))?;
        }
        let sender = self.with_files(sender, warnings)?;
        let destination = sender.destination();
        Ok((Box::new(RemoteReporter::new(sender)), destination))
    }

    /// Makes the sender without headers. Opens no connection.
    fn sender(&self) -> Result<OtlpSender, ConfigProblem> {
        let name = self.endpoint.name("otlp_endpoint");
        let endpoint = &self.endpoint.value;
        let sender = OtlpSender::new(endpoint)
            .map_err(|error| endpoint::problem(name, endpoint, error, EXPECTED))?;
        Ok(sender.timeout(self.timeout.value).gzip(self.gzip.value))
    }

    /// Removes the headers that a request cannot carry, each with a warning.
    fn drop_bad_headers(&mut self, variables: &mut Variables<'_>) {
        let name = self.headers.name("otlp_headers");
        let headers = std::mem::take(&mut self.headers.value);
        for (position, (header, value)) in (1..).zip(headers) {
            let Ok(sender) = self.sender() else { return };
            let expected = match sender.header(&header, &value.0) {
                Ok(_) => {
                    self.headers.value.push((header, value));
                    continue;
                }
                Err(InvalidHeader::ExposedCredentials) => {
                    "an endpoint of https for this header, because http sends it in the clear"
                }
                Err(InvalidHeader::Reserved) => "a header that the request does not set itself",
                Err(_) => BAD_HEADER,
            };
            let item = InvalidItem { position, expected };
            variables.report(ConfigProblem::invalid_item(name, item));
        }
    }

    /// Takes the certificates and the key from their files, if they are good.
    #[cfg(feature = "tls")]
    fn with_files(
        &self,
        sender: OtlpSender,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<OtlpSender, ConfigProblem> {
        let mut read = |setting, setter| files::read(setting, setter, warnings);
        let roots = read(&self.certificate, "otlp_certificate");
        let certificate = read(&self.client_certificate, "otlp_client_certificate");
        let key = read(&self.client_key, "otlp_client_key");
        let mut sender = sender;
        if let Some(pem) = roots {
            // A setter that fails does not return the sender, so another one tries.
            match self.sender()?.root_certificates(&pem) {
                Ok(_) => sender = files::checked(sender.root_certificates(&pem))?,
                Err(error) => {
                    let name = self.certificate.name("otlp_certificate");
                    warnings.push(ConfigProblem::failed(name, &error));
                }
            }
        }
        match (certificate, key) {
            (Some(pem), Some(key)) => match self.sender()?.client_certificate(&pem, &key) {
                Ok(_) => sender = files::checked(sender.client_certificate(&pem, &key))?,
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
    fn with_files(
        &self,
        sender: OtlpSender,
        warnings: &mut Vec<ConfigProblem>,
    ) -> Result<OtlpSender, ConfigProblem> {
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

/// Reads the endpoint. That of traces is used as it is; to that of all signals the path of traces is added.
fn read_endpoint(variables: &mut Variables<'_>) -> Option<Setting<String>> {
    for name in [ENDPOINT_OF_TRACES, ENDPOINT] {
        let Some(text) = variables.get(name) else {
            continue;
        };
        let url = match name {
            ENDPOINT_OF_TRACES => exact(&text),
            _ => with_path_of_traces(&text),
        };
        match OtlpSender::new(&url) {
            Ok(_) => return Some(Setting::of_variable(url, name)),
            Err(error) => variables.report(endpoint::problem(name, &text, error, EXPECTED)),
        }
    }
    None
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
        _ => Err("http/protobuf, the protocol that this version speaks"),
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
const EXPECTED: Expected = "a URL such as http://collector:4318";
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
