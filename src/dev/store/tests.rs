use std::collections::HashSet;

use super::*;
use crate::clock::instant_now;
use crate::dev::store::fixtures::batch;
use crate::model::{SpanId, Tag};
use crate::thrift::Span;
use crate::view::fixtures::{open, trace_id, wire};

const GENEROUS: StoreLimits = StoreLimits {
    traces: 100,
    bytes: 1 << 20,
};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_trace_collects_its_spans_in_any_order_and_from_any_process() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    store.insert(batch("pay", [wire(1, 3, 2), wire(2, 9, 0)]), now);
    store.insert(batch("shop", [wire(1, 1, 0), wire(1, 2, 1)]), now);
    let trace = store.trace(trace_id(1)).expect("held");
    let ids: Vec<_> = trace
        .spans
        .iter()
        .map(|span| span.span.span_id.get())
        .collect();
    assert_eq!(ids, [3, 1, 2]);
    assert_eq!(trace.services(), ["pay", "shop"]);
    assert_eq!(store.trace_ids(), [trace_id(1), trace_id(2)]);
    assert_eq!(store.totals().received, 4);
    assert!(store.trace(trace_id(3)).is_none());
}

#[test]
fn a_trace_is_at_rest_200_ms_after_its_last_span() {
    let (mut store, start) = (TraceStore::new(GENEROUS), instant_now());
    store.insert(batch("shop", [wire(1, 1, 0)]), start);
    store.insert(batch("shop", [wire(1, 2, 1)]), start + ms(150));
    let settled = store.settled(start + ms(349));
    assert_eq!(
        (settled.ready.len(), settled.next),
        (0, Some(start + ms(350)))
    );
    assert_eq!(store.settled(start + ms(350)).ready, [trace_id(1)]);
    store.claim(trace_id(1));
    assert_eq!(store.settled(start + ms(900)), Settled::default());
    store.insert(batch("shop", [wire(1, 3, 1)]), start + ms(1_000));
    assert_eq!(store.settled(start + ms(1_199)).ready, []);
    assert_eq!(store.settled(start + ms(1_200)).ready, [trace_id(1)]);
}

#[test]
fn the_trace_that_came_to_rest_first_is_ready_first() {
    let (mut store, start) = (TraceStore::new(GENEROUS), instant_now());
    for (trace, at) in [(3, 20), (1, 10), (2, 30)] {
        store.insert(batch("shop", [wire(trace, 1, 0)]), start + ms(at));
    }
    let ready = store.settled(start + ms(1_000)).ready;
    assert_eq!(ready, [trace_id(1), trace_id(3), trace_id(2)]);
}

#[test]
fn a_trace_with_an_open_span_is_not_at_rest() {
    let (mut store, start) = (TraceStore::new(GENEROUS), instant_now());
    let mut root = open("shop", "checkout", 1, 0);
    root.trace_id = trace_id(7);
    store.note_open(root.clone());
    store.insert(batch("shop", [wire(7, 2, 1)]), start);
    assert_eq!(store.trace(trace_id(7)).expect("held").open, [root]);
    assert_eq!(store.settled(start + ms(60_000)), Settled::default());
    store.insert(batch("shop", [wire(7, 1, 0)]), start + ms(60_000));
    assert_eq!(store.trace(trace_id(7)).expect("held").open, []);
    assert_eq!(store.settled(start + ms(60_200)).ready, [trace_id(7)]);
}

#[test]
fn a_trace_waits_two_seconds_for_a_missing_parent() {
    let (mut store, start) = (TraceStore::new(GENEROUS), instant_now());
    store.insert(batch("shop", [wire(1, 2, 1)]), start);
    let settled = store.settled(start + ms(500));
    assert_eq!(
        (settled.ready.len(), settled.next),
        (0, Some(start + ms(2_000)))
    );
    store.insert(batch("shop", [wire(1, 1, 0)]), start + ms(600));
    assert_eq!(store.settled(start + ms(800)).ready, [trace_id(1)]);
    store.insert(batch("shop", [wire(2, 2, 1)]), start);
    assert_eq!(
        store.settled(start + ms(2_000)).ready,
        [trace_id(2), trace_id(1)]
    );
}

#[test]
fn the_oldest_trace_is_dropped_first_and_counted() {
    let limits = StoreLimits {
        traces: 2,
        bytes: 1 << 20,
    };
    let (mut store, now) = (TraceStore::new(limits), instant_now());
    for trace in 1..=4 {
        store.insert(batch("shop", [wire(trace, 1, 0), wire(trace, 2, 1)]), now);
    }
    assert_eq!(store.trace_ids(), [trace_id(3), trace_id(4)]);
    assert_eq!(store.totals().evicted, 4);
    assert_eq!(store.totals().dropped, 0);
}

