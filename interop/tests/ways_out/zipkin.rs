//! Every scene, shown by a real Zipkin server.

use tracehound::reporter::sender::ZipkinSender;
use tracehound_interop::{Zipkin, ZipkinSpan};

use crate::{
    Result,
    maker::{Maker, with_tags},
    scenes,
};

#[test]
fn zipkin_shows_spans_as_they_were_made() -> Result {
    let Some(zipkin) = Zipkin::start_or_skip()? else {
        return Ok(());
    };
    let endpoint = format!("http://{}", zipkin.address());
    let mut sent = 0;
    let mut mismatches = Vec::new();
    for is_128_bit in [false, true] {
        for (name, scene) in scenes::ALL {
            // Half of the requests are compressed.
            let sender = ZipkinSender::new(&endpoint)?.gzip(is_128_bit);
            let maker = Maker::new(sender, |tracer| {
                with_tags(tracer).trace_id_128bit(is_128_bit)
            })?;
            scene(maker.tracer());
            let report = maker.flush();
            maker.assert_all_sent(&report);
            sent += report.sent;
            for (trace_id, batch) in maker.made() {
                let mut read = zipkin.trace(trace_id, batch.spans.len())?;
                for span in &batch.spans {
                    let expected = ZipkinSpan::expected(&batch, span);
                    match read.iter().position(|it| it.id == expected.id) {
                        Some(at) if read[at] == expected => drop(read.remove(at)),
                        Some(at) => {
                            let read = read.remove(at);
                            mismatches
                                .push(format!("{name}: expected {expected:#?}, read {read:#?}"));
                        }
                        None => mismatches.push(format!("{name}: {expected:#?} is missing")),
                    }
                }
                mismatches.extend(read.iter().map(|it| format!("{name}: not made: {it:#?}")));
            }
        }
    }
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
    assert_eq!(zipkin.received()?, sent);
    Ok(())
}
