//! A collector that answers requests is killed while spans flow and started again, or stands still.

use std::time::Duration;

use tracehound::{
    JaegerTracer,
    metrics::FlushReport,
    reporter::{
        RemoteReporter,
        sender::{HttpSender, OtlpSender, Sender},
    },
    sampler::ConstSampler,
};
use tracehound_interop::{Backend, Load, SpanSize, Version, Way};

use crate::{
    Result,
    scene::{alone, is_soon, losses, run_on},
    senders::sender,
};

#[test]
fn v1_stores_spans_sent_by_thrift_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V1, Way::Thrift)
}

#[test]
fn v2_stores_spans_sent_by_thrift_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V2, Way::Thrift)
}

#[test]
fn v1_stores_spans_sent_by_otlp_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V1, Way::OtlpHttp)
}

#[test]
fn v2_stores_spans_sent_by_otlp_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V2, Way::OtlpHttp)
}

#[test]
fn v1_stores_spans_sent_by_grpc_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V1, Way::Grpc)
}

#[test]
fn v2_stores_spans_sent_by_otlp_over_grpc_except_those_it_held_when_killed() -> Result {
    stores_around_a_kill(Version::V2, Way::OtlpGrpc)
}

#[test]
fn v1_stores_all_spans_sent_by_thrift_although_it_stands_still() -> Result {
    stores_all_after_a_standstill(Version::V1, Way::Thrift)
}

#[test]
fn v2_stores_all_spans_sent_by_otlp_although_it_stands_still() -> Result {
    stores_all_after_a_standstill(Version::V2, Way::OtlpHttp)
}

/// The collector stands still for less than the time that an answer may take.
fn stores_all_after_a_standstill(version: Version, way: Way) -> Result {
    let _alone = alone();
    let Some(mut jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large).rate(RATE, 5);
    let endpoint = format!("http://{}", way.address(jaeger.endpoints()));
    let tracer = match way {
        Way::Thrift => tracer(HttpSender::new(&endpoint)?.timeout(PATIENCE))?,
        _ => tracer(OtlpSender::new(&endpoint)?.timeout(PATIENCE))?,
    };
    let (report, ()) = run_on(&tracer, &load, |program| {
        program.wait_made(RATE)?;
        let stopped = jaeger.stop()?;
        program.wait_made(4 * RATE)?;
        drop(stopped);
        Ok(())
    })?;
    let delivered = jaeger.delivered(&load.service)?;
    let wrong = losses(&way.to(version).to_string(), &report, &delivered);
    assert!(wrong.is_empty(), "{wrong}");
    Ok(())
}

fn stores_around_a_kill(version: Version, way: Way) -> Result {
    let _alone = alone();
    let Some(mut jaeger) = Backend::start_for_load_or_skip(version)? else {
        return Ok(());
    };
    let load = Load::new("load", jaeger.compact_addr(), SpanSize::Large).rate(RATE, 8);
    let tracer = tracer(sender(way, way.address(jaeger.endpoints()))?)?;
    let (report, kill) = run_on(&tracer, &load, |program| {
        program.wait_made(2 * RATE)?;
        // The backend answers before it stores. If it has not stored all by then, the test fails at the
        // end.
        let flushed = program.tracer.flush(Duration::from_secs(5));
        let mut stored = 0;
        let _ = is_soon(Duration::from_secs(2), || {
            stored = jaeger.delivered_now(&load.service)?.stored;
            Ok(stored >= flushed.sent)
        })?;
        jaeger.kill()?;
        let made = program.made();
        program.wait_made(made + 2 * RATE)?;
        jaeger.restart()?;
        Ok(Kill {
            flushed,
            stored,
            made,
            made_when_ready: program.made(),
        })
    })?;
    let delivered = jaeger.delivered(&load.service)?;
    let route = way.to(version);
    let at = format!("{route}: {report}; before: {kill:?}, after: {delivered:?}");
    assert!(kill.stored >= kill.flushed.sent, "already before: {at}");
    // A short absence may cost nothing, because a batch is tried three times.
    let causes = ["refused", "unknown", "send_failed"];
    let is_known = |cause: &String| causes.contains(&cause.as_str());
    assert!(report.dropped.keys().all(is_known), "{at}");
    let stored = kill.stored + delivered.stored;
    // A request without an answer may have been read.
    let unknown = report.dropped.get("unknown").copied().unwrap_or(0);
    assert!(
        report.sent + unknown >= stored,
        "less is sent than arrived: {at}"
    );
    let missing = report.sent.saturating_sub(stored);
    let held_at_most = kill.held_at_most();
    assert!(
        missing <= held_at_most,
        "{missing} are sent and not stored, of which it held at most {held_at_most}: {at}"
    );
    let made_in_between = kill.made_when_ready - kill.flushed.finished;
    assert!(report.lost() <= made_in_between + GIVEN_UP, "{at}");
    Ok(())
}

fn tracer(sender: impl Sender + 'static) -> Result<JaegerTracer> {
    let builder = JaegerTracer::builder("load").sampler(ConstSampler::new(true));
    Ok(builder.reporter(RemoteReporter::new(sender)).build()?)
}

/// The counts at the time when the backend was killed.
#[derive(Debug)]
struct Kill {
    /// The ledger, some milliseconds before.
    flushed: FlushReport,
    /// The spans that were stored at the last look before.
    stored: u64,
    /// The spans that the program had finished right afterwards.
    made: u64,
    /// The spans that the program had finished when the backend was there again.
    made_when_ready: u64,
}

impl Kill {
    /// Returns the most spans that the process can have held without storing them: all that were made
    /// by then, less those known to be stored or lost.
    fn held_at_most(&self) -> u64 {
        self.made - self.flushed.dropped.total() - self.stored
    }
}

/// Spans a second.
const RATE: u64 = 1_000;
/// The spans that may still be lost when the backend is there again: the sender tries to connect within
/// a second.
const GIVEN_UP: u64 = 2 * RATE;
/// The time that an answer may take, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(30);