#[test]
fn the_trace_of_the_newest_span_is_dropped_last() {
    let limits = StoreLimits {
        traces: 10,
        bytes: 20_000,
    };
    let (mut store, now) = (TraceStore::new(limits), instant_now());
    for trace in [1, 2, 3] {
        store.insert(batch("shop", [wire(trace, 1, 0)]), now);
    }
    let mut large = wire(1, 2, 1);
    large.operation_name = "x".repeat(20_000 - store.bytes);
    store.insert(batch("shop", [large]), now);
    let held = store.trace(trace_id(1)).expect("it has the newest span");
    assert_eq!(held.spans.len(), 2);
    assert!(store.totals().evicted > 0);
}

#[test]
fn the_store_bounds_its_bytes_and_refuses_spans_that_are_too_large() {
    let limits = StoreLimits {
        traces: 1_000,
        bytes: 20_000,
    };
    let (mut store, now) = (TraceStore::new(limits), instant_now());
    for trace in 1..=500 {
        store.insert(batch("shop", [wire(trace, 1, 0)]), now);
        assert!(store.bytes <= limits.bytes);
    }
    assert!(
        (10..=100).contains(&store.traces.len()),
        "{}",
        store.traces.len()
    );
    assert_eq!(store.order.len(), store.traces.len());

    // A trace that only grows: first the others are dropped, then its own spans are refused.
    store.insert(batch("shop", (1..=500).map(|id| wire(9_999, id, 0))), now);
    assert_eq!(store.trace_ids(), [trace_id(9_999)]);
    assert!(store.bytes <= limits.bytes);
    let totals = store.totals();
    let held = store.trace(trace_id(9_999)).expect("held").spans.len() as u64;
    assert_eq!(totals.received, totals.evicted + totals.dropped + held);

    // A span larger than the whole store.
    let mut huge = wire(5, 1, 0);
    huge.operation_name = "x".repeat(30_000);
    store.insert(batch("shop", [huge]), now);
    assert!(store.trace(trace_id(5)).is_none());
    assert_eq!(store.bytes, 0);
    store.insert(batch("shop", [wire(6, 1, 0)]), now);
    assert!(store.trace(trace_id(6)).is_some());
}

#[test]
fn spans_without_ids_are_refused() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    store.insert(batch("shop", [wire(0, 1, 0), wire(1, 0, 0)]), now);
    assert_eq!(store.trace_ids(), []);
    assert_eq!((store.totals().received, store.totals().dropped), (2, 2));
}

#[test]
fn each_loss_that_a_client_reports_is_counted_once() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    let report = |uuid: &'static str, lost: i64| ReceivedBatch {
        process: Arc::new(Process::new("shop", vec![Tag::new("client-uuid", uuid)])),
        losses: Some(ReportedLosses {
            full_queue: lost,
            too_large: 1,
            failed_to_emit: -5,
        }),
        ..batch("shop", [])
    };
    store.insert(report("a", 2), now);
    store.insert(report("a", 5), now);
    store.insert(report("a", 4), now);
    store.insert(report("b", 10), now);
    assert_eq!(store.totals().lost_by_clients, 17);
}

#[test]
fn the_parent_is_the_first_reference_as_in_a_jaeger_backend() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    store.insert(batch("shop", [wire(1, 2, 1)]), now);
    let trace = store.trace(trace_id(1)).expect("held");
    let span = &trace.spans[0].span;
    assert_eq!(span.parent_id.map(SpanId::get), Some(1));
    assert_eq!(span.references.len(), 1);
    assert_eq!(span.references[0].span_id.get(), 1);
}

#[test]
fn spans_share_their_process_and_a_large_one_only_within_a_batch() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    for (trace, tags, shared) in [(1, 3, 1), (2, 1_000, 2)] {
        for ids in [1..=2, 3..=4] {
            let tags = (0..tags).map(|n| Tag::new("tag", n)).collect();
            let process = Arc::new(Process::new("shop", tags));
            let batch = batch("shop", ids.map(|id| wire(trace, id, 0)));
            store.insert(ReceivedBatch { process, ..batch }, now);
        }
        let spans = store.traces().pop().expect("held").spans;
        let places: HashSet<_> = spans
            .iter()
            .map(|span| Arc::as_ptr(&span.process))
            .collect();
        assert_eq!(places.len(), shared, "{tags} tags");
    }
}

