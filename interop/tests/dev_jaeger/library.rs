//! Spans over all parts of the library's API.

use tracehound_interop::Way;

use crate::{
    Result,
    alike::Comparison,
    maker::{Maker, with_tags},
    scenes,
    senders::sender,
    shown::Three,
};

#[test]
fn spans_of_the_library_are_shown_alike_by_every_way() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let mut comparison = Comparison::default();
    for way in Way::OF_REQUESTS {
        for is_128_bit in [false, true] {
            for (name, scene) in scenes::ALL {
                let sender = sender(way, way.address(three.tee.endpoints()))?;
                let maker = Maker::new(sender, |tracer| {
                    with_tags(tracer).trace_id_128bit(is_128_bit)
                })?;
                scene(maker.tracer());
                maker.assert_all_sent(&maker.flush());
                for (trace_id, batch) in maker.made() {
                    let shown = three.trace(trace_id, batch.spans.len())?;
                    comparison.add(way, name, &shown);
                }
            }
        }
    }
    comparison.finish(&[
        (Way::Thrift, "*"),
        (Way::Grpc, "*"),
        (Way::OtlpHttp, "tag *"),
        (Way::Zipkin, "log *"),
    ])
}
