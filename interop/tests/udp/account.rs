//! The account of losses that v1's agent keeps for each client, compared with the library's ledger.

use tracehound::{
    SpanContext,
    diagnostics::Diagnostics,
    metrics::DropCause,
    model::{Flags, SpanId, TraceId},
    prelude::*,
    reporter::{CompositeReporter, RemoteReporter},
};
use tracehound_interop::{Backend, Version, Way};

use crate::{
    Result,
    client::Client,
    maker::Maker,
    protocol::Protocol,
    senders::{Gate, Watched},
};

#[test]
fn v1_counts_the_batches_and_losses_of_a_compact_client_as_its_ledger_does() -> Result {
    counts_as_the_ledger(Protocol::Compact)
}

#[test]
fn v1_counts_the_batches_and_losses_of_a_binary_client_as_its_ledger_does() -> Result {
    counts_as_the_ledger(Protocol::Binary)
}

fn counts_as_the_ledger(protocol: Protocol) -> Result {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let (sender, watch) = Watched::new(protocol.sender(&jaeger).max_packet_bytes(2_000));
    let gate = Gate::default();
    let maker = Maker::with_members(
        CompositeReporter::new().member(gate.clone()),
        RemoteReporter::new(sender),
        |tracer| {
            let silent = Diagnostics::with_handler(|_| {});
            tracer.queue_size(64).diagnostics(silent)
        },
    )?;
    let client = Client::of(&jaeger, Way::Agent, maker)?;
    let tracer = client.tracer();
    let one = |name: &'static str| tracer.start_span(name).finish();

    // The agent's account of a client begins after its first batch, so this one is not in it.
    one("the first");
    client.deliver()?;

    // While the worker stands at the gate, spans beyond the size of the queue are lost.
    let shut = gate.shut();
    for _ in 0..2_000 {
        one("at the gate");
    }
    drop(shut);
    let queue_full = client.deliver()?.dropped.get(DropCause::QueueFull);
    assert!(queue_full > 0, "nothing was lost at the gate");

    // References are never left out, so this span cannot be made smaller.
    let mut huge = tracer.build_span("too large");
    for n in 1..=200 {
        let (trace_id, span_id) = (TraceId::new(n, n), SpanId::new(n));
        let (trace_id, span_id) = trace_id.zip(span_id).expect("n is not 0");
        let other = SpanContext::new(trace_id, span_id, None, Flags::SAMPLED);
        huge = huge.follows_from(&other);
    }
    huge.start().finish();
    client.deliver()?;

    watch.lose_next();
    one("lost on its way");
    client.deliver()?;

    // This batch carries the losses so far.
    one("the last");
    let report = client.deliver()?;
    let lost = |cause| report.dropped.get(cause);
    assert_eq!(lost(DropCause::QueueFull), queue_full, "{report}");
    assert_eq!(lost(DropCause::TooLarge), 1, "{report}");
    assert_eq!(lost(DropCause::SendFailed), 1, "{report}");
    assert_eq!(report.dropped.total(), queue_full + 2, "{report}");

    let batches = watch.sizes().len() as u64;
    assert!(batches > 4, "{batches} batches");
    let wanted = Account {
        batches_sent_after_the_first: batches - 1,
        batches_received: batches - 1,
        full_queue: queue_full,
        too_large: 1,
        send_failure: 1,
    };
    // The assertion below reports the difference if the wait fails.
    let _ =
        jaeger.received_when(|_| Account::of_the_only_client(&jaeger).is_ok_and(|it| it == wanted));
    assert_eq!(Account::of_the_only_client(&jaeger)?, wanted);
    Ok(())
}

/// The agent's account of its clients.
#[derive(Debug, PartialEq, Eq)]
struct Account {
    batches_sent_after_the_first: u64,
    batches_received: u64,
    full_queue: u64,
    too_large: u64,
    send_failure: u64,
}

impl Account {
    fn of_the_only_client(jaeger: &Backend) -> Result<Self> {
        let metrics = jaeger.metrics()?;
        let lost = |cause| metrics.count("client_stats_spans_dropped", &[("cause", cause)]);
        Ok(Self {
            batches_sent_after_the_first: metrics.count("client_stats_batches_sent", &[]),
            batches_received: metrics.count("client_stats_batches_received", &[]),
            full_queue: lost("full-queue"),
            too_large: lost("too-large"),
            send_failure: lost("send-failure"),
        })
    }
}
