//! The crossdock: one trace through services over this library and over the published clients of
//! other languages.

mod baggage;
mod bridge;
mod contract;
mod foreign_driver;
mod generated;
mod grpc;
mod matrix;
mod skips;

use tracehound_interop::{
    Error,
    crossdock::{Format, PUBLISHED, Peer},
};

/// Returns the languages that can take part in a fleet with the format and are on this machine, and whether these are
/// all that can.
fn peers(format: Format) -> Result<(Vec<Peer>, bool), Error> {
    let all = [&[Peer::own(OWN)], PUBLISHED].concat();
    let with_format: Vec<Peer> = all
        .into_iter()
        .filter(|peer| peer.speaks(format).is_some())
        .collect();
    let mut there = Vec::new();
    for peer in &with_format {
        if peer.is_there_or_skipped()? {
            there.push(*peer);
        }
    }
    let are_all = there.len() == with_format.len();
    Ok((there, are_all))
}

/// The service over this library.
const OWN: &str = env!("CARGO_BIN_EXE_crossdock");
