//! The promises of this crate, tested without a client.

use std::{
    collections::BTreeSet,
    env, io,
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    process::{Command, Output},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value as Json, json};
use tracehound_interop::{Backend, Dependency, Error, REQUIRED, Version};

#[test]
fn a_backend_starts_empty_and_ends_with_its_value() -> Result<(), Error> {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        assert_eq!(jaeger.services()?, BTreeSet::new(), "{version}: services");
        assert_eq!(
            jaeger.dependencies()?,
            BTreeSet::new(),
            "{version}: dependencies"
        );
        assert_eq!(jaeger.received()?.spans, 0, "{version}: spans");
        assert_eq!(jaeger.trace_now(1)?, None, "{version}: a trace");
        assert_eq!(
            jaeger.trace_v3_now(1)?,
            None,
            "{version}: a trace by API v3"
        );
        let query = jaeger.endpoints().query_http;
        drop(jaeger);
        assert!(
            TcpStream::connect(query).is_err(),
            "{version} still listens on {query}"
        );
    }
    Ok(())
}

#[test]
fn a_backend_reads_its_strategies_again_when_they_are_rewritten() -> Result<(), Error> {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let rate = |answer: &Json| answer["probabilisticSampling"]["samplingRate"].clone();
        assert_eq!(rate(&jaeger.strategy("a")?), 1, "{version}");
        for probability in [0.5, 0.25] {
            let strategy = json!({"type": "probabilistic", "param": probability});
            jaeger.write_strategies(&json!({"default_strategy": strategy}))?;
            let answer = jaeger.strategy_when("a", |answer| rate(answer) == probability)?;
            // The two dialects of agents.
            let expected = match version {
                Version::V1 => json!("PROBABILISTIC"),
                _ => json!(0),
            };
            assert_eq!(answer["strategyType"], expected, "{version}");
        }
    }
    Ok(())
}

#[test]
fn an_adaptive_backend_begins_with_its_own_strategies() -> Result<(), Error> {
    let Some(jaeger) = Backend::start_adaptive_or_skip()? else {
        return Ok(());
    };
    let answer = jaeger.strategy("a")?;
    let operations = &answer["operationSampling"];
    assert_eq!(operations["defaultSamplingProbability"], 0.1, "{answer}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn a_backend_listens_on_loopback_only() -> Result<(), Error> {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let bound = listening(jaeger.process_id()).map_err(|source| Error::Io {
            doing: "reading /proc".to_owned(),
            source,
        })?;
        let at = jaeger.endpoints();
        assert!(
            bound.contains(&at.compact) && bound.contains(&at.query_http),
            "{bound:?}"
        );
        let outside: Vec<_> = bound
            .iter()
            .filter(|address| !address.ip().is_loopback())
            .collect();
        assert!(outside.is_empty(), "{version} listens on {outside:?}");
    }
    Ok(())
}

#[test]
fn backends_side_by_side_share_nothing() -> Result<(), Error> {
    for version in Version::ALL {
        let Some(one) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let Some(other) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        post_call(&one, "only here", "and here")?;
        one.trace(TRACE, 2)?;
        let services = BTreeSet::from(["only here".to_owned(), "and here".to_owned()]);
        assert_eq!(one.services()?, services, "{version}");
        assert_eq!(other.services()?, BTreeSet::new(), "{version}");
    }
    Ok(())
}

#[test]
fn the_dependency_graph_shows_which_service_calls_which() -> Result<(), Error> {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        post_call(&jaeger, "shop", "cart")?;
        let edge = Dependency {
            parent: "shop".to_owned(),
            child: "cart".to_owned(),
            call_count: 1,
        };
        let seen = jaeger.dependencies_when(|edges| !edges.is_empty())?;
        assert_eq!(seen, BTreeSet::from([edge]), "{version}");
    }
    Ok(())
}

#[test]
fn v1_counts_a_datagram_without_a_batch() -> Result<(), Error> {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let socket = |source| Error::Io {
        doing: "sending a datagram".to_owned(),
        source,
    };
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(socket)?;
    for address in [jaeger.compact_addr(), jaeger.binary_addr()] {
        sender
            .send_to(b"neither protocol begins like this", address)
            .map_err(socket)?;
    }
    let received =
        jaeger.received_when(|it| it.handler_errors.is_some_and(|errors| errors >= 2))?;
    assert_eq!(
        (received.datagrams, received.handler_errors, received.spans),
        (Some(2), Some(2), 0)
    );
    Ok(())
}