#[test]
fn to_find_what_changed_takes_as_many_looks_as_there_are_changes() {
    let limits = StoreLimits {
        traces: 10_000,
        bytes: 1 << 30,
    };
    let (mut store, now) = (TraceStore::new(limits), instant_now());
    store.insert(batch("shop", (1..=10_000).map(|n| wire(n, 1, 0))), now);
    let since = store.changes();
    assert!(store.changed_since(since).is_empty());
    assert_eq!(store.looks.get(), 0);

    // In another order than that in which their first spans came, and one of them twice.
    let spans = [(9_000, 2), (7, 2), (500, 2), (7, 3)];
    store.insert(batch("pay", spans.map(|(n, id)| wire(n, id, 1))), now);
    let ids = |since| -> Vec<_> {
        let changed = store.changed_since(since);
        changed.iter().map(|trace| trace.trace_id).collect()
    };
    assert_eq!(ids(since), [7, 500, 9_000].map(trace_id));
    assert_eq!(store.looks.get(), 3);
    assert_eq!(ids(since + 2), [7, 500].map(trace_id));
    assert_eq!(ids(since + 4), []);
    assert_eq!(ids(u64::MAX), []);
    assert_eq!(store.looks.get(), 5);
}

#[test]
fn what_changed_has_an_entry_for_each_trace_that_is_held() {
    let limits = StoreLimits {
        traces: 50,
        bytes: 20_000,
    };
    let (mut store, now) = (TraceStore::new(limits), instant_now());
    let is_exact = |store: &TraceStore| {
        let held = store.traces.iter().map(|(&id, held)| (held.changed, id));
        store.by_change == held.collect()
    };
    for trace in 1..=200 {
        store.insert(
            batch("shop", [wire(trace, 1, 0), wire(trace / 2 + 1, 2, 1)]),
            now,
        );
        assert!(is_exact(&store), "{trace}");
    }
    // Spans that are refused, of a trace that is held and of one that is not.
    let mut huge = wire(5, 1, 0);
    huge.operation_name = "x".repeat(30_000);
    store.insert(batch("shop", [huge]), now);
    assert!(is_exact(&store) && store.by_change.is_empty());
    store.insert(batch("shop", (1..=500).map(|id| wire(9_999, id, 0))), now);
    assert!(is_exact(&store) && store.by_change.len() == 1);
    store.clear();
    assert!(is_exact(&store));
}

#[test]
fn a_span_that_comes_again_alike_is_kept_once() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    let other_name = || Span {
        operation_name: "another".to_owned(),
        ..wire(1, 1, 0)
    };
    for _ in 0..3 {
        store.insert(batch("shop", [wire(1, 1, 0), wire(1, 2, 1)]), now);
        store.insert(batch("pay", [wire(1, 1, 0)]), now);
        store.insert(batch("shop", [other_name()]), now);
    }
    let totals = store.totals();
    assert_eq!((totals.received, totals.repeated), (12, 8));
    assert_eq!(store.trace(trace_id(1)).expect("held").spans.len(), 4);
    store.clear();
    assert_eq!(store.bytes, 0);
    store.insert(batch("shop", [wire(1, 1, 0)]), now);
    assert_eq!(store.trace(trace_id(1)).expect("held").spans.len(), 1);
}

#[test]
fn a_refused_span_may_come_again() {
    let mut store = TraceStore::new(StoreLimits {
        traces: 10,
        bytes: 2_000,
    });
    let long = || Span {
        operation_name: "x".repeat(1_500),
        ..wire(1, 2, 1)
    };
    store.insert(batch("shop", [wire(1, 1, 0)]), instant_now());
    let bytes = store.bytes;
    for _ in 0..2 {
        store.insert(batch("shop", [long()]), instant_now());
    }
    let totals = store.totals();
    assert_eq!(
        (totals.received, totals.dropped, totals.repeated),
        (3, 2, 0)
    );
    assert_eq!(store.bytes, bytes);
}

#[test]
fn spans_of_a_large_process_are_known_again_within_a_body_only() {
    let (mut store, now) = (TraceStore::new(GENEROUS), instant_now());
    let large = "x".repeat(9_000);
    for _ in 0..2 {
        store.insert(batch(&large, [wire(1, 1, 0), wire(1, 1, 0)]), now);
    }
    // The processes of two bodies are not compared, because that takes time for each span.
    assert_eq!(store.totals().repeated, 2);
    assert_eq!(store.trace(trace_id(1)).expect("held").spans.len(), 2);
}
