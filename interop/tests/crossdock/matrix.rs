//! All orders of services: nothing is lost but what `LACKS` lists.

use std::io::{self, Write};

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, Format, LACKS, Matrix, Orders},
};

use crate::peers;

#[test]
fn every_pair_of_languages_passes_traces_on_in_jaegers_headers() -> Result<(), Error> {
    nothing_is_lost(Format::Jaeger, Orders::EveryPair)
}

#[test]
fn every_pair_of_languages_passes_traces_on_in_b3_headers() -> Result<(), Error> {
    nothing_is_lost(Format::B3, Orders::EveryPair)
}

#[test]
fn every_pair_of_languages_passes_traces_on_in_w3c_headers() -> Result<(), Error> {
    nothing_is_lost(Format::W3c, Orders::EveryPair)
}

#[test]
fn our_service_keeps_every_trace_between_jaegers_clients_and_opentelemetry() -> Result<(), Error> {
    nothing_is_lost(Format::Mixed, Orders::EveryPair)
}

#[test]
#[ignore = "takes a while: every order of three"]
fn our_service_keeps_every_order_between_jaegers_clients_and_opentelemetry() -> Result<(), Error> {
    nothing_is_lost(Format::Mixed, Orders::Every)
}

#[test]
#[ignore = "takes a while: every order of three"]
fn every_order_of_languages_passes_traces_on_in_jaegers_headers() -> Result<(), Error> {
    nothing_is_lost(Format::Jaeger, Orders::Every)
}

#[test]
#[ignore = "takes a while: every order of three"]
fn every_order_of_languages_passes_traces_on_in_b3_headers() -> Result<(), Error> {
    nothing_is_lost(Format::B3, Orders::Every)
}

#[test]
#[ignore = "takes a while: every order of three"]
fn every_order_of_languages_passes_traces_on_in_w3c_headers() -> Result<(), Error> {
    nothing_is_lost(Format::W3c, Orders::Every)
}

/// Runs the matrix with both lengths of trace ids, each with another generation of Jaeger. With the longer ids it also
/// passes on text that has to be coded.
fn nothing_is_lost(format: Format, orders: Orders) -> Result<(), Error> {
    let (peers, are_all) = peers(format)?;
    let mut problems = Vec::new();
    for (trace_id_bits, alphabets, version) in [
        (64, &[Alphabet::Digits][..], Version::V1),
        (128, &Alphabet::ALL, Version::V2),
    ] {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let matrix = Matrix {
            format,
            trace_id_bits,
            alphabets,
            orders,
            lacks: LACKS,
        };
        let outcome = matrix.run(&peers, &jaeger)?;
        print(&outcome.lines(LACKS));
        problems.extend(outcome.problems);
        for report in outcome.reports.iter().filter(|_| are_all) {
            let unused = report.unused(LACKS).into_iter();
            let setup = report.setup;
            problems.extend(unused.map(|lack| format!("{setup}: no hop needs: {}", lack.reason)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// Prints the lines past the capture of the test runner.
fn print(lines: &[String]) {
    for line in lines {
        // A closed standard error is no reason to fail.
        let _ = writeln!(io::stderr(), "{line}");
    }
}
