//! An agent that never starts, or starts late.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, UdpSocket},
};

use tracehound_interop::{Backend, Load, SpanSize, Version};

use crate::{
    Result, produce,
    scene::{alone, run},
};

#[test]
fn spans_without_an_agent_are_refused_and_never_count_as_sent() -> Result {
    let _alone = alone();
    // The socket is dropped at once, so its port has no listener.
    let nobody = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let load = Load::new("load", nobody, SpanSize::Large);
    for load in [
        load.clone().burst(1),
        load.clone().burst(5_000),
        load.rate(1_000, 2),
    ] {
        let report = produce::run(&load)?;
        let refused = BTreeMap::from([("refused".to_owned(), load.spans)]);
        assert_eq!(report.dropped, refused, "{load:?}: {report}");
        assert!(report.adds_up() && report.sent == 0, "{load:?}: {report}");
    }
    Ok(())
}

#[test]
fn v1_stores_spans_that_are_sent_after_its_late_start() -> Result {
    stores_after_it_comes_late(Version::V1)
}

#[test]
fn v2_stores_spans_that_are_sent_after_its_late_start() -> Result {
    stores_after_it_comes_late(Version::V2)
}

/// The agent starts when the program has run for two seconds.
fn stores_after_it_comes_late(version: Version) -> Result {
    let _alone = alone();
    let Some(mut jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    jaeger.kill()?;
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large).rate(RATE, 8);
    let (report, made_when_ready) = run(&load, |program| {
        program.wait_made(2 * RATE)?;
        jaeger.restart()?;
        Ok(program.made())
    })?;
    let delivered = jaeger.delivered(&load.service)?;
    let at = format!("{version}, ready after {made_when_ready} spans: {report}; {delivered:?}");
    // v1's agent reads spans before it is connected to its collector, and counts those that it
    // could not hand on.
    assert_eq!(
        report.sent,
        delivered.stored + delivered.lost_inside,
        "{at}"
    );
    assert!(report.dropped.contains_key("refused"), "{at}");
    assert!(report.lost() <= made_when_ready + GIVEN_UP, "{at}");
    Ok(())
}

const RATE: u64 = 1_000;
/// The spans that may still be lost when the agent is there: a client may test that only after a
/// while, but within a second after a refusal.
const GIVEN_UP: u64 = RATE;
