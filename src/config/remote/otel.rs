use std::borrow::Cow;
use std::time::Duration;

use crate::config::error::{ConfigProblem, InvalidItem};
use crate::config::parse::{self, Expected};
use crate::config::remote::endpoint::fetcher;
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::sampler::SamplingRate;

/// The settings in the parameter of OpenTelemetry's sampler `jaeger_remote`, but for the initial probability.
#[derive(Debug, Default)]
pub(crate) struct OtelRemote {
    pub(super) endpoint: Option<Setting<Option<String>>>,
    pub(super) refresh_interval: Option<Setting<Duration>>,
}

/// Reads a list such as `endpoint=http://jaeger:14250,pollingIntervalMs=5000,initialSamplingRate=0.25`. An item that
/// cannot be read is passed over; the others count.
pub(crate) fn read_otel(
    name: &'static str,
    initial: &mut SamplingRate,
    variables: &mut Variables<'_>,
) -> OtelRemote {
    let mut otel = OtelRemote::default();
    let text = variables.get(name).unwrap_or_default();
    for (position, item) in (1..).zip(text.split(',')) {
        let (key, value) = item.split_once('=').unwrap_or((item, ""));
        let (key, value) = (key.trim_ascii(), value.trim_ascii());
        let read = match key {
            "" if value.is_empty() => Ok(()),
            "endpoint" => endpoint(value).map(|endpoint| {
                otel.endpoint = Some(Setting::of_variable(Some(endpoint), name));
            }),
            "pollingIntervalMs" => parse::duration(value).map(|interval| {
                otel.refresh_interval = Some(Setting::of_variable(interval, name));
            }),
            "initialSamplingRate" => parse::probability(value).map(|rate| *initial = rate),
            _ => Err("endpoint=, pollingIntervalMs= or initialSamplingRate="),
        };
        if let Err(expected) = read {
            let item = InvalidItem { position, expected };
            variables.report(ConfigProblem::invalid_item(name, item));
        }
    }
    otel
}

/// Reads an endpoint, which OpenTelemetry asks over gRPC. One with a path is asked over HTTP, as gRPC has none.
fn endpoint(text: &str) -> Result<String, Expected> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let has_path = rest
        .split_once('/')
        .is_some_and(|(_, path)| !path.is_empty());
    let endpoint = match scheme.to_ascii_lowercase().as_str() {
        "http" if !has_path => Cow::Owned(format!("grpc://{rest}")),
        "https" if !has_path => Cow::Owned(format!("grpcs://{rest}")),
        _ => Cow::Borrowed(text),
    };
    match fetcher(&endpoint) {
        Ok(_) => Ok(endpoint.into_owned()),
        Err(refusal) => Err(refusal.expected()),
    }
}
