//! How much memory a reply of a sampling server takes, however hostile it is.

#[allow(
    dead_code,
    clippy::disallowed_methods,
    reason = "shared with other tests, which keep deadlines"
)]
#[path = "../it/support/loopback_server.rs"]
mod loopback_server;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "../it/support/strategy_server.rs"]
mod strategy_server;

use allocation_counter::measure;
use tracehound::sampler::remote::{HttpStrategyFetcher, Strategy, StrategyFetcher};

use strategy_server::{Answer, StrategyServer, head};

const MIB: u64 = 1 << 20;

/// Returns a document of about 1 MiB whose list of operations repeats an entry.
fn listing(entry: impl Fn(usize) -> String) -> String {
    let mut document = r#"{"operationSampling":{"perOperationStrategies":["#.to_owned();
    for n in 0.. {
        let entry = entry(n);
        if document.len() + entry.len() + 8 > Strategy::MAX_JSON_BYTES {
            break;
        }
        document.push_str(if n == 0 { "" } else { "," });
        document.push_str(&entry);
    }
    document + "]}}"
}

#[test]
fn a_reply_of_one_mebibyte_takes_a_few_times_its_size() {
    let named = |n| format!(r#"{{"operation":"{n}","probabilisticSampling":{{}}}}"#);
    for (what, document) in [
        ("operations", listing(named)),
        (
            "entries without a name",
            listing(|_| r#"{"probabilisticSampling":{}}"#.to_owned()),
        ),
        ("empty entries", listing(|_| "{}".to_owned())),
        ("no entries", listing(|_| "null".to_owned())),
        (
            "one long name",
            format!(
                r#"{{"operationSampling":{{"perOperationStrategies":[{{"operation":"{}"}}]}}}}"#,
                "é".repeat(500_000)
            ),
        ),
        (
            "escapes",
            format!(r#"{{"{}":1}}"#, "\\u0041".repeat(170_000)),
        ),
        ("depth", "[".repeat(1_000_000)),
        (
            "depth in a member",
            format!(r#"{{"x":{}"#, r#"{"a":["#.repeat(150_000)),
        ),
        ("members", format!("{{{}", r#""x":0,"#.repeat(150_000))),
        (
            "a long number",
            format!(
                r#"{{"probabilisticSampling":{{"samplingRate":0.{}}}}}"#,
                "3".repeat(1_000_000)
            ),
        ),
    ] {
        assert!(document.len() <= Strategy::MAX_JSON_BYTES, "{what}");
        let used = measure(|| drop(Strategy::from_json(document.as_bytes())));
        assert!(used.bytes_max <= 8 * MIB, "{what}: {used:?}");
    }
}

#[test]
fn a_reply_without_end_takes_no_more_than_the_largest_one() {
    let blanks = vec![b' '; 4_096];
    let chunk = [&b"1000\r\n"[..], &blanks, b"\r\n"].concat();
    for (what, answer) in [
        ("a body", Answer::Endless(head(&[]), blanks.clone())),
        (
            "2 GiB",
            Answer::Endless(head(&["Content-Length: 2147483648"]), blanks.clone()),
        ),
        (
            "chunks",
            Answer::Endless(head(&["Transfer-Encoding: chunked"]), chunk),
        ),
        (
            "headers",
            Answer::Endless(b"HTTP/1.1 200 OK\r\n".to_vec(), b"A: b\r\n".repeat(500)),
        ),
        (
            "a header",
            Answer::Endless(b"HTTP/1.1 200 OK\r\nA: ".to_vec(), b"b".repeat(4_096)),
        ),
        ("1 MiB", Answer::ok(blanks.repeat(256))),
    ] {
        let server = StrategyServer::start(answer);
        let mut fetcher = HttpStrategyFetcher::new(&server.url()).expect("a URL");
        let used = measure(|| assert!(fetcher.fetch("shop").is_err(), "{what}"));
        assert!(used.bytes_max <= 4 * MIB, "{what}: {used:?}");
    }
}
