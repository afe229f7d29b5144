//! The Zipkin server of this crate starts, shows what it is sent, and ends.

use std::net::TcpStream;

use serde_json::json;
use tracehound_interop::{Error, Zipkin, ZipkinSpan};

#[test]
fn a_zipkin_server_starts_empty_shows_posted_spans_and_ends_with_its_value() -> Result<(), Error> {
    let Some(zipkin) = Zipkin::start_or_skip()? else {
        return Ok(());
    };
    assert_eq!(zipkin.trace_now(TRACE)?, []);
    assert_eq!(zipkin.received()?, 0);
    let span = json!({
        "traceId": format!("{TRACE:032x}"), "parentId": "000000000000000a", "id": "000000000000000b",
        "kind": "SERVER", "name": "GET /", "timestamp": 1_700_000_000_000_000_u64, "duration": 7,
        "localEndpoint": {"serviceName": "Shop", "ipv4": "127.0.0.1"},
        "remoteEndpoint": {"serviceName": "till", "ipv6": "::2", "port": 80},
        "annotations": [
            {"timestamp": 9, "value": "late"}, {"timestamp": 8, "value": "early"},
            {"timestamp": 8, "value": "early"},
        ],
        "tags": {"a": "b"}, "debug": true, "shared": true,
    });
    let body = json!([span]).to_string();
    let status = zipkin.post("/api/v2/spans", "application/json", body.as_bytes())?;
    assert_eq!(status, 202);
    let read = zipkin.trace(TRACE, 1)?;
    let mut expected = span;
    // Its two habits: names in lower case, and annotations as a set.
    expected["name"] = json!("get /");
    expected["localEndpoint"]["serviceName"] = json!("shop");
    expected["annotations"] =
        json!([{"timestamp": 8, "value": "early"}, {"timestamp": 9, "value": "late"}]);
    let expected: ZipkinSpan = serde_json::from_value(expected).expect("a span of Zipkin");
    assert_eq!(read, [expected]);
    assert_eq!(zipkin.received()?, 1);
    let address = zipkin.address();
    assert!(address.ip().is_loopback());
    drop(zipkin);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
    Ok(())
}

const TRACE: u128 = (1 << 64) | 2;
