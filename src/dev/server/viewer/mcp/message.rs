//! Messages of JSON-RPC 2.0, as far as the Model Context Protocol uses them.

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// A message of a client.
#[derive(Debug)]
pub(super) enum Message {
    Request(Request),
    /// A message without an id, which gets no answer. None of them changes anything here.
    Notification,
}

/// A message that gets an answer.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Id,
    pub(super) method: String,
    pub(super) params: Map<String, Value>,
}

/// The name that a client gives to a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Id {
    Number(i64),
    Text(String),
}

impl Message {
    /// Reads a message. An error has the id, as far as that could be read.
    pub(super) fn of(value: Value) -> Result<Self, (Option<Id>, Problem)> {
        let Value::Object(mut members) = value else {
            return Err((None, Problem::request("a message is one JSON object")));
        };
        let id = match members.remove("id") {
            None => None,
            Some(Value::String(text)) => Some(Id::Text(text)),
            Some(id) => match id.as_i64() {
                Some(number) => Some(Id::Number(number)),
                None => return Err((None, Problem::request("an id is a string or an integer"))),
            },
        };
        let refuse = |id, why: &str| Err((id, Problem::request(why)));
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return refuse(id, "jsonrpc must be \"2.0\"");
        }
        let Some(Value::String(method)) = members.remove("method") else {
            return refuse(
                id,
                "no method: this server asks nothing, so it takes no answers",
            );
        };
        let params = match members.remove("params") {
            // Clients that have no parameters write null, too.
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return refuse(id, "params must be an object"),
        };
        Ok(match id {
            Some(id) => Self::Request(Request { id, method, params }),
            None => Self::Notification,
        })
    }
}

/// The reason why a request gets no result, with the status of the answer over HTTP.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    code: i32,
    message: String,
    data: Option<Box<Value>>,
}

impl Problem {
    fn new(code: i32, message: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            code,
            message: shortened(message),
            data: None,
        }
    }

    /// Reports a body that is no JSON.
    pub(super) fn parse(why: &serde_json::Error) -> Self {
        Self::new(PARSE_ERROR, &format!("the message is no JSON: {why}"))
    }

    /// Reports a message that is no request.
    pub(super) fn request(why: impl AsRef<str>) -> Self {
        Self::new(INVALID_REQUEST, why.as_ref())
    }

    /// Reports a method that is not known.
    pub(super) fn method(method: &str) -> Self {
        let problem = Self::new(METHOD_NOT_FOUND, &format!("no such method: {method}"));
        problem.with_status(StatusCode::NOT_FOUND)
    }

    /// Reports parameters that make no sense for a method.
    pub(super) fn params(why: impl AsRef<str>) -> Self {
        Self::new(INVALID_PARAMS, why.as_ref())
    }

    pub(super) fn internal(why: &str) -> Self {
        Self::new(INTERNAL_ERROR, why).with_status(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Reports headers that are missing, or say something else than the body.
    pub(super) fn headers(why: impl AsRef<str>) -> Self {
        Self::new(HEADER_MISMATCH, why.as_ref())
    }

    /// Reports a version of the protocol that is not served.
    pub(super) fn version(requested: &str, supported: &[&str]) -> Self {
        let data = json!({"supported": supported, "requested": shortened(requested)});
        Self {
            data: Some(Box::new(data)),
            ..Self::new(UNSUPPORTED_VERSION, "this protocol version is not served")
        }
    }

    pub(super) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// Returns the answer to the request with an id.
    pub(super) fn into_json(self, id: Option<Id>) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = self.data {
            error["data"] = *data;
        }
        let mut answer = json!({"jsonrpc": "2.0", "error": error});
        if let Some(id) = id {
            answer["id"] = json!(id);
        }
        answer
    }
}

/// Returns the beginning of a text that a client may have chosen.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The characters of the longest message of an error.
const MAX_MESSAGE: usize = 300;

const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const METHOD_NOT_FOUND: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;
const INTERNAL_ERROR: i32 = -32_603;
const HEADER_MISMATCH: i32 = -32_020;
const UNSUPPORTED_VERSION: i32 = -32_022;
