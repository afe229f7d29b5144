//! All orders of services: nothing is lost but what `LACKS` lists.

use std::io::{self, Write};

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, Format, LACKS, Orders, Report, Setup},
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

#[test]
fn every_pair_of_languages_passes_text_on_in_jaegers_headers() -> Result<(), Error> {
    no_text_is_lost(Format::Jaeger)
}

#[test]
fn every_pair_of_languages_passes_text_on_in_b3_headers() -> Result<(), Error> {
    no_text_is_lost(Format::B3)
}

#[test]
fn every_pair_of_languages_passes_text_on_in_w3c_headers() -> Result<(), Error> {
    no_text_is_lost(Format::W3c)
}

/// Runs the matrix with both lengths of trace ids, each with another generation of Jaeger.
fn nothing_is_lost(format: Format, orders: Orders) -> Result<(), Error> {
    let digits = |trace_id_bits| Setup {
        format,
        trace_id_bits,
        alphabet: Alphabet::Digits,
    };
    run(
        orders,
        [(digits(64), Version::V1), (digits(128), Version::V2)],
    )
}

/// Runs the matrix with baggage that has to be coded on its way.
fn no_text_is_lost(format: Format) -> Result<(), Error> {
    let setup = |alphabet| Setup {
        format,
        trace_id_bits: 128,
        alphabet,
    };
    let setups =
        [Alphabet::Ascii, Alphabet::Unicode].map(|alphabet| (setup(alphabet), Version::V2));
    run(Orders::EveryPair, setups)
}

fn run(orders: Orders, setups: [(Setup, Version); 2]) -> Result<(), Error> {
    let format = setups[0].0.format;
    let (peers, are_all) = peers(format)?;
    let mut problems = Vec::new();
    for (setup, version) in setups {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let report = Report::of(setup, &peers, orders, LACKS, &jaeger)?;
        print(&report);
        if are_all {
            let unused = report.unused(LACKS).into_iter();
            problems.extend(unused.map(|lack| format!("{setup}: no hop needs: {}", lack.reason)));
        }
        problems.extend(report.problems);
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
