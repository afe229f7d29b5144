use crate::config::error::{ConfigProblem, InvalidItem};
use crate::config::parse::Expected;
use crate::config::setting::Setting;
#[cfg(any(feature = "collector", feature = "otlp", feature = "zipkin"))]
use crate::config::setting::Source;
use crate::config::variables::Variables;

/// A way of spans out of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// UDP to an agent.
    Agent,
    /// A Jaeger collector.
    Collector,
    /// A receiver of OTLP.
    Otlp,
    Zipkin,
    /// A line for each span.
    Console,
}

impl Way {
    /// Returns the name in a table of settings.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Collector => "collector",
            Self::Otlp => "otlp",
            Self::Zipkin => "zipkin",
            Self::Console => "console",
        }
    }
}

/// A protocol of OpenTelemetry's former exporter for Jaeger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JaegerProtocol {
    UdpCompact,
    UdpBinary,
    Http,
    Grpc,
}

impl JaegerProtocol {
    fn parse(text: &str) -> Result<Self, Expected> {
        match text.to_ascii_lowercase().as_str() {
            "udp/thrift.compact" => Ok(Self::UdpCompact),
            "udp/thrift.binary" => Ok(Self::UdpBinary),
            "http/thrift.binary" => Ok(Self::Http),
            "grpc" => Ok(Self::Grpc),
            _ => Err("udp/thrift.compact, udp/thrift.binary, http/thrift.binary or grpc"),
        }
    }

    pub(super) fn way(self) -> Way {
        match self {
            Self::UdpCompact | Self::UdpBinary => Way::Agent,
            Self::Http | Self::Grpc => Way::Collector,
        }
    }

    /// Returns what the protocol asks for, if this build does not have it.
    fn missing(self) -> Option<&'static str> {
        match self {
            Self::UdpCompact | Self::UdpBinary if !cfg!(feature = "udp") => {
                Some("an agent, which the feature `udp` of this crate brings")
            }
            Self::Http if !cfg!(feature = "collector") => Some(
                "sending to a collector over HTTP, which the feature `collector` of this crate brings",
            ),
            Self::Grpc if !cfg!(all(feature = "collector", feature = "grpc")) => Some(
                "sending to a collector over gRPC, which the features `collector` and `grpc` of this \
                 crate bring",
            ),
            _ => None,
        }
    }
}

/// Reads `OTEL_EXPORTER_JAEGER_PROTOCOL`, if this build speaks it.
pub(crate) fn read_jaeger_protocol(
    variables: &mut Variables<'_>,
) -> Option<Setting<JaegerProtocol>> {
    let protocol = variables.first([(PROTOCOL, JaegerProtocol::parse)])?;
    let Some(asks_for) = protocol.value.missing() else {
        return Some(protocol);
    };
    let text = variables.get(PROTOCOL).unwrap_or_default();
    variables.report(ConfigProblem::unsupported(PROTOCOL, &text, asks_for));
    None
}

/// Returns the way, if the setting is of a variable of this family.
#[cfg(any(feature = "collector", feature = "otlp", feature = "zipkin"))]
pub(super) fn of_variable<T>(setting: &Setting<T>, family: &str, way: Way) -> Option<Setting<Way>> {
    match setting.source {
        Source::Variable(name) if name.starts_with(family) => Some(Setting::of_variable(way, name)),
        _ => None,
    }
}

/// Reads the list of exporters. `jaeger` stands for the way that its own variables name. An unknown word is passed
/// over.
pub(super) fn read_exporters(
    variables: &mut Variables<'_>,
    jaeger: Way,
) -> Option<Setting<Vec<Way>>> {
    let text = variables.get(EXPORTERS)?;
    if text.eq_ignore_ascii_case("none") {
        return Some(Setting::of_variable(Vec::new(), EXPORTERS));
    }
    let mut ways = Vec::new();
    for (position, word) in (1..).zip(text.split(',')) {
        let way = match word.trim_ascii().to_ascii_lowercase().as_str() {
            "" => continue,
            "jaeger" => Ok(jaeger),
            "otlp" if cfg!(feature = "otlp") => Ok(Way::Otlp),
            "otlp" => Err("another word, as `otlp` needs the feature `otlp` of this crate"),
            "zipkin" if cfg!(feature = "zipkin") => Ok(Way::Zipkin),
            "zipkin" => Err("another word, as `zipkin` needs the feature `zipkin` of this crate"),
            "console" | "logging" => Ok(Way::Console),
            _ => Err("otlp, zipkin, jaeger or console, or none alone"),
        };
        match way {
            Ok(way) if ways.contains(&way) => {}
            Ok(way) => ways.push(way),
            Err(expected) => {
                let item = InvalidItem { position, expected };
                variables.report(ConfigProblem::invalid_item(EXPORTERS, item));
            }
        }
    }
    (!ways.is_empty()).then(|| Setting::of_variable(ways, EXPORTERS))
}

pub(super) const EXPORTERS: &str = "OTEL_TRACES_EXPORTER";
const PROTOCOL: &str = "OTEL_EXPORTER_JAEGER_PROTOCOL";
