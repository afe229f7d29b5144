//! More spans than fit into one batch, and one that is as large as most of them together.

use tracehound::{prelude::*, span::Limits};
use tracehound_interop::{Backend, Version, Way};

use crate::{Result, client::Client, senders::sender};

#[test]
fn v1_reads_every_span_of_many_batches() -> Result {
    reads_many_batches(Version::V1)
}

#[test]
fn v2_reads_every_span_of_many_batches() -> Result {
    reads_many_batches(Version::V2)
}

fn reads_many_batches(version: Version) -> Result {
    for way in Way::OF_REQUESTS {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let sender = sender(way, way.address(jaeger.endpoints()))?;
        let client = Client::new(&jaeger, way, sender, |tracer| {
            tracer.limits(Limits::default().tag_value_bytes(LARGEST))
        })?;
        let root = client.tracer().start_span("root");
        for n in 1..SPANS {
            let span = client.tracer().build_span(n.to_string()).child_of(&root);
            let bytes = if n == SPANS / 2 { LARGEST } else { USUAL };
            span.start().set_tag("value", "v".repeat(bytes));
        }
        root.finish();
        client.deliver_all()?;
        for (trace_id, batch) in client.made() {
            assert_eq!(batch.spans.len(), SPANS);
            let mismatches = client.compare(trace_id, &batch)?.mismatches;
            let route = way.to(version);
            assert!(mismatches.is_empty(), "{route}:\n{}", mismatches.join("\n"));
        }
    }
    Ok(())
}

/// Three batches of the usual size and more.
const SPANS: usize = 3_000;
const USUAL: usize = 1_000;
const LARGEST: usize = 900_000;
