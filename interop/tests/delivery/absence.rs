//! Nobody listens at the agent's port, for ever or for a while.

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
fn without_an_agent_nothing_counts_as_sent_and_all_is_refused() -> Result {
    let _alone = alone();
    // Let go of at once: nobody listens there.
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
fn v1_stores_what_is_sent_after_it_comes_late() -> Result {
    stores_after_it_comes_late(Version::V1)
}

#[test]
fn v2_stores_what_is_sent_after_it_comes_late() -> Result {
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
    // v1's agent reads spans before it has a connection to its collector, and says how many it
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
/// What may still be lost when the agent is there: a client may look only after a while whether it
/// is, but not longer than a second after a refusal.
const GIVEN_UP: u64 = RATE;
