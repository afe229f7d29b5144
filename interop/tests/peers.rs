//! Each crossdock service of another language by itself: it calls itself, and that one itself.
//!
//! A hop that fails in the matrix of all languages is then not the fault of a service.

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, LACKS, Orders, PUBLISHED, Report, Setup},
};

#[test]
fn the_service_over_jaeger_client_for_node_keeps_its_traces() -> Result<(), Error> {
    keeps_its_traces("node")
}

#[test]
fn the_service_over_jaeger_client_for_java_keeps_its_traces() -> Result<(), Error> {
    keeps_its_traces("java")
}

#[test]
fn the_service_over_opentelemetry_for_go_keeps_its_traces() -> Result<(), Error> {
    keeps_its_traces("otel-go")
}

#[test]
fn the_service_over_opentelemetry_for_node_keeps_its_traces() -> Result<(), Error> {
    keeps_its_traces("otel-node")
}

#[test]
fn the_service_over_opentelemetry_for_python_keeps_its_traces() -> Result<(), Error> {
    keeps_its_traces("otel-python")
}

#[test]
fn the_service_over_opentelemetry_for_rust_keeps_its_traces() -> Result<(), Error> {
    keeps_its_traces("otel-rust")
}

fn keeps_its_traces(name: &str) -> Result<(), Error> {
    let peer = PUBLISHED.iter().find(|peer| peer.name == name);
    let peer = *peer.expect("the table has it");
    if !peer.is_there_or_skipped()? {
        return Ok(());
    }
    for (trace_id_bits, version) in [(64, Version::V1), (128, Version::V2)] {
        for &format in peer.formats {
            let Some(jaeger) = Backend::start_or_skip(version)? else {
                return Ok(());
            };
            let setup = Setup {
                format,
                trace_id_bits,
                alphabet: Alphabet::Digits,
            };
            let report = Report::of(setup, &[peer], Orders::Every, LACKS, &jaeger)?;
            assert!(
                report.problems.is_empty(),
                "{setup}: {}",
                report.problems.join("\n")
            );
            assert_eq!(
                (report.runs, report.traces, report.spans),
                (2, 1, 5),
                "{setup}"
            );
        }
    }
    Ok(())
}
