//! The agent is killed while spans flow, and started again.

use std::time::Duration;

use tracehound::metrics::FlushReport;
use tracehound_interop::{Backend, Load, SpanSize, Version};

use crate::{
    Result,
    scene::{alone, is_soon, run},
};

#[test]
fn v1_stores_what_is_sent_but_for_what_was_in_its_hands_when_killed() -> Result {
    stores_around_a_kill(Version::V1)
}

#[test]
fn v2_stores_what_is_sent_but_for_what_was_in_its_hands_when_killed() -> Result {
    stores_around_a_kill(Version::V2)
}

fn stores_around_a_kill(version: Version) -> Result {
    let _alone = alone();
    let Some(mut jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large).rate(1_000, 8);
    let (report, kill) = run(&load, |program| {
        program.wait_made(2_000)?;
        // Little is under way after this, so the bound below is a narrow one. Where it does not come
        // to that, the loss is judged in the end.
        let flushed = program.tracer.flush(Duration::from_secs(5));
        let mut stored = 0;
        let _ = is_soon(Duration::from_secs(2), || {
            stored = jaeger.delivered_now(&load.service)?.stored;
            Ok(stored >= flushed.sent)
        })?;
        jaeger.kill()?;
        let made = program.made();
        program.wait_made(made + 1_000)?;
        jaeger.restart()?;
        Ok(Kill {
            flushed,
            stored,
            made,
        })
    })?;
    let delivered = jaeger.delivered(&load.service)?;
    let at = format!("{version}: {report}; before: {kill:?}, after: {delivered:?}");
    assert!(kill.stored >= kill.flushed.sent, "already before: {at}");
    assert!(report.dropped.contains_key("refused"), "{at}");
    // What v1's agent reads before it has a connection to its collector, it tells as lost.
    let accounted = kill.stored + delivered.stored + delivered.lost_inside;
    assert!(report.sent >= accounted, "less is sent than arrived: {at}");
    let missing = report.sent - accounted;
    let in_its_hands = kill.in_its_hands();
    assert!(
        missing <= in_its_hands,
        "{missing} are sent and not stored, of which at most {in_its_hands} were in its hands: {at}"
    );
    Ok(())
}

/// How far things were when the agent died.
#[derive(Debug)]
struct Kill {
    /// The ledger some milliseconds before.
    flushed: FlushReport,
    /// What it had stored at the last look before.
    stored: u64,
    /// What the program had finished right afterwards.
    made: u64,
}

impl Kill {
    /// The bound of what the process, or the buffer of its socket, can have had and not stored: all
    /// that was made by then, less what was known to be stored or lost.
    fn in_its_hands(&self) -> u64 {
        self.made - self.flushed.dropped.total() - self.stored
    }
}
