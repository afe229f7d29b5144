//! `/api/metrics`: what a Jaeger answers that has no store of metrics.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use crate::dev::server::query::value::{malformed, number, truth};
use crate::dev::server::query::{Parameters, Refusal};
use crate::dev::server::viewer::answer::parameter;

pub(super) async fn latencies(Query(parameters): Parameters) -> Response {
    let quantile = parameter(&parameters, "quantile").unwrap_or_default();
    let refusal = match quantile.parse::<f64>() {
        Ok(_) => refusal(&parameters),
        Err(_) => malformed("quantile", &format!("parsing {quantile:?}: invalid syntax")),
    };
    refusal.into_response()
}

/// Refuses the rates of calls and of errors.
pub(super) async fn rates(Query(parameters): Parameters) -> Response {
    refusal(&parameters).into_response()
}

pub(super) async fn smallest_step() -> Response {
    disabled().into_response()
}

/// Says what is wrong with a request, or that there are no metrics.
fn refusal(parameters: &[(String, String)]) -> Refusal {
    let check = || {
        if !parameters.iter().any(|(name, _)| name == "service") {
            return Err(malformed(
                "service",
                "please provide at least one service name",
            ));
        }
        truth(parameters, "groupByOperation")?;
        let kinds = parameters.iter().filter(|(name, _)| name == "spanKind");
        for (_, kind) in kinds {
            if !KINDS.contains(&kind.as_str()) {
                let why = format!("unsupported span kind: '{kind}'");
                return Err(malformed("spanKind", &why));
            }
        }
        for name in ["endTs", "lookback", "step", "ratePer"] {
            number(parameters, name)?;
        }
        Ok(())
    };
    check().err().unwrap_or_else(disabled)
}

fn disabled() -> Refusal {
    Refusal::new(
        StatusCode::NOT_IMPLEMENTED,
        "metrics querying is currently disabled",
    )
}

const KINDS: [&str; 6] = [
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];
