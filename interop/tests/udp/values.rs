//! Values, names, flags and processes at the other end are as the library promises.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tracehound::{
    SpanContext,
    model::{Flags, SpanId, TagRef, TraceId, display, field, tags},
    prelude::*,
    sampler::ConstSampler,
};
use tracehound_interop::{
    Backend, Log, Reference, ReferenceKind, StoredSpan, Tag, Value, Version, Way,
};

use crate::{
    Result,
    client::Client,
    maker::trace_id,
    protocol::{Protocol, read_one},
};

#[test]
fn a_value_is_read_as_it_was_set_or_in_its_promised_form() -> Result {
    let cut_in_a_character = format!("{}…", "é".repeat(510));
    let (long, long_in_two_bytes) = ("a".repeat(2_000), "é".repeat(2_000));
    let rows: [(&str, TagRef<'_>, Value); 16] = [
        ("true", true.into(), true.into()),
        ("false", false.into(), false.into()),
        ("least", i64::MIN.into(), i64::MIN.into()),
        ("greatest", i64::MAX.into(), i64::MAX.into()),
        ("third", (1.0 / 3.0).into(), (1.0 / 3.0).into()),
        ("bytes", (&[0_u8, 0xff][..]).into(), vec![0, 0xff].into()),
        ("text", "zwölf".into(), "zwölf".into()),
        ("displayed", display(&'x'), "x".into()),
        ("not a number", f64::NAN.into(), "NaN".into()),
        ("infinity", f64::INFINITY.into(), "+Inf".into()),
        ("minus infinity", f64::NEG_INFINITY.into(), "-Inf".into()),
        ("u64", u64::MAX.into(), "18446744073709551615".into()),
        ("u64 that fits", 5_u64.into(), 5.into()),
        (
            "long",
            (&long).into(),
            format!("{}…", "a".repeat(1_021)).into(),
        ),
        (
            "long in two bytes",
            (&long_in_two_bytes).into(),
            cut_in_a_character.into(),
        ),
        ("empty", "".into(), "".into()),
    ];
    read_back(
        |client| {
            let span = client.tracer().start_span("values");
            for (key, value, _) in &rows {
                span.set_tag(key, *value);
            }
            span.log(rows.iter().map(|(key, value, _)| field(key, *value)));
            span.finish();
        },
        |version, read| {
            assert_eq!(read.logs.len(), 1, "{version}");
            for (key, _, promised) in &rows {
                let at = format!("{version}, {key}");
                assert_eq!(find(&read.tags, key), Some(promised), "{at} in a tag");
                assert_eq!(
                    find(&read.logs[0].fields, key),
                    Some(promised),
                    "{at} in a log"
                );
            }
        },
    )
}

#[test]
fn the_backend_shows_the_first_and_last_of_too_many_logs_and_how_many_are_missing() -> Result {
    const WRITTEN: i64 = 500;
    read_back(
        |client| {
            let span = client.tracer().start_span("many logs");
            for n in 0..WRITTEN {
                span.log([field("n", n)]);
            }
            span.finish();
        },
        |version, read| {
            let number = |log: &Log| find(&log.fields, "n").cloned();
            let (markers, kept): (Vec<_>, Vec<_>) =
                read.logs.iter().partition(|log| number(log).is_none());
            assert_eq!(read.logs.len(), 128, "{version}");
            assert_eq!(markers.len(), 1, "{version}: {markers:?}");
            let missing = WRITTEN - kept.len() as i64;
            let fields = &markers[0].fields;
            assert_eq!(
                find(fields, "event"),
                Some(&"dropped Span logs".into()),
                "{version}"
            );
            assert_eq!(
                find(fields, "dropped_log_count"),
                Some(&missing.into()),
                "{version}"
            );
            let ends = [kept.first(), kept.last()].map(|log| log.and_then(|log| number(log)));
            let wanted = [0, WRITTEN - 1].map(|n| Some(Value::Long(n)));
            assert_eq!(ends, wanted, "{version}");
        },
    )
}

#[test]
fn a_span_that_takes_no_time_is_read_as_a_microsecond_without_a_warning() -> Result {
    read_back(
        |client| {
            let span = client.tracer().build_span("instant").start_time(at(START));
            span.start().finish_at(at(START));
        },
        |version, read| {
            assert_eq!(read.start_us, START as i64, "{version}");
            assert_eq!(read.duration_us, 1, "{version}");
            assert!(read.warnings.is_empty(), "{version}: {:?}", read.warnings);
        },
    )
}

#[test]
fn times_ids_and_references_are_read_as_they_were_given() -> Result {
    let ids = |trace: u128, span: u64| {
        let trace_id = TraceId::new((trace >> 64) as u64, trace as u64).expect("not 0");
        let span_id = SpanId::new(span).expect("not 0");
        SpanContext::new(trace_id, span_id, None, Flags::SAMPLED)
    };
    const TRACE: u128 = 0xfedc_ba98_7654_3210_0123_4567_89ab_cdef;
    const OTHER: u128 = 0x77;
    read_back(
        |client| {
            let span = client.tracer().build_span("given").start_time(at(START));
            let span = span
                .follows_from(&ids(OTHER, 0xb))
                .child_of(&ids(TRACE, 0xa))
                .follows_from(&ids(TRACE, 0xc))
                .start();
            span.set_operation_name("GET /köln");
            span.log_at(at(START + 7), [field("event", "seven")]);
            span.finish_at(at(START + 1_234));
        },
        |version, read| {
            assert_eq!(read.trace_id, TRACE, "{version}");
            assert_eq!(read.operation, "GET /köln", "{version}");
            assert_eq!(read.start_us, START as i64, "{version}");
            assert_eq!(read.duration_us, 1_234, "{version}");
            let log = Log {
                timestamp_us: START as i64 + 7,
                fields: vec![Tag::new("event", "seven")],
            };
            assert_eq!(read.logs, [log], "{version}");
            let reference = |kind, trace_id, span_id| Reference {
                kind,
                trace_id,
                span_id,
            };
            let mut wanted = [
                reference(ReferenceKind::FollowsFrom, OTHER, 0xb),
                reference(ReferenceKind::ChildOf, TRACE, 0xa),
                reference(ReferenceKind::FollowsFrom, TRACE, 0xc),
            ];
            if version == Version::V2 {
                wanted.swap(0, 1);
            }
            assert_eq!(read.references, wanted, "{version}");
        },
    )
}

#[test]
fn a_process_has_its_name_host_and_address() -> Result {
    read_back(
        |client| client.tracer().start_span("here").finish(),
        |version, read| {
            let text = |key| text(&read.process_tags, key).expect(key);
            let (client, host) = match version {
                Version::V1 => ("jaeger.version", "hostname"),
                _ => ("opencensus.exporterversion", "host.name"),
            };
            let client = text(client).trim_start_matches("Jaeger-");
            assert!(client.starts_with("Rust-"), "{version}: {client}");
            assert!(!text(host).is_empty(), "{version}");
            assert!(
                text("ip").parse::<IpAddr>().is_ok(),
                "{version}: {}",
                text("ip")
            );
            let uuid = u64::from_str_radix(text("client-uuid"), 16);
            assert!(uuid.is_ok(), "{version}: {}", text("client-uuid"));
            assert_eq!(text("zone"), "eu-1", "{version}");
            assert_eq!(read.service, "library", "{version}");
        },
    )
}

#[test]
fn v1_learns_that_a_trace_must_be_kept() -> Result {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let client = Client::new(
        &jaeger,
        Way::Agent,
        Protocol::Compact.sender(&jaeger),
        |tracer| tracer,
    )?;
    client.tracer().start_span("usual").finish();
    let root = client.tracer().start_span("looked for");
    root.set_tag(tags::SAMPLING_PRIORITY, 1);
    let trace = trace_id(root.context().trace_id());
    client
        .tracer()
        .build_span("below")
        .child_of(&root)
        .start()
        .finish();
    root.finish();
    client.deliver_all()?;
    let read = jaeger.trace(trace, 2)?;
    let flags: Vec<u32> = read.spans.iter().map(|span| span.flags).collect();
    assert_eq!(flags, [SAMPLED | DEBUG; 2]);
    let received = |is_debug| {
        let labels = [("debug", is_debug), ("svc", "library")];
        Ok::<_, tracehound_interop::Error>(jaeger.metrics()?.count("spans_received", &labels))
    };
    assert_eq!((received("true")?, received("false")?), (2, 1));
    Ok(())
}

#[test]
fn a_trace_that_is_not_sampled_is_not_sent() -> Result {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let client = Client::new(
            &jaeger,
            Way::Agent,
            Protocol::Compact.sender(&jaeger),
            |tracer| tracer.sampler(ConstSampler::new(false)),
        )?;
        let unwanted = client.tracer().start_span("unwanted");
        let context = unwanted.context();
        unwanted.finish();
        let wanted = client.tracer().start_span("wanted");
        wanted.set_tag(tags::SAMPLING_PRIORITY, 1);
        wanted.finish();
        client.deliver_all()?;
        assert_eq!(
            jaeger.trace_now(trace_id(context.trace_id()))?,
            None,
            "{version}"
        );
        assert_eq!(client.made().len(), 1, "{version}");
        let report = client.tracer().report();
        assert_eq!(
            (report.finished, report.sent),
            (1, 1),
            "{version}: {report}"
        );
    }
    Ok(())
}

/// Microseconds since the epoch.
const START: u64 = 1_600_000_000_000_001;

const SAMPLED: u32 = 1;
const DEBUG: u32 = 2;

/// Makes one span for each backend and protocol with `make`, and checks with `look` how it is read.
fn read_back(make: impl Fn(&Client<'_>), look: impl Fn(Version, &StoredSpan)) -> Result {
    for version in Version::ALL {
        for protocol in Protocol::ALL {
            let Some(jaeger) = Backend::start_or_skip(version)? else {
                return Ok(());
            };
            let client = Client::new(&jaeger, Way::Agent, protocol.sender(&jaeger), |tracer| {
                tracer.tag("zone", "eu-1")
            })?;
            make(&client);
            client.deliver_all()?;
            let made = client.made();
            let trace = *made.keys().next().expect("it makes a span");
            look(version, &read_one(&jaeger, trace)?);
        }
    }
    Ok(())
}

fn at(micros: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}

fn find<'a>(tags: &'a [Tag], key: &str) -> Option<&'a Value> {
    tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}

fn text<'a>(tags: &'a [Tag], key: &str) -> Option<&'a str> {
    match find(tags, key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}
