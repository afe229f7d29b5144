use std::time::Duration;

use crate::config::error::ConfigProblem;
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse;
use crate::config::secret::Secret;
use crate::config::sending::way::Way;
use crate::config::sending::{endpoint, of_variable};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::redact;
use crate::reporter::sender::{HttpSender, InvalidHeader, Sender as _};
use crate::reporter::{RemoteReporter, Reporter};

/// The settings of a Jaeger collector.
pub(crate) struct Collector {
    endpoint: Setting<String>,
    user: Setting<Option<Secret>>,
    password: Setting<Option<Secret>>,
    token: Setting<Option<Secret>>,
    /// Further headers, of a file.
    headers: Vec<(String, Secret)>,
    timeout: Setting<Duration>,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            endpoint: Setting::default_value(HttpSender::DEFAULT_ENDPOINT.to_owned()),
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
    pub(super) fn read(self, variables: &mut Variables<'_>) -> Self {
        Self {
            endpoint: self.endpoint.or(read_endpoint(variables)),
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
            if let Err(problem) = self.sender() {
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
            row("collector_endpoint", &self.endpoint, |endpoint| {
                quoted(&redact::value(endpoint))
            }),
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
        let sender = self.sender()?;
        let destination = sender.destination();
        Ok((Box::new(RemoteReporter::new(sender)), destination))
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
            self.endpoint = Setting::of_file(endpoint, "reporter.endpoint");
        }
    }

    /// Makes the sender. Opens no connection.
    fn sender(&self) -> Result<HttpSender, ConfigProblem> {
        let name = self.endpoint.name("collector_endpoint");
        let endpoint = &self.endpoint.value;
        let sender = HttpSender::new(endpoint)
            .map_err(|error| endpoint::problem(name, endpoint, error, EXPECTED))?
            .timeout(self.timeout.value);
        let refused = |header: &'static str, expected| {
            move |error: InvalidHeader| match error {
                InvalidHeader::ExposedCredentials => endpoint::exposed(name, endpoint),
                _ => ConfigProblem::invalid_secret(header, expected),
            }
        };
        let mut sender = match (&self.user.value, &self.password.value, &self.token.value) {
            (Some(user), Some(password), _) => sender
                .basic_auth(&user.0, &password.0)
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
            (None, None, Some(token)) => sender.bearer_token(&token.0).map_err(refused(
                self.token.name("collector_token"),
                "a token of one line",
            ))?,
            (None, None, None) => sender,
        };
        for (header, value) in &self.headers {
            let refused = refused("reporter.http_headers", "names and values of headers");
            sender = sender.header(header, &value.0).map_err(refused)?;
        }
        Ok(sender)
    }
}

/// Reads the endpoint, and whether this build can send to it.
fn read_endpoint(variables: &mut Variables<'_>) -> Option<Setting<String>> {
    for name in ["JAEGER_ENDPOINT", "OTEL_EXPORTER_JAEGER_ENDPOINT"] {
        let Some(text) = variables.get(name) else {
            continue;
        };
        match HttpSender::new(&text) {
            Ok(_) => return Some(Setting::of_variable(text, name)),
            Err(error) => {
                variables.report(endpoint::problem(name, &text, error, EXPECTED));
                if name.starts_with("JAEGER_") {
                    return None;
                }
            }
        }
    }
    None
}

fn secret(text: &str) -> Result<Option<Secret>, parse::Expected> {
    Ok(Some(Secret(text.to_owned())))
}

/// As long as the sender's own.
const TIMEOUT: Duration = Duration::from_secs(5);
const EXPECTED: parse::Expected = "a URL such as http://jaeger:14268/api/traces";
const TOGETHER: &str = "user and password are set together, or neither of them";
