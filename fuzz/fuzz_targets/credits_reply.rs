//! Answers of an agent that grants credits for debug traces, one after another: they are read as a slow and simple
//! reader reads them, a bad one changes nothing, and no balance is above its bound.
//!
//! Answers are apart by a byte 0x1e.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tracehound::fuzzing::take_credits;
use tracehound::throttler::{RemoteThrottler, Throttler};

fuzz_target!(|input: &[u8]| {
    let throttler = RemoteThrottler::new("http://localhost:1/credits").expect("a URL");
    // The operation has an account from its first request on.
    assert!(throttler.is_allowed(OPERATION), "no answer has come");
    let (mut balance, mut is_loaded) = (0.0, false);
    for answer in input.split(|&byte| byte == 0x1e).take(MOST) {
        let mut taken = Ok(());
        let used = measure(|| taken = take_credits(&throttler, answer));
        let allowed = 256 * answer.len() as u64 + 1_024;
        assert!(used.bytes_max <= allowed, "{used:?}");
        match taken {
            Ok(()) => {
                is_loaded = true;
                // Members that are not read may hold text and numbers that the simple reader refuses.
                let Ok(document) = serde_json::from_slice(answer) else {
                    return;
                };
                for granted in granted(&document) {
                    assert!(granted >= 0.0);
                    balance = f64::min(balance + granted, 100.0);
                }
            }
            Err(why) => assert!(why.len() < 200 && !why.contains(char::is_control), "{why}"),
        }
        if is_loaded {
            let spent = (0..=MOST_BALANCE).take_while(|_| throttler.is_allowed(OPERATION));
            let spent = spent.count() as f64;
            assert_eq!(
                spent,
                balance.floor(),
                "{answer:?}",
                answer = String::from_utf8_lossy(answer)
            );
            balance -= spent;
        }
    }
});

/// Returns the credits of the operation in an answer.
fn granted(document: &Value) -> Vec<f64> {
    let balances = document["balances"].as_array();
    let own = |balance: &&Value| balance["operation"] == OPERATION;
    let own = balances.into_iter().flatten().filter(own);
    own.map(|balance| balance["balance"].as_f64().expect("a number"))
        .collect()
}

const OPERATION: &str = "a";
/// The most answers of an input.
const MOST: usize = 16;
const MOST_BALANCE: usize = 100;
