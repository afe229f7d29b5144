//! Traces of published clients, by every way that each of them has.

use tracehound_interop::{
    Endpoints, Error, Way,
    crossdock::{Alphabet, Chain, PUBLISHED, Peer, Service, Setup, Transport},
    is_required, skipped,
};

use crate::{Result, alike::Comparison, shown::Three};

/// A client, its way, and the flags with which its service takes it.
type Row = (
    &'static str,
    Way,
    fn(&Endpoints) -> Vec<(&'static str, String)>,
);

const ROWS: &[Row] = &[
    ("go", Way::Agent, |_| Vec::new()),
    ("go", Way::Thrift, |at| vec![("--collector", collector(at))]),
    ("java", Way::Agent, |_| Vec::new()),
    ("java", Way::Thrift, |at| {
        vec![("--collector", collector(at))]
    }),
    ("node", Way::Agent, |_| Vec::new()),
    ("node", Way::Thrift, |at| {
        vec![("--collector", collector(at))]
    }),
    ("python", Way::Agent, |_| Vec::new()),
    ("otel-go", Way::OtlpHttp, |_| Vec::new()),
    ("otel-node", Way::OtlpHttp, |_| Vec::new()),
    ("otel-python", Way::OtlpHttp, |_| Vec::new()),
    ("otel-rust", Way::OtlpHttp, |_| Vec::new()),
];

fn collector(at: &Endpoints) -> String {
    format!("http://{}/api/traces", at.collector_http)
}

#[test]
fn traces_of_published_clients_are_shown_alike_by_every_way_that_they_have() -> Result {
    let Some(three) = Three::start_or_skip()? else {
        return Ok(());
    };
    let mut comparison = Comparison::default();
    let mut lacking = Vec::new();
    for (name, way, flags) in ROWS {
        let mut peers = PUBLISHED.iter();
        let peer = peers
            .find(|peer| peer.name == *name)
            .ok_or("no such peer")?;
        let at = three.tee.endpoints();
        match trace(*peer, at, &flags(at)) {
            Ok((trace_id, spans)) => comparison.add(*way, name, &three.trace(trace_id, spans)?),
            Err(Error::NoTools { .. } | Error::NoPython { .. } | Error::NoGo) if !is_required() => {
                lacking.push(*name)
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !lacking.is_empty() {
        skipped(format!("the tools for {lacking:?} are missing"));
    }
    assert_eq!(three.dev.totals().undecodable, 0);
    comparison.finish(&[(Way::Agent, "*"), (Way::OtlpHttp, "flags")])
}

/// Lets a service call itself twice and end. Returns the id of the trace, and its number of spans.
fn trace(
    peer: Peer,
    at: &Endpoints,
    flags: &[(&str, String)],
) -> std::result::Result<(u128, usize), Error> {
    let setup = Setup {
        format: peer.formats[0],
        trace_id_bits: 128,
        alphabet: Alphabet::Digits,
    };
    let flags: Vec<(&str, &str)> = flags
        .iter()
        .map(|(flag, value)| (*flag, &**value))
        .collect();
    let service = Service::start_with(peer, setup, at, &flags)?;
    let chain = Chain::drive(&[&service; 3], Transport::Http, true, setup.alphabet)?;
    service.stop()?;
    // Two calls, each with a span on both sides, below the root.
    Ok((chain.seen[0].trace_id, 5))
}
