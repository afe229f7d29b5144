//! Files of sampling strategies for the embedded agent: no panic, short lines, memory in proportion to the file, and an
//! answer for each service that a client takes.
//!
//! The first line is the name of a service, the rest is the file.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::strategy;
use tracehound::sampler::remote::Strategy;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&byte| byte == b'\n');
    let (service, file) = input.split_at(end.unwrap_or(0));
    let service = String::from_utf8_lossy(service);
    let file = file.strip_prefix(b"\n").unwrap_or(file);
    let mut read = Err(String::new());
    let used = measure(|| read = strategy(file, &service));
    let allowed = 512 * file.len() as u64 + 16_384;
    assert!(used.bytes_max <= allowed, "{used:?} for {}", file.len());
    match read {
        Ok((answer, notes)) => {
            let taken = Strategy::from_json(answer.as_bytes());
            assert!(taken.is_ok(), "{answer}: {taken:?}");
            assert_shown(&notes);
        }
        Err(why) => assert_shown(&why),
    }
});

/// Panics if a part of a line is long or could steer a terminal.
fn assert_shown(text: &str) {
    assert!(
        text.len() < 2_000 && !text.contains(char::is_control),
        "{text}"
    );
}
