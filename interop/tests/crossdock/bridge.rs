//! The bridge: services that each have a format of their own, and ours in between, which is set to speak all.

use std::thread;

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
