//! Spans and datagrams of all sizes.

use tracehound::{
    metrics::Counter,
    model::{field, tags},
    prelude::*,
    reporter::sender::{AgentAddress, UdpSender},
    span::Limits,
};
use tracehound_interop::{Backend, SentBatch, StoredSpan, Tag, Value, Version, Way};

use crate::{
    Result,
    client::Client,
    protocol::{Protocol, read_one},
    senders::Watched,
};

#[test]
fn v1_reads_every_span_of_many_datagrams() -> Result {
    reads_many_datagrams(Version::V1)
}

#[test]
fn v2_reads_every_span_of_many_datagrams() -> Result {
    reads_many_datagrams(Version::V2)
}

/// Sends few enough spans for a receive buffer of the usual size, even if it is not read.
fn reads_many_datagrams(version: Version) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    for protocol in Protocol::ALL {
        for (limit, spans, tag_bytes) in
            [(1_400, 120, 10), (16_000, 60, 1_000), (65_000, 70, 1_000)]
        {
            let sender = protocol.sender(&jaeger).max_packet_bytes(limit);
            let (sender, watch) = Watched::new(sender);
            let client = Client::new(&jaeger, Way::Agent, sender, |tracer| tracer)?;
            let before = jaeger.received()?;
            let root = client.tracer().start_span("root");
            let value = "v".repeat(tag_bytes);
            for n in 1..spans {
                let span = client
                    .tracer()
                    .build_span(format!("{n}"))
                    .child_of(&root)
                    .start();
                span.set_tag("value", &value);
            }
            root.finish();
            client.deliver_all()?;
            let at = format!("{version}, {protocol:?}, datagrams of {limit} bytes");
            let sizes = watch.sizes();
            assert!(sizes.len() > 1, "{at}: {sizes:?}");
            assert!(sizes.iter().all(|size| *size <= limit), "{at}: {sizes:?}");
            let datagrams = jaeger.received()?.datagrams;
            let sent = before.datagrams.map(|before| before + sizes.len() as u64);
            assert_eq!(datagrams, sent, "{at}");
            for (trace_id, batch) in client.made() {
                assert_eq!(batch.spans.len(), spans, "{at}");
                let mismatches = client.compare(trace_id, &batch)?.mismatches;
                assert!(mismatches.is_empty(), "{at}:\n{}", mismatches.join("\n"));
            }
        }
    }
    Ok(())
}

#[test]
fn a_datagram_of_exactly_65_000_bytes_is_read_whole() -> Result {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        // Numbers have a fixed width in the binary protocol, so the size grows by the text alone.
        let (sender, watch) = Watched::new(Protocol::Binary.sender(&jaeger));
        let client = Client::new(&jaeger, Way::Agent, sender, |tracer| {
            tracer.limits(Limits::default().tag_value_bytes(UdpSender::MAX_PACKET_BYTES))
        })?;
        let mut length = 50_000;
        for _ in 0..2 {
            let span = client.tracer().start_span("large");
            span.set_tag("text", "t".repeat(length));
            span.finish();
            client.deliver_all()?;
            length += UdpSender::MAX_PACKET_BYTES - watch.sizes()[watch.sizes().len() - 1];
        }
        let sizes = watch.sizes();
        assert_eq!(
            sizes[1..],
            [UdpSender::MAX_PACKET_BYTES],
            "{version}: {sizes:?}"
        );
        assert_eq!(
            client.tracer().metrics().get(Counter::DegradedSpans),
            0,
            "{version}"
        );
        for (trace_id, batch) in client.made() {
            let mismatches = client.compare(trace_id, &batch)?.mismatches;
            assert!(
                mismatches.is_empty(),
                "{version}:\n{}",
                mismatches.join("\n")
            );
        }
    }
    Ok(())
}

#[test]
fn a_span_beyond_a_datagram_arrives_without_its_largest_logs_and_says_so() -> Result {
    arrives_degraded(
        "logs",
        |client| {
            let span = client.tracer().start_span("too many logs");
            span.set_tag("kept", "whole");
            for n in 0..128_usize {
                span.log([field("n", n), field("text", &"x".repeat(700 + n))]);
            }
            span.finish();
        },
        |read, made| {
            let span = &mut made.spans[0];
            let kept = read.logs.len();
            assert!((1..128).contains(&kept), "{kept} logs");
            // The texts grow, so the first ones are the smallest.
            span.logs.truncate(kept);
            let missing = i64::try_from(128 - kept).expect("128 at most");
            span.tags.push(Tag::new(tags::DROPPED_ITEMS, missing));
        },
    )
}

#[test]
fn a_span_beyond_a_datagram_arrives_with_values_cut_and_says_so() -> Result {
    arrives_degraded(
        "values",
        |client| {
            let span = client.tracer().start_span("too long");
            span.set_tag("short", "whole")
                .set_tag("text", "é".repeat(60_000));
            span.finish();
        },
        |read, made| {
            let is_text = |tag: &&Tag| tag.key == "text";
            let cut = read.tags.iter().find(is_text).expect("it was set");
            let Value::String(kept) = &cut.value else {
                unreachable!("it was text");
            };
            let (kept, mark) = kept.split_at(kept.len() - "…".len());
            assert!(mark == "…" && kept.chars().all(|c| c == 'é'), "{cut:?}");
            // The value fills the datagram, except for the rest of the span and the process.
            let room = UdpSender::MAX_PACKET_BYTES - 1_000..UdpSender::MAX_PACKET_BYTES;
            assert!(room.contains(&kept.len()), "{} bytes", kept.len());
            let text = made.spans[0].tags.iter_mut().find(|it| it.key == "text");
            text.expect("it was set").value = cut.value.clone();
        },
    )
}

/// Sends the span of `make`, which is too large, and compares what was read with the span after
/// `degrade` has adapted it.
fn arrives_degraded(
    how: &str,
    make: impl Fn(&Client<'_>),
    degrade: impl Fn(&StoredSpan, &mut SentBatch),
) -> Result {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        for protocol in Protocol::ALL {
            let at = format!("{version}, {protocol:?}");
            let client = Client::new(&jaeger, Way::Agent, protocol.sender(&jaeger), |tracer| {
                tracer.limits(Limits::default().tag_value_bytes(200_000))
            })?;
            make(&client);
            client.deliver_all()?;
            assert_eq!(
                client.tracer().metrics().get(Counter::DegradedSpans),
                1,
                "{at}"
            );
            for (trace_id, mut batch) in client.made() {
                degrade(&read_one(&jaeger, trace_id)?, &mut batch);
                let tags = &mut batch.spans[0].tags;
                let marks = tags.iter().position(|tag| tag.key == tags::DROPPED_ITEMS);
                let at = marks.unwrap_or(tags.len());
                tags.insert(at, Tag::new(tags::DEGRADED, how));
                let mismatches = client.compare(trace_id, &batch)?.mismatches;
                assert!(mismatches.is_empty(), "{at}:\n{}", mismatches.join("\n"));
            }
        }
    }
    Ok(())
}

#[test]
fn an_agent_is_found_by_name() -> Result {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let agent: AgentAddress = format!("localhost:{}", jaeger.compact_addr().port()).parse()?;
    let client = Client::new(&jaeger, Way::Agent, UdpSender::new(agent), |tracer| tracer)?;
    client.tracer().start_span("by name").finish();
    client.deliver_all()
}
