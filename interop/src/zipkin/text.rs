//! The texts that stand for values and logs in Zipkin's model, which has texts alone.

use crate::{Log, Value};

/// Returns the text of a value: numbers in decimal digits, bytes in hex.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::NotUtf8(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Returns the text of an annotation: the event if the log has nothing else, else all fields as JSON.
pub(crate) fn annotation(log: &Log) -> String {
    if let [field] = &log.fields[..]
        && let ("event", Value::String(event)) = (field.key.as_str(), &field.value)
    {
        return event.clone();
    }
    let fields = log.fields.iter().map(|field| {
        let value = match &field.value {
            number @ (Value::Bool(_) | Value::Long(_) | Value::Double(_)) => text(number),
            value => quoted(&text(value)),
        };
        format!("{}:{value}", quoted(&field.key))
    });
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