#[test]
fn a_test_without_go_is_skipped_by_name_or_fails_on_request() -> Result<(), Error> {
    const OTHER: &str = "a_backend_starts_empty_and_ends_with_its_value";
    let doing = || "running one test of this program again".to_owned();
    let cache = tempfile::tempdir().map_err(|source| Error::Io {
        doing: doing(),
        source,
    })?;
    let run = |required: &str| -> io::Result<Output> {
        Command::new(env::current_exe()?)
            .args(["--exact", OTHER])
            .env("PATH", cache.path())
            .env("XDG_CACHE_HOME", cache.path())
            .env(REQUIRED, required)
            .output()
    };
    let skipped = run("0").map_err(|source| Error::Io {
        doing: doing(),
        source,
    })?;
    let said = String::from_utf8_lossy(&skipped.stderr);
    assert!(skipped.status.success(), "{said}");
    assert!(said.contains("SKIPPED: ") && said.contains(OTHER), "{said}");
    let failed = run("1").map_err(|source| Error::Io {
        doing: doing(),
        source,
    })?;
    assert!(!failed.status.success());
    assert!(
        String::from_utf8_lossy(&failed.stdout).contains("no `go` command"),
        "{failed:?}"
    );
    Ok(())
}

const TRACE: u128 = 0x5af7_183f_b1d4_cf5f_0000_0000_0000_0001;

/// Posts a trace of two spans, `caller`'s and below it `called`'s, by OTLP. It needs no client that
/// could be wrong.
fn post_call(jaeger: &Backend, caller: &str, called: &str) -> Result<(), Error> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    let resource = |service: &str, span_id: u64, parent_id: &str| {
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [{
                "traceId": format!("{TRACE:032x}"), "spanId": format!("{span_id:016x}"), "parentSpanId": parent_id,
                "name": "call", "kind": 2,
                "startTimeUnixNano": now.to_string(), "endTimeUnixNano": (now + 1_000_000).to_string(),
            }]}],
        })
    };
    let body = json!({"resourceSpans": [resource(caller, 1, ""), resource(called, 2, "0000000000000001")]});
    let at = jaeger.endpoints().otlp_http;
    let status = jaeger.post(
        at,
        "/v1/traces",
        "application/json",
        body.to_string().as_bytes(),
    )?;
    assert_eq!(status, 200);
    Ok(())
}

/// Returns every address at which the process takes connections or datagrams.
#[cfg(target_os = "linux")]
fn listening(process_id: u32) -> io::Result<Vec<SocketAddr>> {
    use std::fs;

    let own: BTreeSet<String> = fs::read_dir(format!("/proc/{process_id}/fd"))?
        .filter_map(|entry| {
            fs::read_link(entry.ok()?.path())
                .ok()?
                .into_os_string()
                .into_string()
                .ok()
        })
        .collect();
    let mut addresses = Vec::new();
    for (table, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        for line in fs::read_to_string(format!("/proc/{process_id}/net/{table}"))?
            .lines()
            .skip(1)
        {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let is_own = own.contains(&format!("socket:[{}]", columns[9]));
            if is_own && columns[3] == state {
                addresses
                    .push(address(columns[1]).ok_or_else(|| io::Error::other(line.to_owned()))?);
            }
        }
    }
    Ok(addresses)
}

/// Reads `0100007F:1F90`: words of the address in the machine's order, then the port.
#[cfg(target_os = "linux")]
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = (0..words.len() / 8)
        .map(|i| {
            u32::from_str_radix(words.get(i * 8..i * 8 + 8)?, 16)
                .ok()
                .map(u32::to_ne_bytes)
        })
        .collect::<Option<_>>()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    match <[u8; 16]>::try_from(words.concat()) {
        Ok(v6) => Some((v6, port).into()),
        Err(v4) => Some((<[u8; 4]>::try_from(v4).ok()?, port).into()),
    }
}
