//! Packed bodies for the embedded agent: no panic, no more bytes than allowed, bounded memory.
//!
//! The first byte tells the encoding.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::unpack;

fuzz_target!(|input: &[u8]| {
    let Some((encoding, body)) = input.split_first() else {
        return;
    };
    let encoding = ENCODINGS[usize::from(*encoding) % ENCODINGS.len()];
    let mut read = Err(false);
    let used = measure(|| read = unpack(encoding, body, MOST));
    assert!(used.bytes_max <= MOST_MEMORY, "{encoding}: {used:?}");
    match read {
        Ok(unpacked) => {
            assert!(unpacked.len() <= MOST);
            // The bound is exact.
            assert_eq!(unpack(encoding, body, unpacked.len()), Ok(unpacked));
        }
        Err(is_too_long) => assert!(!is_too_long || body.len() > 3),
    }
});

const ENCODINGS: [&str; 3] = ["zstd", "gzip", "deflate"];
/// The most bytes of a body.
const MOST: usize = 1 << 20;
/// Windows of zstd have 16 MiB, with room for two blocks; a buffer that grows has twice its bytes for a moment.
const MOST_MEMORY: u64 = 24 << 20;
