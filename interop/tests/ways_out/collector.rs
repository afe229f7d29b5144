//! Every scene, taken by a real OpenTelemetry Collector.

use tracehound::{
    prelude::*,
    reporter::sender::{OtlpSender, Sender},
};
use tracehound_interop::{Collector, OtlpSpan, Way};

use crate::{
    Result,
    maker::{Maker, with_tags},
    scenes,
    senders::sender,
};

#[test]
fn a_collector_takes_spans_by_http_as_they_were_made() -> Result {
    takes_as_made(|collector| sender(Way::OtlpHttp, collector.http_addr()))
}

#[test]
fn a_collector_takes_compressed_spans_as_they_were_made() -> Result {
    takes_as_made(|collector| {
        let endpoint = format!("http://{}", collector.http_addr());
        Ok(Box::new(OtlpSender::new(&endpoint)?.gzip(true)))
    })
}

#[test]
fn a_collector_takes_spans_by_grpc_as_they_were_made() -> Result {
    takes_as_made(|collector| sender(Way::OtlpGrpc, collector.grpc_addr()))
}

#[test]
fn spans_reach_a_collector_that_is_busy_at_first_by_http() -> Result {
    reaches_when_busy(|collector| sender(Way::OtlpHttp, collector.http_addr()))
}

#[test]
fn spans_reach_a_collector_that_is_busy_at_first_by_grpc() -> Result {
    reaches_when_busy(|collector| sender(Way::OtlpGrpc, collector.grpc_addr()))
}

fn reaches_when_busy(sender: impl Fn(&Collector) -> Result<Box<dyn Sender>>) -> Result {
    let Some(collector) = Collector::start_or_skip(2)? else {
        return Ok(());
    };
    let maker = Maker::new(sender(&collector)?, |tracer| tracer)?;
    maker.tracer().start_span("patient").finish();
    let report = maker.flush();
    maker.assert_all_sent(&report);
    let read = collector.spans(1)?;
    assert_eq!(read.len(), 1, "{read:#?}");
    Ok(())
}

fn takes_as_made(sender: impl Fn(&Collector) -> Result<Box<dyn Sender>>) -> Result {
    let Some(collector) = Collector::start_or_skip(0)? else {
        return Ok(());
    };
    let mut taken = 0;
    let mut mismatches = Vec::new();
    for is_128_bit in [false, true] {
        for (name, scene) in scenes::ALL {
            let maker = Maker::new(sender(&collector)?, |tracer| {
                with_tags(tracer).trace_id_128bit(is_128_bit)
            })?;
            scene(maker.tracer());
            let report = maker.flush();
            maker.assert_all_sent(&report);
            let before = taken;
            taken += report.sent as usize;
            let mut read = collector.spans(taken)?.split_off(before);
            for batch in maker.made().values() {
                for span in &batch.spans {
                    let expected = OtlpSpan::expected(batch, span);
                    let id = &expected.fields.span_id;
                    match read.iter().position(|it| it.fields.span_id == *id) {
                        Some(at) if read[at] == expected => drop(read.remove(at)),
                        Some(at) => {
                            let read = read.remove(at);
                            mismatches
                                .push(format!("{name}: expected {expected:#?}, read {read:#?}"));
                        }
                        None => mismatches.push(format!("{name}: {expected:#?} is missing")),
                    }
                }
            }
            mismatches.extend(read.iter().map(|it| format!("{name}: not made: {it:#?}")));
        }
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
    Ok(())
}
