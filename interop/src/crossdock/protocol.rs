//! The JSON that the driver and the services exchange.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize};

/// The baggage item whose value every service reports.
pub const BAGGAGE_KEY: &str = "crossdock-baggage-key";

/// The keys of the bytes that a caller puts into the metadata of a gRPC call, beside the context. The second looks like
/// baggage and is none.
pub const RAW_KEYS: [&str; 2] = ["crossdock-bin", "uberctx-crossdock-bin"];

/// The bytes under [`RAW_KEYS`]: no text.
pub const RAW_VALUE: [u8; 4] = [0, 1, 0xfe, 0xff];

/// The body of `POST /start_trace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTrace {
    /// The operation name of the root: `S1`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub server_role: String,
    /// Whether the trace is sampled.
    #[serde(default, deserialize_with = "null_as_default")]
    pub sampled: bool,
    /// The value of the baggage item [`BAGGAGE_KEY`].
    #[serde(default, deserialize_with = "null_as_default")]
    pub baggage: String,
    /// Further baggage items. No driver of Jaeger's has them.
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: BTreeMap<String, String>,
    /// The service to call.
    #[serde(default)]
    pub downstream: Option<Box<Downstream>>,
}

/// The body of `POST /join_trace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinTrace {
    /// The role of the called service: `S2`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub server_role: String,
    /// The service to call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downstream: Option<Box<Downstream>>,
}

/// A service to call, and those that it should call in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Downstream {
    /// The name of the service, for messages.
    #[serde(default, deserialize_with = "null_as_default")]
    pub service_name: String,
    /// Its role: `S2`.
    #[serde(default, deserialize_with = "null_as_default")]
    pub server_role: String,
    /// The host, a name or an address.
    #[serde(default, deserialize_with = "null_as_default")]
    pub host: String,
    /// The port, as text.
    #[serde(default, deserialize_with = "null_as_default")]
    pub port: String,
    /// How to call it.
    pub transport: Transport,
    /// The service that it should call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downstream: Option<Box<Self>>,
}

/// How a downstream is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[non_exhaustive]
pub enum Transport {
    /// By HTTP.
    Http,
    /// By gRPC, with the same JSON as messages. Only some services have it.
    Grpc,
    /// Not at all: every service answers that it does not implement this one.
    Dummy,
    /// By an RPC framework of Uber's, which only some clients of Jaeger spoke.
    Tchannel,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "HTTP",
            Self::Grpc => "GRPC",
            Self::Dummy => "DUMMY",
            Self::Tchannel => "TCHANNEL",
        })
    }
}

/// The answer to `POST /start_trace` and `POST /join_trace`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The context of the active span; `None` from a service that was not called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<Observed>,
    /// The answer of the downstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downstream: Option<Box<Self>>,
    /// The reason why the service was not called, or empty.
    #[serde(default, deserialize_with = "null_as_default")]
    pub not_implemented_error: String,
}

/// A trace as a service sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The trace id, hexadecimal.
    #[serde(default, deserialize_with = "null_as_default")]
    pub trace_id: String,
    /// The sampling decision.
    #[serde(default, deserialize_with = "null_as_default")]
    pub sampled: bool,
    /// The baggage item [`BAGGAGE_KEY`], or empty.
    #[serde(default, deserialize_with = "null_as_default")]
    pub baggage: String,
    /// All baggage items.
    #[serde(default, deserialize_with = "null_as_default")]
    pub items: BTreeMap<String, String>,
}

/// Reads null, which some languages write for an empty member.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_and_null_members_are_empty() -> serde_json::Result<()> {
        for answer in [
            json!({}),
            json!({"span": null, "downstream": null, "notImplementedError": null}),
            json!({"notImplementedError": ""}),
        ] {
            let read: Answer = serde_json::from_value(answer)?;
            assert_eq!(read, Answer::default());
        }
        let read: StartTrace = serde_json::from_value(json!({"baggage": null}))?;
        assert_eq!(read, StartTrace::default());
        Ok(())
    }

    #[test]
    fn a_downstream_is_written_as_the_other_clients_read_it() -> serde_json::Result<()> {
        let written = serde_json::to_value(Downstream {
            service_name: "go".to_owned(),
            server_role: "S2".to_owned(),
            host: "127.0.0.3".to_owned(),
            port: "8081".to_owned(),
            transport: Transport::Http,
            downstream: None,
        })?;
        let expected = json!({
            "serviceName": "go", "serverRole": "S2", "host": "127.0.0.3", "port": "8081", "transport": "HTTP",
        });
        assert_eq!(written, expected);
        Ok(())
    }
}
