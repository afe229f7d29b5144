//! An agent that does not read for a while, so that its socket's buffer becomes full.

use tracehound_interop::{Backend, Load, SpanSize, Version};

use crate::{
    Result,
    scene::{alone, run},
};

#[test]
fn spans_that_a_stopped_v1_cannot_hold_never_count_as_sent() -> Result {
    tells_what_was_not_held(Version::V1)
}

#[test]
fn spans_that_a_stopped_v2_cannot_hold_never_count_as_sent() -> Result {
    tells_what_was_not_held(Version::V2)
}

/// Four seconds at 1,000 spans a second are 2.4 MB, of which a buffer of the usual size holds a
/// tenth.
fn tells_what_was_not_held(version: Version) -> Result {
    let _alone = alone();
    let Some(mut jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large).rate(1_000, 7);
    let (report, ()) = run(&load, |program| {
        program.wait_made(1_000)?;
        let stopped = jaeger.stop()?;
        program.wait_made(5_000)?;
        drop(stopped);
        Ok(())
    })?;
    let delivered = jaeger.delivered(&load.service)?;
    let at = format!("{version}: {report}; {delivered:?}");
    // The number of lost spans is not tested: a client may keep what an agent cannot take at the moment.
    assert_eq!(report.sent, delivered.stored, "{at}");
    Ok(())
}
