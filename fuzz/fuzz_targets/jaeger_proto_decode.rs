//! Messages of Jaeger's gRPC for the embedded agent: no panic, ids that are not zero, bounded memory.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{MessageFormat, decode_message};

fuzz_target!(|input: &[u8]| {
    let mut read = Ok(Vec::new());
    let used = measure(|| read = decode_message(MessageFormat::Jaeger, input));
    let allowed = BYTES_FOR_A_BYTE * input.len() as u64 + 4_096;
    assert!(used.bytes_max <= allowed, "{used:?} for {}", input.len());
    for span in read.iter().flatten().flat_map(|batch| &batch.spans) {
        assert_ne!((span.trace_id.to_bytes(), span.span_id.get()), ([0; 16], 0));
        assert!(span.process.is_some());
    }
});

/// An empty span with ids takes some 30 bytes on the wire, an empty tag two, and 56 in memory.
const BYTES_FOR_A_BYTE: u64 = 256;
