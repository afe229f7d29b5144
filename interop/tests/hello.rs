//! The example `hello`, configured by its environment alone, with real backends.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use tracehound_interop::{Backend, Example, Tag, Value, Version};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

#[test]
fn the_span_of_hello_is_found_by_the_id_that_it_prints() -> Result {
    for version in Version::ALL {
        let Some(jaeger) = Backend::start_or_skip(version)? else {
            return Ok(());
        };
        let hello = Example::build("hello")?;
        for (host, agent, further) in [
            ("127.0.0.1", jaeger.compact_addr(), vec![]),
            ("localhost", jaeger.compact_addr(), vec![LONG_IDS, TAGS]),
            ("127.0.0.1", jaeger.binary_addr(), vec![BINARY, TAGS]),
        ] {
            let printed = run(&hello, host, agent, &further)?;
            let at = format!("{version}, {host}, {further:?}: {printed}");
            let trace = trace_id(&printed).ok_or_else(|| format!("no trace id: {at}"))?;
            assert_eq!(trace >> 64 != 0, further.contains(&LONG_IDS), "{at}");
            assert!(
                printed.contains("finished 1, sent 1, dropped none, queued 0"),
                "{at}"
            );

            let read = jaeger.trace(trace, 1)?;
            assert_eq!(read.spans.len(), 1, "{at}");
            let span = &read.spans[0];
            assert_eq!(span.service, "hello", "{at}");
            assert_eq!(span.operation, "say_hello", "{at}");
            assert_eq!(
                find(&span.tags, "sampler.type"),
                Some(&"const".into()),
                "{at}"
            );
            assert_eq!(span.logs.len(), 1, "{at}");
            let zone = further.contains(&TAGS).then(|| "eu-1".into());
            assert_eq!(find(&span.process_tags, "zone"), zone.as_ref(), "{at}");
        }
    }
    Ok(())
}

#[test]
fn hello_does_its_work_without_a_backend_and_reports_the_loss() -> Result {
    // A connected socket refuses datagrams of other sockets, and keeps the port from other programs.
    let deaf = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    deaf.connect((Ipv4Addr::LOCALHOST, 9))?;
    let hello = Example::build("hello")?;
    let printed = run(&hello, "127.0.0.1", deaf.local_addr()?, &[])?;
    assert!(printed.contains("Hello"), "{printed}");
    assert!(printed.contains("sent 0, dropped refused 1"), "{printed}");
    Ok(())
}

const LONG_IDS: (&str, &str) = ("JAEGER_TRACEID_128BIT", "true");
const TAGS: (&str, &str) = ("JAEGER_TAGS", "zone=eu-1");
const BINARY: (&str, &str) = ("OTEL_EXPORTER_JAEGER_PROTOCOL", "udp/thrift.binary");

fn run(hello: &Example, host: &str, agent: SocketAddr, further: &[(&str, &str)]) -> Result<String> {
    let port = agent.port().to_string();
    let agent = [("JAEGER_AGENT_HOST", host), ("JAEGER_AGENT_PORT", &*port)];
    Ok(hello.run(&[&agent[..], further].concat())?)
}

/// Reads the id from the line `trace 5af7183fb1d4cf5f`.
fn trace_id(printed: &str) -> Option<u128> {
    let mut ids = printed
        .lines()
        .filter_map(|line| line.strip_prefix("trace "));
    u128::from_str_radix(ids.next()?, 16).ok()
}

fn find<'a>(tags: &'a [Tag], key: &str) -> Option<&'a Value> {
    tags.iter().find(|tag| tag.key == key).map(|tag| &tag.value)
}
