//! Every scene by every way, with trace ids of both lengths, compared field by field.

use std::collections::BTreeSet;

use tracehound_interop::{Backend, Version, Way};

use crate::{Result, client, senders::sender};

#[test]
fn v1_shows_spans_by_thrift_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Way::Thrift)
}

#[test]
fn v2_shows_spans_by_thrift_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Way::Thrift)
}

#[test]
fn v1_shows_spans_by_otlp_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Way::OtlpHttp)
}

#[test]
fn v2_shows_spans_by_otlp_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Way::OtlpHttp)
}

#[test]
fn v1_shows_spans_by_otlp_over_grpc_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Way::OtlpGrpc)
}

#[test]
fn v2_shows_spans_by_otlp_over_grpc_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Way::OtlpGrpc)
}

#[test]
fn v1_shows_spans_by_grpc_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Way::Grpc)
}

#[test]
fn v2_shows_spans_by_grpc_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Way::Grpc)
}

#[test]
fn v1_shows_spans_of_zipkin_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Way::Zipkin)
}

#[test]
fn v2_shows_spans_of_zipkin_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Way::Zipkin)
}

fn shows_as_made(version: Version, way: Way) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let route = way.to(version);
    let at = way.address(jaeger.endpoints());
    let known = client::shows_as_made(&jaeger, way, || sender(way, at))?;
    let table: BTreeSet<_> = route.differences().iter().map(|it| it.name).collect();
    // The tables for Thrift have entries for spans that the library never makes. `differences.rs`
    // shows these.
    if way != Way::Thrift {
        assert_eq!(
            known, table,
            "{route}: the entries shown by some span, and the table"
        );
    }
    Ok(())
}
