//! Tests of batches: one span for several messages.

use tracehound::metrics::Counter;
use tracehound::middleware::MessageBus;
use tracehound::model::ReferenceType;
use tracehound::propagation::{MessageHeaders, Trust};

use super::{Headers, bus, ids, only, send, written};
use crate::support::recording_tracer;

#[test]
fn a_batch_that_is_sent_has_one_span_and_all_messages_carry_it() {
    let (bus, spans) = bus();
    let mut batch = [Headers::new(), send(&bus, "old"), Headers::new()];
    spans.take();
    let sending = bus
        .send("orders")
        .start_batch(batch.iter_mut().map(MessageHeaders));
    sending.finish();
    let span = only(&spans);
    assert_eq!(span.operation_name, "To_orders");
    assert_eq!(span.tag_text("message.count"), "3");
    assert!(span.parent_id.is_none());
    for headers in &batch {
        assert_eq!(written(headers), [ids(&span)]);
    }
}

#[test]
pub(in crate::middleware) fn a_batch_that_is_received_refers_to_each_producer_up_to_a_limit() {
    for (sent, without, unreferenced) in [(0, 2, ""), (1, 0, ""), (32, 5, ""), (40, 0, "8")] {
        let (bus, spans) = bus();
        let bus = bus.relation(ReferenceType::ChildOf);
        let mut batch: Vec<_> = (0..sent).map(|_| send(&bus, "orders")).collect();
        let senders: Vec<_> = spans.take().iter().map(|span| Some(span.span_id)).collect();
        batch.resize(sent + without, Headers::new());
        let headers = batch.iter().map(|headers| MessageHeaders(&headers[..]));
        bus.receive("orders").start_batch(headers).finish();
        let span = only(&spans);
        assert_eq!(span.tag_text("message.count"), (sent + without).to_string());
        assert_eq!(span.tag_text("message.unreferenced"), unreferenced);
        let references: Vec<_> = span.references.iter().map(|to| Some(to.span_id)).collect();
        assert_eq!(references, senders[..sent.min(32)]);
        let kinds = span.references.iter().map(|to| to.kind);
        assert!(
            kinds
                .into_iter()
                .all(|kind| kind == ReferenceType::FollowsFrom)
        );
        assert_eq!(span.parent_id, senders.first().copied().flatten());
    }
}

#[test]
fn a_malformed_message_of_a_batch_costs_only_its_own_reference() {
    let (tracer, spans) = recording_tracer();
    let bus = MessageBus::new(tracer.clone(), "kafka");
    let batch = [
        [("uber-trace-id", "malformed")],
        [("uber-trace-id", "1:2:0:1")],
    ];
    bus.receive("orders").start_batch(batch).finish();
    assert_eq!(only(&spans).references.len(), 1);
    assert_eq!(tracer.metrics().get(Counter::DecodingErrors), 1);
}

#[test]
fn a_batch_from_strangers_begins_a_trace_and_refers_to_all() {
    let (bus, spans) = bus();
    let bus = bus.trust(Trust::restart());
    let batch = [
        [("uber-trace-id", "1:2:0:3")],
        [("uber-trace-id", "3:4:0:3")],
    ];
    bus.receive("orders").start_batch(batch).finish();
    let span = only(&spans);
    let traces: Vec<_> = span
        .references
        .iter()
        .map(|to| to.trace_id.to_string())
        .collect();
    assert_eq!(traces, ["0000000000000001", "0000000000000003"]);
    assert!(!span.flags.is_debug() && span.parent_id.is_none());
    assert!(!traces.contains(&span.trace_id.to_string()));
}
