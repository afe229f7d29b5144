//! A strategy file that is rewritten while programs run.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value as Json, json};
use tracehound::sampler::remote::{GrpcStrategyFetcher, HttpStrategyFetcher, StrategyFetcher};
use tracehound_interop::{Backend, StoredSpan, Value, Version};

use crate::{
    Result, expected,
    program::{Program, sampler_of},
};

#[test]
fn programs_follow_the_file_of_v1() -> Result {
    follow_the_file(Version::V1)
}

#[test]
fn programs_follow_the_file_of_v2() -> Result {
    follow_the_file(Version::V2)
}

fn follow_the_file(version: Version) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let sources = sources(&jaeger)?;
    let services: Vec<_> = sources.iter().map(|(service, _)| *service).collect();
    let write = |of_services: &dyn Fn() -> Json, default: Option<Json>| {
        jaeger.write_strategies(&file(&services, of_services, default))
    };
    write(&|| json!({"type": "probabilistic", "param": 0.25}), None)?;
    // The backend reads its first file as it starts, and this one a moment later.
    for service in &services {
        jaeger.strategy_when(service, |answer| {
            answer["probabilisticSampling"]["samplingRate"] == 0.25
        })?;
    }
    let mut programs = Vec::new();
    for (service, fetcher) in sources {
        programs.push(Program::start(&jaeger, service, fetcher)?);
    }
    let mut check = |what: &str, look: fn(&Backend, &Program) -> Result| -> Result {
        for program in &mut programs {
            let seen = match program.wait_updated() {
                Ok(()) => look(&jaeger, program),
                Err(error) => Err(error),
            };
            seen.map_err(|error| format!("{version}, {}, {what}: {error}", program.service))?;
        }
        Ok(())
    };
    check("a probability", |jaeger, program| {
        is_kept_with(jaeger, program, "home", 0.25)
    })?;

    write(&|| json!({"type": "ratelimiting", "param": 10}), None)?;
    check("a limit", |jaeger, program| {
        let lasting = Duration::from_secs(2);
        let kept = program.make_evenly("search", 300, lasting);
        let spans = program.stored(jaeger, "search", kept)?;
        tell_of_sampler(&spans, "ratelimiting", 10.0)?;
        let starts: Vec<i64> = spans.iter().map(|span| span.start_us).collect();
        match expected::limit(&starts, lasting, 10.0) {
            None => Ok(()),
            Some(wrong) => Err(wrong.into()),
        }
    })?;

    let per_operation = || {
        json!({"type": "probabilistic", "param": 0.1, "operation_strategies": [
            {"operation": "GET /cart/{id}", "type": "probabilistic", "param": 0.5},
            {"operation": "GET /health", "type": "probabilistic", "param": 0},
            {"operation": "pay", "type": "probabilistic", "param": 1},
        ]})
    };
    write(&per_operation, None)?;
    check("operations", |jaeger, program| {
        is_kept_with(jaeger, program, "GET /cart/{id}", 0.5)?;
        is_kept_with(jaeger, program, "GET /health", 0.0)?;
        is_kept_with(jaeger, program, "pay", 1.0)?;
        is_kept_with(jaeger, program, "unnamed", 0.1)
    })?;

    // The file names another service only, so the default holds for these.
    let default = json!({"type": "probabilistic", "param": 0.05});
    jaeger.write_strategies(&file(&["another"], &per_operation, Some(default)))?;
    check("the default of the file", |jaeger, program| {
        is_kept_with(jaeger, program, "GET /cart/{id} again", 0.05)
    })?;

    jaeger.write_strategies(&file(&["another"], &per_operation, None))?;
    check("the default of the backend", |jaeger, program| {
        // v2 is configured to keep all of what it has no strategy for.
        let default = match jaeger.version() {
            Version::V1 => 0.001,
            _ => 1.0,
        };
        is_kept_with(jaeger, program, "last", default)
    })?;
    for program in programs {
        program.close()?;
    }
    Ok(())
}

/// Returns a service for each way to ask for strategies.
fn sources(jaeger: &Backend) -> Result<Vec<(&'static str, Box<dyn StrategyFetcher>)>> {
    let at = jaeger.endpoints();
    let http = |address: SocketAddr, path: &str| -> Result<Box<dyn StrategyFetcher>> {
        let url = format!("http://{address}{path}");
        Ok(Box::new(HttpStrategyFetcher::new(&url)?))
    };
    let grpc = |address: SocketAddr| -> Result<Box<dyn StrategyFetcher>> {
        let endpoint = format!("grpc://{address}");
        Ok(Box::new(GrpcStrategyFetcher::new(&endpoint)?))
    };
    Ok(match jaeger.version() {
        Version::V1 => vec![
            ("by-agent", http(at.sampling_http, "/sampling")?),
            ("by-agent-root", http(at.sampling_http, "/")?),
            ("by-collector", http(at.collector_http, "/api/sampling")?),
            ("by-grpc", grpc(at.collector_grpc)?),
        ],
        _ => vec![
            ("by-extension", http(at.sampling_http, "/sampling")?),
            ("by-grpc", grpc(at.sampling_grpc)?),
        ],
    })
}

/// Returns a strategy file.
fn file(services: &[&str], of_services: &dyn Fn() -> Json, default: Option<Json>) -> Json {
    let strategies = services.iter().map(|service| {
        let mut strategy = of_services();
        strategy["service"] = json!(service);
        strategy
    });
    let mut file = json!({"service_strategies": strategies.collect::<Vec<_>>()});
    if let Some(default) = default {
        file["default_strategy"] = default;
    }
    file
}

/// Makes traces, and checks what the program and the backend have of them.
fn is_kept_with(
    jaeger: &Backend,
    program: &Program,
    operation: &'static str,
    probability: f64,
) -> Result {
    let kept = program.make(operation, TRACES);
    let spans = program.stored(jaeger, operation, kept)?;
    if let Some(wrong) = expected::probability(kept, TRACES, probability) {
        return Err(format!("{operation}: {wrong}").into());
    }
    tell_of_sampler(&spans, "probabilistic", probability)
}

/// Checks the tags of the backend's spans.
fn tell_of_sampler(spans: &[StoredSpan], kind: &str, param: f64) -> Result {
    let expected = (Value::from(kind), Value::Double(param));
    for span in spans {
        if sampler_of(span) != (Some(&expected.0), Some(&expected.1)) {
            return Err(format!("expected {expected:?}: {span:?}").into());
        }
    }
    Ok(())
}

const TRACES: u64 = 1_000;
