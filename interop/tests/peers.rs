//! Each crossdock service that a recipe builds, by itself: it calls itself, and once more.
//!
//! A hop that fails in the matrix of all languages is then not the fault of a service.

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, LACKS, Matrix, Orders, PUBLISHED},
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
            let matrix = Matrix {
                format,
                trace_id_bits,
                alphabets: &[Alphabet::Digits],
                orders: Orders::Every,
                lacks: LACKS,
            };
            let outcome = matrix.run(&[peer], &jaeger)?;
            let report = &outcome.reports[0];
            let setup = report.setup;
            assert!(
                outcome.problems.is_empty(),
                "{setup}: {}",
                outcome.problems.join("\n")
            );
            let counts = (report.runs, report.traces, report.spans);
            assert_eq!(counts, (2, 1, 5), "{setup}");
        }
    }
    Ok(())
}
