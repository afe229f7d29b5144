//! Values of parameters, read as Jaeger reads them.

use std::time::Duration;

use crate::clock::nanos_with_units;
use crate::dev::server::query::Refusal;
use crate::dev::server::viewer::answer::parameter;
use crate::model::TraceId;

/// Reads a whole number.
pub(super) fn number(parameters: &[(String, String)], name: &str) -> Result<Option<i64>, Refusal> {
    let read = |text: &str| {
        let number = text.parse::<i64>();
        number.map_err(|_| malformed(name, &format!("parsing {text:?}: invalid syntax")))
    };
    parameter(parameters, name).map(read).transpose()
}

/// Reads a truth value.
pub(super) fn truth(parameters: &[(String, String)], name: &str) -> Result<bool, Refusal> {
    match parameter(parameters, name) {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some(text) => Err(malformed(
            name,
            &format!("parsing {text:?}: invalid syntax"),
        )),
    }
}

/// Reads a duration as Go writes it, such as `1.5ms` or `1m30s`. One of 0 counts as absent.
pub(super) fn duration(
    parameters: &[(String, String)],
    name: &str,
) -> Result<Option<Duration>, Refusal> {
    let Some(text) = parameter(parameters, name).filter(|text| *text != "0") else {
        return Ok(None);
    };
    let nanos = nanos_with_units(text).and_then(|nanos| u64::try_from(nanos).ok());
    let nanos = nanos.ok_or_else(|| malformed(name, &format!("invalid duration {text:?}")))?;
    Ok(Some(Duration::from_nanos(nanos)).filter(|duration| !duration.is_zero()))
}

/// Reads the id of a trace: `Ok(None)` is the id 0, which no trace has.
pub(super) fn trace_id(text: &str) -> Result<Option<TraceId>, String> {
    if text.len() > 32 {
        return Err(format!(
            "TraceID cannot be longer than 32 hex characters: {text}"
        ));
    }
    if !text.is_empty() && text.bytes().all(|digit| digit == b'0') {
        return Ok(None);
    }
    let id = text.parse();
    id.map(Some)
        .map_err(|_| format!("parsing {text:?}: invalid syntax"))
}

pub(super) fn malformed(name: &str, why: &str) -> Refusal {
    Refusal::bad(format!("unable to parse param '{name}': {why}"))
}
