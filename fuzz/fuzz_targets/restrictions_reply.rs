//! Answers of an agent that keeps baggage restrictions, one after another: they are read as a slow and simple reader
//! reads them, and a bad one changes nothing.
//!
//! Answers are apart by a byte 0x1e.

#![no_main]

use std::collections::HashMap;

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tracehound::fuzzing::take_restrictions;
use tracehound::restrictions::{BaggageRestrictions, RemoteRestrictions, Restriction};

fuzz_target!(|input: &[u8]| {
    let restrictions = RemoteRestrictions::new("http://localhost:1/restrictions").expect("a URL");
    let mut list: Option<HashMap<String, i64>> = None;
    for answer in input.split(|&byte| byte == 0x1e).take(MOST) {
        let mut taken = Ok(None);
        let used = measure(|| taken = take_restrictions(&restrictions, answer));
        let allowed = 256 * answer.len() as u64 + 2_048;
        assert!(used.bytes_max <= allowed, "{used:?}");
        match taken {
            Ok(line) => {
                let line = line.unwrap_or_default();
                assert!(
                    line.len() < 200 && !line.contains(char::is_control),
                    "{line}"
                );
                // Members that are not read may hold text and numbers that the simple reader refuses.
                let Ok(document) = serde_json::from_slice(answer) else {
                    return;
                };
                list = Some(keys(&document));
            }
            Err(why) => assert!(why.len() < 200 && !why.contains(char::is_control), "{why}"),
        }
        let Some(list) = &list else {
            assert_ne!(bytes_for(&restrictions, "a"), 0);
            continue;
        };
        for (key, &length) in list {
            let expected = usize::try_from(length).unwrap_or(0);
            assert_eq!(bytes_for(&restrictions, key), expected, "{key:?}");
        }
        let unknown = "no key of the list";
        if !list.contains_key(unknown) {
            assert_eq!(bytes_for(&restrictions, unknown), 0);
        }
    }
});

/// Returns the longest value that a key may have; zero if the key may not be set.
fn bytes_for(restrictions: &RemoteRestrictions, key: &str) -> usize {
    match restrictions.restriction(key) {
        Restriction::Allowed { max_value_bytes } => max_value_bytes,
        _ => 0,
    }
}

/// Returns the keys of an answer with the lengths of their values. Of two entries for a key the last one counts.
fn keys(document: &Value) -> HashMap<String, i64> {
    let entries = document.as_array().expect("a list").iter();
    let text = |entry: &Value| entry["baggageKey"].as_str().expect("text").to_owned();
    let length = |entry: &Value| entry["maxValueLength"].as_i64().expect("a number");
    entries.map(|entry| (text(entry), length(entry))).collect()
}

/// The most answers of an input.
const MOST: usize = 16;
