use std::time::Duration;

use crate::config::error::ConfigProblem;
use crate::config::explanation::{ExplainedSetting, quoted, row};
use crate::config::parse;
use crate::config::sending::endpoint;
use crate::config::sending::uploads::Uploads;
use crate::config::sending::way::{Way, of_variable};
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::redact;
use crate::reporter::sender::{Sender as _, ZipkinSender};
use crate::reporter::{RemoteReporter, Reporter};

/// The settings of Zipkin.
pub(super) struct Zipkin {
    endpoint: Setting<String>,
    timeout: Setting<Duration>,
}

impl Default for Zipkin {
    fn default() -> Self {
        Self {
            endpoint: Setting::default_value(ZipkinSender::DEFAULT_ENDPOINT.to_owned()),
            timeout: Setting::default_value(Duration::from_secs(5)),
        }
    }
}

impl Zipkin {
    /// Puts the values of variables in the place of these settings.
    pub(super) fn read(self, variables: &mut Variables<'_>) -> Self {
        let mut endpoint = self.endpoint;
        if let Some(text) = variables.get(ENDPOINT) {
            match ZipkinSender::at(&text) {
                Ok(_) => endpoint = Setting::of_variable(text, ENDPOINT),
                Err(error) => {
                    variables.report(endpoint::problem(ENDPOINT, &text, error, EXPECTED));
                }
            }
        }
        Self {
            endpoint,
            timeout: self.timeout.or(variables.first([
                ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", parse::duration),
                ("OTEL_BSP_EXPORT_TIMEOUT", parse::duration),
            ])),
        }
    }

    /// Returns the way to Zipkin, if a variable of this family has named it.
    pub(super) fn way_of_variable(&self, family: &str) -> Option<Setting<Way>> {
        of_variable(&self.endpoint, family, Way::Zipkin)
    }

    pub(super) fn explain(&self) -> Vec<ExplainedSetting> {
        vec![
            row("zipkin_endpoint", &self.endpoint, |endpoint| {
                quoted(&redact::value(endpoint))
            }),
            row("zipkin_timeout", &self.timeout, |it| format!("{it:?}")),
        ]
    }

    /// Returns the reporter, and where spans go in words.
    pub(super) fn reporter(
        &self,
        _warnings: &mut Vec<ConfigProblem>,
    ) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
        let name = self.endpoint.name("zipkin_endpoint");
        let sender = ZipkinSender::at(&self.endpoint.value)
            .map_err(|error| endpoint::problem(name, &self.endpoint.value, error, EXPECTED))?;
        let sender = sender.within(self.timeout.value);
        let destination = sender.destination();
        Ok((Box::new(RemoteReporter::new(sender)), destination))
    }
}

const ENDPOINT: &str = "OTEL_EXPORTER_ZIPKIN_ENDPOINT";
const EXPECTED: parse::Expected = "a URL such as http://zipkin:9411/api/v2/spans";
