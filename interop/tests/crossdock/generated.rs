//! Traces that a driver lets our service make, as the end-to-end tests of Jaeger do.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use tracehound_interop::{
    Backend, Error, Tag, Version,
    crossdock::{Alphabet, Format, Peer, Service, Setup},
    poll,
};

use crate::OWN;

#[test]
fn jaeger_has_every_trace_that_a_driver_lets_our_service_create() -> Result<(), Error> {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let service = start(&jaeger)?;
        for (sampler, operation, priority) in [
            ("const", "constant", None),
            ("probabilistic", "probable", None),
            ("const", "important", Some("1")),
        ] {
            let mut tags = json!({"customer": "ada"});
            if let Some(priority) = priority {
                tags["sampling.priority"] = json!(priority);
            }
            let request = json!({
                "type": sampler, "operation": operation, "count": 3, "tags": tags,
            });
            service.post("/create_traces", &[], &request.to_string())?;
        }
        let name = service.peer().service_name();
        service.stop()?;

        let traces = jaeger.trace_ids_when(&name, |traces| traces.len() >= 9)?;
        assert_eq!(traces.len(), 9, "{version}");
        let mut operations = Vec::new();
        for trace_id in traces {
            let trace = jaeger.trace(trace_id, 1)?;
            assert_eq!(trace.spans.len(), 1, "{version}: {trace:?}");
            let span = &trace.spans[0];
            assert!(
                span.tags.contains(&Tag::new("customer", "ada")),
                "{version}: {span:?}"
            );
            let has_priority = span.tags.contains(&Tag::new("sampling.priority", 1));
            assert_eq!(
                has_priority,
                span.operation == "important",
                "{version}: {span:?}"
            );
            operations.push(span.operation.clone());
        }
        operations.sort();
        let expected = ["constant", "important", "probable"]
            .map(|name| [name; 3])
            .concat();
        assert_eq!(operations, expected, "{version}");
    }
    Ok(())
}

/// A driver asks for the remote sampler by its name, or by none.
#[test]
fn traces_of_the_remote_sampler_are_kept_as_the_strategy_file_says() -> Result<(), Error> {
    for (version, sampler) in [(Version::V1, "remote"), (Version::V2, "")] {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let service = start(&jaeger)?;
        let name = service.peer().service_name();
        let kept = json!({"operation": "kept", "type": "probabilistic", "param": 1});
        jaeger.write_strategies(&json!({"service_strategies": [
            {"service": &name, "type": "probabilistic", "param": 0, "operation_strategies": [kept]},
        ]}))?;
        jaeger.strategy_when(&name, |answer| answer["operationSampling"].is_object())?;

        let create = |operation: &str, count: u32| {
            let request = json!({"type": sampler, "operation": operation, "count": count});
            service.post("/create_traces", &[], &request.to_string())
        };
        // The first traces may be made before the first answer, which nobody outside of the service sees.
        let mut attempts = 0;
        loop {
            attempts += 1;
            let dropped = format!("dropped {attempts}");
            create(&dropped, 10)?;
            create("kept", 1)?;
            wait_stored(&jaeger, &name, attempts)?;
            if jaeger.spans_of(&name, &dropped)?.is_empty() {
                break;
            }
            assert!(attempts < 20, "{version}: the service does not follow");
        }
        create("dropped at last", 100)?;
        create("kept", 1)?;
        service.stop()?;
        wait_stored(&jaeger, &name, attempts + 1)?;
        let dropped = jaeger.spans_of(&name, "dropped at last")?;
        assert_eq!(dropped, [], "{version}");
    }
    Ok(())
}

/// Waits until the backend has `traces` traces of the operation `kept`.
fn wait_stored(jaeger: &Backend, service: &str, traces: usize) -> Result<(), Error> {
    let stored = poll(
        Duration::from_secs(10),
        Duration::from_millis(50),
        || match jaeger.spans_of(service, "kept") {
            Ok(spans) if spans.len() >= traces => Ok(Ok(())),
            Ok(spans) => Err(spans.len()),
            Err(error) => Ok(Err(error)),
        },
    );
    stored.unwrap_or_else(|stored| {
        assert_eq!(stored, traces, "traces that are stored");
        Ok(())
    })
}

#[test]
fn a_driver_that_asks_for_an_unknown_sampler_gets_an_error() -> Result<(), Error> {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let service = start(&jaeger)?;
    let request = json!({"type": "lottery", "operation": "o", "count": 1});
    let failed = service
        .post("/create_traces", &[], &request.to_string())
        .expect_err("no such sampler");
    let failed = failed.to_string();
    assert!(
        failed.contains("500: ") && failed.contains("lottery"),
        "{failed}"
    );
    let name = service.peer().service_name();
    service.stop()?;
    assert_eq!(jaeger.trace_ids(&name)?, BTreeSet::new());
    Ok(())
}

fn start(jaeger: &Backend) -> Result<Service, Error> {
    let setup = Setup {
        format: Format::Jaeger,
        trace_id_bits: 64,
        alphabet: Alphabet::Digits,
    };
    Service::start(Peer::own(OWN), setup, jaeger.endpoints())
}
