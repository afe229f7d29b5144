//! Datagrams and request bodies for the embedded agent: no panic, and memory in proportion to their size.
//!
//! The first byte of an input says which protocol the rest is in.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{decode_body, decode_datagram};
use tracehound::reporter::sender::AgentProtocol;

fuzz_target!(|input: &[u8]| {
    let Some((&kind, bytes)) = input.split_first() else {
        return;
    };
    let used = measure(|| {
        let _ = match kind % 3 {
            0 => decode_datagram(AgentProtocol::Compact, bytes).map_err(|error| error.to_string()),
            1 => decode_datagram(AgentProtocol::Binary, bytes).map_err(|error| error.to_string()),
            _ => decode_body(bytes).map_err(|error| error.to_string()),
        };
    });
    let allowed = BYTES_FOR_A_BYTE * bytes.len() as u64 + 4_096;
    assert!(used.bytes_max <= allowed, "{used:?} for {}", bytes.len());
});

/// The smallest tag takes five bytes on the wire and 56 in memory. A vector that grows takes three times its content
/// for a moment, and the spans are made twice: as they are on the wire, and with the types of the model.
const BYTES_FOR_A_BYTE: u64 = 64;
