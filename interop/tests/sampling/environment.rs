//! A program whose only settings are variables of Jaeger's clients.

use std::time::Duration;

use serde_json::json;
use tracehound_interop::{Backend, Version, poll};

use crate::{Result, roots::Roots};

#[test]
fn a_program_with_nothing_but_variables_is_sampled_by_v1() -> Result {
    is_sampled_by_the_backend(Version::V1)
}

#[test]
fn a_program_with_nothing_but_variables_is_sampled_by_v2() -> Result {
    is_sampled_by_the_backend(Version::V2)
}

fn is_sampled_by_the_backend(version: Version) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    jaeger.write_strategies(&json!({
        "service_strategies": [
            {"service": SERVICE, "type": "probabilistic", "param": 0, "operation_strategies": [
                {"operation": "kept", "type": "probabilistic", "param": 1},
            ]},
        ],
    }))?;
    jaeger.strategy_when(SERVICE, |answer| {
        answer["operationSampling"]["perOperationStrategies"][0]["operation"] == "kept"
    })?;
    let roots = Roots::build()?;
    let at = jaeger.endpoints();
    let grpc = match version {
        Version::V1 => at.collector_grpc,
        _ => at.sampling_grpc,
    };
    // No type: the remote sampler is the default. The name that older programs use for the endpoint has to do, too.
    for (name, value) in [
        (
            "JAEGER_SAMPLING_ENDPOINT",
            format!("http://{}/sampling", at.sampling_http),
        ),
        ("JAEGER_SAMPLING_ENDPOINT", format!("grpc://{grpc}")),
        (
            "JAEGER_SAMPLER_MANAGER_HOST_PORT",
            at.sampling_http.to_string(),
        ),
    ] {
        let variables = [("JAEGER_SERVICE_NAME", SERVICE), (name, &*value)];
        let before = jaeger.spans_of(SERVICE, "kept")?.len() as u64;
        let program = Roots::start(&roots, &jaeger, &variables, "kept:100,dropped:100", 2)?;
        let report = program.report()?;
        let at = format!("{version}, {name}={value}: {report:?}");
        let [dropped, kept] = ["dropped", "kept"].map(|name| &report.operations[name]);
        assert_eq!((dropped.made, kept.made), (200, 200), "{at}");
        // Until the first answer, which comes within milliseconds, one trace in a thousand is kept.
        assert!(dropped.all_sampled() <= 2, "{at}");
        assert!(kept.all_sampled() >= 50, "{at}");
        assert_eq!(
            report.finished,
            dropped.all_sampled() + kept.all_sampled(),
            "{at}"
        );
        assert_eq!(report.sent, report.finished, "{at}");
        let expected = before + kept.all_sampled();
        let stored = poll(WITHIN, EVERY, || match jaeger.spans_of(SERVICE, "kept") {
            Ok(spans) if spans.len() as u64 == expected => Ok(Ok(())),
            Ok(spans) => Err(spans.len()),
            Err(error) => Ok(Err(error)),
        });
        stored.map_err(|stored| format!("{stored} of {expected} are stored: {at}"))??;
    }
    Ok(())
}

const SERVICE: &str = "by-environment";
const WITHIN: Duration = Duration::from_secs(20);
const EVERY: Duration = Duration::from_millis(50);
