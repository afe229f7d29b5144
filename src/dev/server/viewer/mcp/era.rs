//! The versions of the protocol, and what tells them apart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::dev::server::viewer::mcp::message::{Problem, Request};

/// A group of versions of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// Each request says its version and what its client can do.
    Modern,
    /// A client begins with `initialize`, and names the version that was agreed on in a header.
    Legacy,
}

impl Era {
    /// Finds the era of a request, and checks the headers that its version demands.
    pub(super) fn of(headers: &HeaderMap, request: &Request) -> Result<Self, Problem> {
        let header = header(headers, VERSION_HEADER)?;
        let meta = request.params.get("_meta");
        let Some(version) = meta.and_then(|meta| meta.get(VERSION_KEY)) else {
            return match header.as_deref() {
                None => Ok(Self::Legacy),
                Some(version) if LEGACY_VERSIONS.contains(&version) => Ok(Self::Legacy),
                Some(version) if MODERN_VERSIONS.contains(&version) => {
                    Err(Problem::params(format!("_meta has no {VERSION_KEY}")))
                }
                Some(version) => Err(Problem::version(version, &versions())),
            };
        };
        let Value::String(version) = version else {
            return Err(Problem::params(format!("{VERSION_KEY} must be a string")));
        };
        if header.as_deref() != Some(version) {
            let why = format!("the header {VERSION_HEADER} must be as {VERSION_KEY} in _meta");
            return Err(Problem::headers(why));
        }
        if !MODERN_VERSIONS.contains(&version.as_str()) {
            return Err(Problem::version(version, &versions()));
        }
        if !meta.is_some_and(|meta| meta.get(CAPABILITIES_KEY).is_some_and(Value::is_object)) {
            return Err(Problem::params(format!("_meta has no {CAPABILITIES_KEY}")));
        }
        mirrors(headers, METHOD_HEADER, Some(&request.method))?;
        if request.method == "tools/call" {
            let name = request.params.get("name").and_then(Value::as_str);
            mirrors(headers, NAME_HEADER, name)?;
        }
        Ok(Self::Modern)
    }

    /// Adds what results of this era have.
    pub(super) fn complete(self, result: &mut Map<String, Value>) {
        if self == Self::Modern {
            result.insert("resultType".to_owned(), json!("complete"));
            result.insert("_meta".to_owned(), json!({SERVER_KEY: server_info()}));
        }
    }
}

/// Returns whether a body may be a list of messages. Of all versions that of March 2025 alone has them, and clients of it
/// need not name it.
pub(super) fn has_batches(headers: &HeaderMap) -> bool {
    let version = header(headers, VERSION_HEADER);
    version.is_ok_and(|version| version.is_none_or(|version| version == "2025-03-26"))
}

/// Returns all versions that are served, the newest first.
pub(super) fn versions() -> Vec<&'static str> {
    [&MODERN_VERSIONS[..], &LEGACY_VERSIONS[..]].concat()
}

pub(super) fn server_info() -> Value {
    json!({"name": "tracehound", "version": env!("CARGO_PKG_VERSION")})
}

/// Checks that a header repeats a text of the body.
fn mirrors(headers: &HeaderMap, name: &str, body: Option<&str>) -> Result<(), Problem> {
    let header = header(headers, name)?;
    if header.is_none() || header.as_deref() != body {
        return Err(Problem::headers(format!(
            "the header {name} must repeat the body"
        )));
    }
    Ok(())
}

/// Returns the text of a header, which may be in base64 if it is no plain ASCII: `=?base64?w6k=?=`.
fn header(headers: &HeaderMap, name: &str) -> Result<Option<String>, Problem> {
    let unreadable = || Problem::headers(format!("the header {name} cannot be read"));
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| unreadable())?;
    if values.next().is_some() {
        return Err(unreadable());
    }
    let packed = text
        .strip_prefix("=?base64?")
        .and_then(|text| text.strip_suffix("?="));
    let Some(packed) = packed else {
        return Ok(Some(text.to_owned()));
    };
    let bytes = STANDARD.decode(packed).map_err(|_| unreadable())?;
    String::from_utf8(bytes).map(Some).map_err(|_| unreadable())
}

/// The versions whose requests speak for themselves, the newest first.
pub(super) const MODERN_VERSIONS: [&str; 1] = ["2026-07-28"];
/// The versions that begin with `initialize`, the newest first. The first one with this transport is 2025-03-26.
pub(super) const LEGACY_VERSIONS: [&str; 3] = [LEGACY, "2025-06-18", "2025-03-26"];
pub(super) const LEGACY: &str = "2025-11-25";

const VERSION_HEADER: &str = "mcp-protocol-version";
const METHOD_HEADER: &str = "mcp-method";
const NAME_HEADER: &str = "mcp-name";
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";
const SERVER_KEY: &str = "io.modelcontextprotocol/serverInfo";
