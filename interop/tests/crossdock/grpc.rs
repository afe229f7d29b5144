//! Traces in the metadata of gRPC, between our tonic server and clients and those of Go and Python.

use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{
        Alphabet, Chain, Format, PUBLISHED, PYTHON_WITH_GRPC, Peer, Service, Setup, Transport,
    },
};

use crate::OWN;

#[test]
fn a_trace_passes_from_go_to_our_server_and_from_our_layer_to_go() -> Result<(), Error> {
    nothing_is_lost(go(), "layer", 64, Version::V1)
}

#[test]
fn a_trace_passes_from_go_to_our_server_and_from_our_interceptor_to_go() -> Result<(), Error> {
    nothing_is_lost(go(), "interceptor", 128, Version::V2)
}

#[test]
fn a_trace_passes_from_python_to_our_server_and_from_our_layer_to_python() -> Result<(), Error> {
    nothing_is_lost(PYTHON_WITH_GRPC, "layer", 128, Version::V2)
}

#[test]
fn a_trace_passes_from_python_to_our_server_and_from_our_interceptor_to_python() -> Result<(), Error>
{
    nothing_is_lost(PYTHON_WITH_GRPC, "interceptor", 64, Version::V1)
}

/// Sends traces from our service to that of `other` by gRPC, and back, both ways round.
///
/// Each service fails a call that comes without the bytes that the caller put beside the context.
fn nothing_is_lost(
    other: Peer,
    client: &str,
    trace_id_bits: u32,
    version: Version,
) -> Result<(), Error> {
    if !other.is_there_or_skipped()? {
        return Ok(());
    }
    let setup = Setup {
        format: Format::Jaeger,
        trace_id_bits,
        alphabet: Alphabet::Digits,
    };
    for links in [[other, own(), other], [own(), other, own()]] {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let start = |peer| {
            let flags = [("--grpc-client", client)];
            Service::start_with_grpc(peer, setup, jaeger.endpoints(), &flags)
        };
        let services = links.into_iter().map(start);
        let services: Vec<Service> = services.collect::<Result<_, _>>()?;
        let in_order: Vec<&Service> = services.iter().collect();
        let mut chains = Vec::new();
        for alphabet in Alphabet::ALL {
            for is_sampled in [true, false] {
                let chain = Chain::drive(&in_order, Transport::Grpc, is_sampled, alphabet)?;
                chains.push(chain);
            }
        }
        for service in services {
            service.stop()?;
        }
        let problems = Chain::wrong(&chains, &links, &jaeger)?;
        assert!(problems.is_empty(), "{chains:#?}\n{}", problems.join("\n"));
    }
    Ok(())
}

fn own() -> Peer {
    Peer::own(OWN)
}

fn go() -> Peer {
    let mut all = PUBLISHED.iter();
    *all.find(|peer| peer.name == "go")
        .expect("the table has it")
}
