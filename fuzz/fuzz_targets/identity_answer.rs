//! Answers of a server that may be another embedded agent: spans go to this host alone, and the version may stand in a
//! line on a terminal.

#![no_main]

use allocation_counter::measure;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tracehound::fuzzing::peer;

fuzz_target!(|input: &[u8]| {
    let mut found = None;
    let used = measure(|| found = peer(input));
    let allowed = 16 * input.len() as u64 + 1_024;
    assert!(used.bytes_max <= allowed, "{used:?}");
    let Some((version, agent, sampling)) = found else {
        return;
    };
    for address in [Some(agent), sampling].into_iter().flatten() {
        assert!(address.ip().is_loopback() && address.port() != 0);
    }
    let is_plain = |c: char| c.is_ascii_graphic();
    assert!(
        version.len() <= 32 && version.chars().all(is_plain),
        "{version}"
    );

    let text = std::str::from_utf8(input).expect("it was read");
    assert!(text.starts_with("HTTP/1.1 200 "));
    let (_, body) = text.split_once("\r\n\r\n").expect("a body");
    // Members that are not read may hold text and numbers that the simple reader refuses.
    let Ok(document) = serde_json::from_str::<Value>(body) else {
        return;
    };
    assert_eq!(document["name"], "tracehound");
    assert_eq!(document["version"], version);
    assert_eq!(
        document["agent"]
            .as_str()
            .and_then(|text| text.parse().ok()),
        Some(agent)
    );
});
