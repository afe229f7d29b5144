//! The agent is killed while spans flow, and started again.

use std::time::Duration;

use tracehound::metrics::FlushReport;
use tracehound_interop::{Backend, Load, SpanSize, Version};

use crate::{
    Result,
    scene::{alone, is_soon, run},
};

#[test]
fn v1_stores_sent_spans_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V1)
}

#[test]
fn v2_stores_sent_spans_except_those_it_held_when_killed() -> Result {
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
        // Few spans are under way after this, so the bound below is narrow. If the backend has not
        // stored all by then, the test fails at the end.
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
    // v1's agent reads spans before it is connected to its collector, and reports them as lost.
    let accounted = kill.stored + delivered.stored + delivered.lost_inside;
    assert!(report.sent >= accounted, "less is sent than arrived: {at}");
    let missing = report.sent - accounted;
    let held_at_most = kill.held_at_most();
    assert!(
        missing <= held_at_most,
        "{missing} are sent and not stored, of which it held at most {held_at_most}: {at}"
    );
    Ok(())
}

/// The counts at the time when the agent was killed.
#[derive(Debug)]
struct Kill {
    /// The ledger, some milliseconds before.
    flushed: FlushReport,
    /// The spans that were stored at the last look before.
    stored: u64,
    /// The spans that the program had finished right afterwards.
    made: u64,
}

impl Kill {
    /// Returns the most spans that the process, or the buffer of its socket, can have held without
    /// storing them: all that were made by then, less those known to be stored or lost.
    fn held_at_most(&self) -> u64 {
        self.made - self.flushed.dropped.total() - self.stored
    }
}
