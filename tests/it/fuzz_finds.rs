//! Inputs that a fuzz target has found, and what they broke.

use tracehound::Config;

/// The text of the error that comes of one variable.
fn error(name: &str, value: &str) -> String {
    let lookup = |wanted: &str| (wanted == name).then(|| value.to_owned());
    let config = Config::from_lookup(lookup);
    match config.and_then(Config::build) {
        Err(error) => format!("{error} {:?}", error.problems()),
        Ok(_) => String::new(),
    }
}

/// Found by `environment`: the list was split at its comma, and what stood behind it was no URL any more.
#[test]
fn a_list_of_formats_shows_no_part_of_a_url() {
    for name in ["JAEGER_PROPAGATION", "OTEL_PROPAGATORS"] {
        for value in [
            "key=value\\\"http://h?k=v#6,canary\\\"",
            "jaeger,http://u:p,canary@h/",
            "http://h/?k=v,canary,jaeger",
        ] {
            let error = error(name, value);
            assert!(error.contains(name), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}

/// Found by `redact`: all before the `@` was taken for user info, though a fragment or a query stands there.
#[test]
fn a_value_whose_query_holds_an_at_shows_nothing_behind_it() {
    for value in [
        ";%2%4u{\"u\":\"/cart?k=v#p@canary\",\"e\":\"x\"}",
        "h:1/d?k=a@canary",
        "h/d?k=v#a@canary",
    ] {
        let error = error("JAEGER_ENDPOINT", value);
        assert!(error.contains("JAEGER_ENDPOINT"), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

/// Found by `environment`: a text without a host behind its `://` was taken for user info, up to the `@` of a query.
#[test]
fn a_query_behind_text_that_is_no_url_shows_nothing_behind_its_at() {
    let value = "----http://\u{4}?p:hucannot reach h/d?k=v#@canary: refused";
    let error = error("JAEGER_REPORTER_FLUSH_INTERVAL", value);
    assert!(error.contains("JAEGER_REPORTER_FLUSH_INTERVAL"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

/// Found by `terminal`: a duration was not cut, and a datagram may say that a span took thousands of years.
#[cfg(feature = "dev")]
#[test]
fn a_span_of_thousands_of_years_is_drawn_within_the_columns() {
    use std::net::UdpSocket;
    use std::time::Duration;

    use tracehound::dev::{DevOptions, DevServer, Waterfall};

    use crate::support::batches::from_hex;

    let options = DevOptions::new().any_ports().waterfall(Waterfall::Never);
    let server = DevServer::start(options).unwrap();
    let datagram = [
        "82810009656d697442617463681c1c18",
        // A long service name, and a long operation name further down.
        "10736572766963652d736572766963652d00191c",
        "16021600160216001818",
        "6f7065726174696f6e2d6f7065726174696f6e2d6f706572",
        // Flags, start, and the longest duration.
        "2502160216",
        "feffffffffffffffff01",
        "000000",
    ];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let datagram = from_hex(&datagram.concat());
    socket.send_to(&datagram, server.agent_address()).unwrap();
    assert!(server.wait_until_read(Duration::from_secs(20)));
    let trace = server.traces().remove(0);
    let picture = trace.waterfall(40);
    assert!(picture.contains(".."), "{picture}");
    assert!(picture.lines().all(|line| line.len() <= 40), "{picture}");
}
