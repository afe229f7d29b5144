//! The agent of a configuration: where spans go and in which protocol.

use std::net::UdpSocket;

use tracehound::Config;
use tracehound::prelude::*;
use tracehound::reporter::sender::{AgentProtocol, SocketFamily};
use tracehound::sampler::ConstSampler;

use super::building::{SOON, built};
use super::read;

/// Returns the datagram with one span.
fn datagram(configure: impl FnOnce(Config) -> Config) -> Vec<u8> {
    let agent = UdpSocket::bind("127.0.0.1:0").unwrap();
    agent.set_read_timeout(Some(SOON)).unwrap();
    let port = agent.local_addr().unwrap().port().to_string();
    let config = configure(read(&[
        ("JAEGER_AGENT_HOST", "127.0.0.1"),
        ("JAEGER_AGENT_PORT", &port),
    ]));
    let (tracer, lines) = built(config.service_name("shop").sampler(ConstSampler::new(true)));
    assert_eq!(
        *lines.lock().unwrap(),
        [format!(
            "service \"shop\" is traced: sampler const 1, spans go to 127.0.0.1:{port} over UDP"
        )]
    );
    tracer.start_span("checkout").finish();
    assert_eq!(tracer.flush(SOON).sent, 1);
    let mut bytes = vec![0; 65_536];
    let size = agent.recv(&mut bytes).unwrap();
    bytes.truncate(size);
    bytes
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn spans_go_to_the_agent_in_the_protocol_that_was_set() {
    let compact = datagram(|config| config);
    assert_eq!(compact[0], 0x82);
    let binary = datagram(|config| {
        config
            .agent_protocol(AgentProtocol::Binary)
            .agent_family(SocketFamily::V4)
    });
    assert_eq!(binary[0], 0x80);
    for bytes in [compact, binary] {
        for text in ["emitBatch", "shop", "checkout"] {
            assert!(contains(&bytes, text), "{text}");
        }
    }
}
