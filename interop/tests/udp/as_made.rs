//! Every scene over both protocols, with trace ids of both lengths, compared field by field.

use tracehound_interop::{Backend, Version, Way};

use crate::{Result, client, protocol::Protocol};

#[test]
fn v1_shows_compact_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Protocol::Compact)
}

#[test]
fn v1_shows_binary_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V1, Protocol::Binary)
}

#[test]
fn v2_shows_compact_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Protocol::Compact)
}

#[test]
fn v2_shows_binary_spans_as_they_were_made() -> Result {
    shows_as_made(Version::V2, Protocol::Binary)
}

fn shows_as_made(version: Version, protocol: Protocol) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let known = client::shows_as_made(&jaeger, Way::Agent, || Ok(protocol.sender(&jaeger)))?;
    assert!(!known.is_empty(), "{version} has a table of differences");
    Ok(())
}
