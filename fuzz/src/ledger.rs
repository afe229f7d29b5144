//! The random schedules of the test suite, played by the fuzzer.

#[path = "../../tests/it/ledger/choices.rs"]
mod choices;
#[path = "../../tests/it/ledger/faulty.rs"]
mod faulty;
#[path = "../../tests/it/ledger/play.rs"]
mod play;

/// Plays a schedule: `calls` are the calls of a program, `faults` what the sender does to its batches.
///
/// # Panics
///
/// If the account of the spans is wrong at any time.
pub fn play(calls: &[u8], faults: &[u8]) {
    play::play(calls, faults, |builder| builder);
}
