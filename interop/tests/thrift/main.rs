//! Calls of Thrift through other languages: a shop calls a server, whose handler calls a service of the library back.
//!
//! ```text
//! shop ── ThriftClient ──► Java or Python ── its client ──► ThriftProcessor
//! ```
//!
//! The service is one that Jaeger's clients have generated code for.

mod strategies;

use std::{error::Error, net::TcpStream, time::Duration};

use strategies::{Seen, Strategies, call, connection};
use tracehound::{
    JaegerTracer,
    middleware::ThriftClient,
    prelude::*,
    reporter::{RemoteReporter, sender::UdpSender},
    sampler::ConstSampler,
};
use tracehound_interop::{
    Backend, ReferenceKind, StoredSpan, ThriftLanguage, ThriftPeer, ThriftProtocol, Value, Version,
};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[test]
fn java_keeps_the_trace_over_the_binary_protocol() -> Result {
    keeps_the_trace(ThriftLanguage::Java, ThriftProtocol::Binary, Version::V1)
}

#[test]
fn java_keeps_the_trace_over_the_compact_protocol() -> Result {
    keeps_the_trace(ThriftLanguage::Java, ThriftProtocol::Compact, Version::V2)
}

#[test]
fn python_keeps_the_trace_over_the_binary_protocol() -> Result {
    keeps_the_trace(ThriftLanguage::Python, ThriftProtocol::Binary, Version::V1)
}

#[test]
fn python_keeps_the_trace_over_the_compact_protocol() -> Result {
    keeps_the_trace(ThriftLanguage::Python, ThriftProtocol::Compact, Version::V2)
}

fn keeps_the_trace(language: ThriftLanguage, protocol: ThriftProtocol, version: Version) -> Result {
    let Some(jaeger) = Backend::start_or_skip(version)? else {
        return Ok(());
    };
    let agent = jaeger.endpoints().compact;
    let tracer = |service, is_sampled| {
        JaegerTracer::builder(service)
            .sampler(ConstSampler::new(is_sampled))
            .reporter(RemoteReporter::new(UdpSender::new(agent)))
            .build()
    };
    // The service's own sampler keeps nothing: the caller decides.
    let library = tracer("thrift-rust", false)?;
    let strategies = Strategies::serve(library.clone(), protocol)?;
    let peer = ThriftPeer::start_or_skip(language, protocol, strategies.address(), agent)?;
    let Some(peer) = peer else {
        return Ok(());
    };

    for is_sampled in [true, false] {
        let shop = tracer("thrift-shop", is_sampled)?;
        let client = ThriftClient::new(shop.clone()).peer_service(language.service());
        let (input, output) = connection(TcpStream::connect(peer.address())?, protocol)?;
        let (mut input, mut output) = client.wrap(input, output);
        for (number, (name, calls)) in CALLS.into_iter().enumerate() {
            let page = shop.start_active_span("page");
            page.set_baggage_item("tenant", "Zoë & co");
            let trace_id = page.context().trace_id().ok_or("no trace")?;
            let answer = call(&mut input, &mut output, number as i32 + 1, name);
            page.finish();
            shop.flush(Duration::from_secs(10));
            let is_failure = name.ends_with("fail");
            assert_eq!(
                answer.is_err(),
                is_failure,
                "{name}: {answer:?}\n{}",
                peer.log()
            );
            match answer {
                Ok(rate) => assert_eq!(rate > 0.5, is_sampled, "{name}: {rate}"),
                Err(thrift::Error::Application(_)) => {}
                Err(error) => return Err(format!("{name}: {error}\n{}", peer.log()).into()),
            }
            if calls.back {
                let expected = Seen {
                    trace_id,
                    tenant: Some("Zoë & co".to_owned()),
                    is_sampled,
                };
                assert_eq!(strategies.next()?, expected, "{language:?} {name}");
                library.flush(Duration::from_secs(10));
            }
            let id = (u128::from(trace_id.high()) << 64) | u128::from(trace_id.low());
            if is_sampled {
                let count = if calls.back { 5 } else { 3 };
                let trace = jaeger.trace(id, count)?;
                assert_eq!(trace.spans.len(), count, "{name}: {:#?}", trace.spans);
                check(&trace.spans, language, name, calls);
            } else {
                assert_eq!(jaeger.trace_now(id)?, None, "{name}");
            }
        }
    }
    Ok(())
}

/// The calls that a name makes a peer do.
#[derive(Clone, Copy)]
struct Calls {
    /// It calls back.
    back: bool,
    /// It calls a oneway method whose argument is a struct with a struct in it.
    oneway: bool,
}

const CALLS: [(&str, Calls); 4] = [
    (
        "back-leaf",
        Calls {
            back: true,
            oneway: false,
        },
    ),
    (
        "fail",
        Calls {
            back: false,
            oneway: false,
        },
    ),
    (
        "back-fail",
        Calls {
            back: true,
            oneway: false,
        },
    ),
    (
        "nested",
        Calls {
            back: true,
            oneway: true,
        },
    ),
];

/// Checks that each span is the child of the one before, and whether it has failed.
fn check(spans: &[StoredSpan], language: ThriftLanguage, name: &str, calls: Calls) {
    let method = "getSamplingStrategy";
    let leaf = if calls.oneway { "emitBatch" } else { method };
    let mut chain = vec![
        ("thrift-shop", "page", None),
        ("thrift-shop", method, Some("client")),
        (language.service(), method, Some("server")),
    ];
    if calls.back {
        chain.push((language.service(), leaf, Some("client")));
        chain.push(("thrift-rust", leaf, Some("server")));
    }
    let mut parent = None;
    for (service, operation, kind) in chain {
        let at = format!("{name}: {service} {operation} {kind:?} in {spans:#?}");
        let found = spans.iter().find(|span| {
            let kind = kind.map(|kind| Value::String(kind.to_owned()));
            let is_kind = tag(span, "span.kind") == kind;
            span.service == service && span.operation == operation && is_kind
        });
        let span = found.expect(&at);
        let parents = span.references.iter();
        let parents: Vec<_> = parents
            .filter(|reference| reference.kind == ReferenceKind::ChildOf)
            .map(|reference| reference.span_id)
            .collect();
        assert_eq!(parents.first().copied(), parent, "{at}");
        assert!(parents.len() <= 1, "{at}");
        parent = Some(span.span_id);
        let is_ours = kind.is_some() && service != language.service();
        let failed = is_ours && name.ends_with("fail");
        if is_ours {
            let error = failed.then_some(Value::Bool(true));
            assert_eq!(tag(span, "error"), error, "{at}");
            let component = Value::String("thrift".to_owned());
            assert_eq!(tag(span, "component"), Some(component), "{at}");
        }
    }
}

fn tag(span: &StoredSpan, key: &str) -> Option<Value> {
    let tag = span.tags.iter().find(|tag| tag.key == key)?;
    Some(tag.value.clone())
}
