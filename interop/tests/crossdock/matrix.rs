//! All orders of services: nothing is lost but what `LACKS` lists.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Format, LACKS, Orders, Report, Setup},
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
#[ignore = "takes a while: every order of three"]
fn every_order_of_languages_passes_traces_on_in_jaegers_headers() -> Result<(), Error> {
    nothing_is_lost(Format::Jaeger, Orders::Every)
}

#[test]
#[ignore = "takes a while: every order of three"]
fn every_order_of_languages_passes_traces_on_in_b3_headers() -> Result<(), Error> {
    nothing_is_lost(Format::B3, Orders::Every)
}

/// Runs the matrix with both lengths of trace ids, each with another generation of Jaeger.
fn nothing_is_lost(format: Format, orders: Orders) -> Result<(), Error> {
    let (peers, are_all) = peers(format)?;
    let mut used = BTreeSet::new();
    let mut problems = Vec::new();
    for (trace_id_bits, version) in [(64, Version::V1), (128, Version::V2)] {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let setup = Setup {
            format,
            trace_id_bits,
        };
        let report = Report::of(setup, &peers, orders, LACKS, &jaeger)?;
        print(&report);
        used.extend(report.excused.into_keys());
        problems.extend(report.problems);
    }
    if are_all {
        for (place, lack) in LACKS.iter().enumerate() {
            if lack.formats.contains(&format) && !used.contains(&place) {
                problems.push(format!("{format}: no hop needs the entry: {}", lack.reason));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// Prints the outcome past the capture of the test runner.
fn print(report: &Report) {
    for line in report.lines(LACKS) {
        // A closed standard error is no reason to fail.
        let _ = writeln!(io::stderr(), "{line}");
    }
}
