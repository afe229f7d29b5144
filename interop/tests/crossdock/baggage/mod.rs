//! Baggage that is hard to carry: what arrives between this library and each published client, as `BAGGAGE.md` says.

mod cases;
mod page;

use std::{collections::BTreeMap, thread};

use tracehound_interop::{
    Backend, Endpoints, Error, Version,
    crossdock::{
        Alphabet, Answer, BAGGAGE_KEY, Downstream, Format, PUBLISHED, Peer, Service, Setup,
        StartTrace, Transport,
    },
};

use self::{
    cases::{CASES, Items},
    page::{Cell, Page, Table},
};
use crate::OWN;

#[test]
fn baggage_arrives_as_the_page_says() -> Result<(), Error> {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let mut tables = Vec::new();
    for (format, peers) in FLEETS {
        let Some(cells) = measure(format, peers, jaeger.endpoints())? else {
            return Ok(());
        };
        tables.push(Table {
            format,
            peers,
            cells,
        });
    }
    let page = Page { tables: &tables };
    let problems = page.problems();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let written = page.to_string();
    assert!(PAGE == written, "interop/BAGGAGE.md should be:\n{written}");
    for (codec, source, table) in [
        ("JaegerCodec", JAEGER_CODEC, &tables[0]),
        ("W3cCodec", W3C_CODEC, &tables[1]),
    ] {
        let doc = table.doc();
        assert!(source.contains(&doc), "{codec} should have:\n{doc}");
    }
    Ok(())
}

/// Sends every case to each of `peers` and back. Returns `None` if a language is not on this machine.
fn measure(
    format: Format,
    peers: &[(&'static str, &str)],
    jaeger: &Endpoints,
) -> Result<Option<Vec<Cell>>, Error> {
    let setup = Setup {
        format,
        trace_id_bits: 128,
        alphabet: Alphabet::Digits,
    };
    let own = Service::start(Peer::own(OWN), setup, jaeger)?;
    let mut there = Vec::new();
    for (name, _) in peers {
        let mut all = PUBLISHED.iter();
        let peer = *all
            .find(|peer| peer.name == *name)
            .expect("a name in the table");
        if !peer.is_there_or_skipped()? {
            return Ok(None);
        }
        there.push(peer);
    }
    let both_ways = |peer: Peer| {
        let service = Service::start(peer, setup, jaeger)?;
        let mut cells = Vec::new();
        for case in CASES {
            let sent = case.items();
            for (is_from_us, from, to) in [(true, &own, &service), (false, &service, &own)] {
                let arrived = send(&sent, from, to);
                cells.push(Cell {
                    peer: peer.name,
                    is_from_us,
                    case: case.name,
                    differs: page::difference(&sent, arrived),
                });
            }
        }
        service.stop()?;
        Ok(cells)
    };
    let cells = thread::scope(|scope| {
        let measuring: Vec<_> = there
            .into_iter()
            .map(|peer| scope.spawn(move || both_ways(peer)))
            .collect();
        let measured = measuring.into_iter();
        let measured = measured.map(|one| one.join().expect("no panic in `both_ways`"));
        measured.collect::<Result<Vec<_>, Error>>()
    })?;
    own.stop()?;
    Ok(Some(cells.concat()))
}

/// Returns the items that `to` has of those that `from` sends; an error if one of both fails.
fn send(sent: &Items, from: &Service, to: &Service) -> Result<Items, Error> {
    let request = StartTrace {
        server_role: "S1".to_owned(),
        baggage: "first".to_owned(),
        items: sent.clone(),
        downstream: Some(Box::new(Downstream {
            service_name: to.peer().name.to_owned(),
            server_role: "S2".to_owned(),
            host: to.address().ip().to_string(),
            port: to.address().port().to_string(),
            transport: Transport::Http,
            downstream: None,
        })),
        ..StartTrace::default()
    };
    let Answer { downstream, .. } = from.ask("/start_trace", &[], &request)?;
    let mut items = downstream
        .and_then(|below| below.span)
        .map_or_else(BTreeMap::new, |span| span.items);
    items.remove(BAGGAGE_KEY);
    Ok(items)
}

/// The published clients by their names in the crossdock and on the page, with the format that is their own.
const FLEETS: [(Format, &[(&str, &str)]); 2] = [
    (
        Format::Jaeger,
        &[
            ("go", "Go"),
            ("java", "Java"),
            ("node", "Node"),
            ("python", "Python"),
        ],
    ),
    (
        Format::W3c,
        &[
            ("otel-go", "Go"),
            ("otel-node", "Node"),
            ("otel-python", "Python"),
            ("otel-rust", "Rust"),
        ],
    ),
];

const PAGE: &str = include_str!("../../../BAGGAGE.md");
const JAEGER_CODEC: &str = include_str!("../../../../src/propagation/jaeger/mod.rs");
const W3C_CODEC: &str = include_str!("../../../../src/propagation/w3c/mod.rs");
