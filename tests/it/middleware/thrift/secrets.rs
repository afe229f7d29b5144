//! Tests that no secret is recorded. Every secret here contains `canary`.

use tracehound::middleware::{ThriftClient, ThriftProcessor};

use super::stock::StockSyncProcessor;
use super::{Shop, Wire, plain_request, serve};
use crate::support::recording_tracer;

#[test]
fn texts_and_fields_of_exceptions_keep_their_secrets() {
    for wire in Wire::BOTH {
        for item in ["shelf", "samovar"] {
            let mut shop = Shop::new(wire);
            shop.client.count(item.into()).unwrap_err();
            let spans = format!("{:?}", shop.spans.take());
            assert!(!spans.contains("canary"), "{spans}");
        }
    }
}

#[test]
fn arguments_are_not_recorded() {
    let (tracer, spans) = recording_tracer();
    let processor = ThriftProcessor::new(tracer.clone(), StockSyncProcessor::new(Quiet));
    let client = ThriftClient::new(tracer).peer_address("me:canary@stock:9090");
    let sent = super::request(Wire::Binary, &client, "canary");
    serve(Wire::Binary, &processor, sent);
    serve(
        Wire::Binary,
        &processor,
        plain_request(Wire::Binary, "canary"),
    );
    let spans = format!("{:?}", spans.take());
    assert!(!spans.contains("canary"), "{spans}");
    assert!(spans.contains("@stock:9090"), "{spans}");
}

/// A handler that records nothing.
struct Quiet;

impl super::StockSyncHandler for Quiet {
    fn handle_count(&self, _: String) -> thrift::Result<i32> {
        Ok(0)
    }

    fn handle_restock(&self, _: String) -> thrift::Result<()> {
        Ok(())
    }
}
