//! Any calls of the API with a sender that does anything: the account of the spans is exact after every flush, and is
//! what the sender has seen.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tracehound_fuzz::ledger;

#[derive(Arbitrary, Debug)]
struct Input {
    calls: Vec<u8>,
    faults: Vec<u8>,
}

fuzz_target!(|input: Input| {
    // A call may be a burst of spans.
    let calls = &input.calls[..input.calls.len().min(200)];
    ledger::play(calls, &input.faults);
});
