//! What the driver expects of every service, apart from the matrix.

use std::{fs, process::Stdio, thread, time::Duration};

use serde_json::json;
use tracehound_interop::{
    Backend, Error, Version,
    crossdock::{Alphabet, Format, PUBLISHED, Peer, Service, Setup},
    poll,
};

use crate::{OWN, peers};

#[test]
fn malformed_headers_begin_a_new_trace_in_every_service() -> Result<(), Error> {
    each_service(|format, service| {
        for malformed in ["x", "1:2", "00-0-0-00", ""] {
            let headers = [(format.trace_header(), malformed)];
            let request = json!({"serverRole": "S1"});
            let joined = service.ask("/join_trace", &headers, &request)?;
            let span = joined.span.unwrap_or_default();
            let at = format!("{}, {format}, {malformed:?}", service.peer().name);
            assert!(!span.sampled, "{at}: {span:?}");
            let is_id = u128::from_str_radix(&span.trace_id, 16).is_ok_and(|id| id != 0);
            assert!(is_id, "{at}: {span:?}");
            assert_eq!(span.baggage, "", "{at}");
        }
        Ok(())
    })
}

#[test]
fn every_service_declines_a_transport_that_it_lacks() -> Result<(), Error> {
    each_service(|format, service| {
        let downstream = json!({
            "serviceName": "nobody", "serverRole": "S2", "host": "127.0.0.1", "port": "9999", "transport": "DUMMY",
        });
        let request = json!({
            "serverRole": "S1", "sampled": true, "baggage": "b", "downstream": downstream,
        });
        let started = service.ask("/start_trace", &[], &request)?;
        let at = format!("{}, {format}: {started:?}", service.peer().name);
        let span = started.span.unwrap_or_default();
        assert!(span.sampled && span.baggage == "b", "{at}");
        let declined = started.downstream.unwrap_or_default();
        assert_eq!(
            (&declined.span, &declined.downstream),
            (&None, &None),
            "{at}"
        );
        assert!(!declined.not_implemented_error.is_empty(), "{at}");
        Ok(())
    })
}

#[test]
fn every_service_without_a_format_ends_with_code_3() -> Result<(), Error> {
    for peer in [&[Peer::own(OWN)], PUBLISHED].concat() {
        if !peer.is_there_or_skipped()? {
            continue;
        }
        let lacked = Format::ALL
            .iter()
            .filter(|format| !peer.formats.contains(format));
        let lacked = lacked.map(|format| format.name()).chain(["smoke"]);
        for format in lacked {
            let (code, said) = ended(&peer, format)?;
            let at = format!("{}, {format}: {said:?}", peer.name);
            assert_eq!(code, Some(3), "{at}");
            assert_eq!(said.lines().count(), 1, "{at}");
        }
    }
    Ok(())
}

/// Starts the service, waits for its end, and returns the exit code and what it wrote to standard error.
fn ended(peer: &Peer, format: &str) -> Result<(Option<i32>, String), Error> {
    let io = |source| Error::Io {
        doing: format!("running the service of {}", peer.name),
        source,
    };
    let log = tempfile::NamedTempFile::new().map_err(io)?;
    let flags = [
        ("--host", "127.0.0.1"),
        ("--port", "0"),
        ("--service", "s"),
        ("--format", format),
        ("--agent-compact", "127.0.0.1:9"),
        ("--agent-binary", "127.0.0.1:9"),
        ("--otlp", "http://127.0.0.1:9"),
    ];
    let mut child = peer
        .command()?
        .args(flags.iter().flat_map(|(flag, value)| [flag, value]))
        .stdin(Stdio::null())
        .stderr(log.reopen().map_err(io)?)
        .spawn()
        .map_err(io)?;
    let within = Duration::from_secs(60);
    let ended = poll(within, Duration::from_millis(20), || {
        child.try_wait().map_err(io).transpose().ok_or(())
    });
    // A service that has the format after all still runs.
    let _ = child.kill();
    let _ = child.wait();
    let code = match ended {
        Ok(status) => status?.code(),
        Err(()) => None,
    };
    Ok((code, fs::read_to_string(log.path()).map_err(io)?))
}

/// Calls `check` with a service of each language, for each format that it has. The languages go at the same time, because
/// starting a service is mostly waiting.
fn each_service(check: impl Fn(Format, &Service) -> Result<(), Error> + Sync) -> Result<(), Error> {
    let Some(jaeger) = Backend::start_or_skip(Version::V1)? else {
        return Ok(());
    };
    let check_one = |format, peer| {
        let setup = Setup {
            format,
            trace_id_bits: 64,
            alphabet: Alphabet::Digits,
        };
        let service = Service::start(peer, setup, jaeger.endpoints())?;
        check(format, &service)?;
        service.stop()
    };
    for format in Format::ALL {
        let peers = peers(format)?.0;
        thread::scope(|scope| {
            let spawn = |peer| scope.spawn(move || check_one(format, peer));
            let checking: Vec<_> = peers.into_iter().map(spawn).collect();
            for checked in checking {
                // A panic is a claim that failed; its message has been printed.
                checked.join().expect("every claim holds")?;
            }
            Ok::<_, Error>(())
        })?;
    }
    Ok(())
}
