//! The bridge: services that each have a format of their own, and ours in between, which is set to speak all.

use std::thread;

use serde_json::json;
use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, Chain, Format, PUBLISHED, Peer, Service, Setup, Transport},
};

use crate::OWN;

#[test]
fn our_service_keeps_a_trace_between_go_opentelemetry_java_and_node() -> Result<(), Error> {
    nothing_is_lost(Bridge {
        jaeger: "go",
        w3c: "otel-go",
        b3: "java",
        last: "node",
        alphabet: Alphabet::Ascii,
        trace_id_bits: 64,
        version: Version::V1,
    })
}

#[test]
fn our_service_keeps_a_trace_between_python_opentelemetry_go_and_java() -> Result<(), Error> {
    nothing_is_lost(Bridge {
        jaeger: "python",
        w3c: "otel-python",
        b3: "go",
        last: "java",
        alphabet: Alphabet::Digits,
        trace_id_bits: 128,
        version: Version::V2,
    })
}

#[test]
fn our_service_keeps_a_trace_between_node_and_two_of_opentelemetry() -> Result<(), Error> {
    nothing_is_lost(Bridge {
        jaeger: "node",
        w3c: "otel-rust",
        b3: "otel-node",
        last: "python",
        alphabet: Alphabet::Ascii,
        trace_id_bits: 128,
        version: Version::V1,
    })
}

#[test]
fn headers_that_a_caller_passed_on_unread_do_not_split_a_trace() -> Result<(), Error> {
    let go = published("go");
    if !go.is_there_or_skipped()? {
        return Ok(());
    }
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let start = |peer, format| {
        let setup = Setup {
            format,
            trace_id_bits: 64,
            alphabet: Alphabet::Digits,
        };
        Service::start(peer, setup, jaeger.endpoints())
    };
    let own = start(Peer::own(OWN), Format::Every)?;
    let next = start(go, Format::B3)?;
    // The caller knows W3C's headers alone: `b1` is its span, and `a1` that of its own caller.
    let headers = [
        ("uber-trace-id", "5f3a9c01d2e4b687:a1:0:1"),
        ("uberctx-crossdock-baggage-key", "kept"),
        (
            "traceparent",
            "00-00000000000000005f3a9c01d2e4b687-00000000000000b1-01",
        ),
        ("baggage", "crossdock-baggage-key=kept"),
    ];
    let (host, port) = (next.address().ip(), next.address().port());
    let request = json!({"serverRole": "S2", "downstream": {
        "serverRole": "S3", "host": host.to_string(), "port": port.to_string(), "transport": "HTTP",
    }});
    let first = own.ask("/join_trace", &headers, &request)?;
    own.stop()?;
    next.stop()?;
    let second = first.downstream.unwrap_or_default();
    for span in [first.span, second.span] {
        let span = span.unwrap_or_default();
        let trace_id = span.trace_id.trim_start_matches('0');
        let seen = (trace_id, span.sampled, span.baggage.as_str());
        assert_eq!(seen, ("5f3a9c01d2e4b687", true, "kept"));
    }
    let trace = jaeger.trace(0x5f3a_9c01_d2e4_b687, 3)?;
    let mut spans = trace.spans.iter();
    let server = spans.find(|span| {
        let mut references = span.references.iter();
        references.any(|reference| reference.span_id == 0xa1)
    });
    let server = server.expect("a child of the first format's span");
    let mut tags = server.tags.iter();
    assert!(
        tags.any(|tag| tag.key == "propagation.conflict"),
        "{server:?}"
    );
    Ok(())
}

/// The languages of the services that have one format each.
struct Bridge {
    jaeger: &'static str,
    w3c: &'static str,
    b3: &'static str,
    last: &'static str,
    /// What its clients carry whole.
    alphabet: Alphabet,
    trace_id_bits: u32,
    version: Version,
}

/// Sends traces over the bridge, sampled and not, and looks at what is stored.
fn nothing_is_lost(bridge: Bridge) -> Result<(), Error> {
    let own = (Peer::own(OWN), Format::Every);
    let links = [
        (published(bridge.jaeger), Format::Jaeger),
        own,
        (published(bridge.w3c), Format::W3c),
        own,
        (published(bridge.b3), Format::B3),
        own,
        (published(bridge.last), Format::Jaeger),
    ];
    for (peer, _) in links {
        if !peer.is_there_or_skipped()? {
            return Ok(());
        }
    }
    let Some(jaeger) = Backend::start_or_skip(bridge.version)? else {
        return Ok(());
    };
    let start = |(peer, format)| {
        let setup = Setup {
            format,
            trace_id_bits: bridge.trace_id_bits,
            alphabet: Alphabet::Digits,
        };
        Service::start(peer, setup, jaeger.endpoints())
    };
    // Starting a service is mostly waiting.
    let services = thread::scope(|scope| {
        let starting = links.map(|link| scope.spawn(move || start(link)));
        let started = starting.map(|one| one.join().expect("no panic in `start`"));
        started.into_iter().collect::<Result<Vec<Service>, Error>>()
    })?;
    let in_order: Vec<&Service> = services.iter().collect();
    let mut chains = Vec::new();
    for is_sampled in [false, true] {
        chains.push(Chain::drive(
            &in_order,
            Transport::Http,
            is_sampled,
            bridge.alphabet,
        )?);
    }
    for service in services {
        service.stop()?;
    }
    let peers = links.map(|(peer, _)| peer);
    let problems = Chain::wrong(&chains, &peers, &jaeger)?;
    assert!(problems.is_empty(), "{chains:#?}\n{}", problems.join("\n"));
    Ok(())
}

/// Returns the published client with the name.
fn published(name: &str) -> Peer {
    let mut all = PUBLISHED.iter();
    *all.find(|peer| peer.name == name)
        .expect("a name in the table")
}
