//! Every scene, taken by a real OpenTelemetry Collector.

use tracehound::{
    prelude::*,
    reporter::sender::{OtlpSender, Sender},
};
use tracehound_interop::{Collector, OtlpSpan};

use crate::{
    Result,
    maker::{Maker, with_tags},
    scenes,
};

#[test]
fn a_collector_takes_spans_by_http_as_they_were_made() -> Result {
    takes_as_made(|collector| Ok(Box::new(OtlpSender::new(&by_http(collector))?)))
}

#[test]
fn a_collector_takes_compressed_spans_as_they_were_made() -> Result {
    takes_as_made(|collector| Ok(Box::new(OtlpSender::new(&by_http(collector))?.gzip(true))))
}

#[test]
fn spans_reach_a_collector_that_is_busy_at_first() -> Result {
    let Some(collector) = Collector::start_or_skip(2)? else {
        return Ok(());
    };
    let maker = Maker::new(OtlpSender::new(&by_http(&collector))?, |tracer| tracer)?;
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

fn by_http(collector: &Collector) -> String {
    format!("http://{}", collector.http_addr())
}
