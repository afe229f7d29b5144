//! Lists of spans of Zipkin for the embedded agent: no panic, ids that are not zero, bounded memory.
//!
//! The first byte tells the form.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{MessageFormat, decode_message};

fuzz_target!(|input: &[u8]| {
    let Some((form, input)) = input.split_first() else {
        return;
    };
    let form = FORMS[usize::from(*form) % FORMS.len()];
    let mut read = Ok(Vec::new());
    let used = measure(|| read = decode_message(form, input));
    let allowed = BYTES_FOR_A_BYTE * input.len() as u64 + 4_096;
    assert!(
        used.bytes_max <= allowed,
        "{form:?}: {used:?} for {}",
        input.len()
    );
    for span in read.iter().flatten().flat_map(|batch| &batch.spans) {
        assert_ne!((span.trace_id.to_bytes(), span.span_id.get()), ([0; 16], 0));
        assert_ne!(span.parent_id, Some(span.span_id));
        assert!(span.process.is_some());
    }
});

/// A member of an object takes six bytes as text, and a node of a tree in memory.
const BYTES_FOR_A_BYTE: u64 = 512;
const FORMS: [MessageFormat; 4] = [
    MessageFormat::Zipkin,
    MessageFormat::ZipkinProto,
    MessageFormat::ZipkinV1,
    MessageFormat::ZipkinThrift,
];
