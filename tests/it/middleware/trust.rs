//! Tests of what servers believe of a stranger's headers: behind axum, hyper and tonic over loopback.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body_util::{Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tower::{Service, ServiceExt, service_fn};
use tracehound::JaegerTracer;
use tracehound::metrics::Counter;
use tracehound::middleware::{ClientLayer, ServerLayer, Trust};
use tracehound::sampler::{ConstSampler, ProbabilisticSampler, SamplingRate};
use tracehound::tracer::TracerBuilder;

use crate::support::grpc::{self, channel, message, unary};
use crate::support::recording_builder;
use crate::support::web::{call_with, get, listener, reply, run, serve};

const SERVERS: [&str; 3] = ["axum", "hyper", "tonic"];

/// The levels of trust: each with its name, what it is, and whether ids, sampling, debug and baggage are believed.
fn levels() -> [(&'static str, Trust, [bool; 4]); 7] {
    [
        ("full", Trust::full(), [true, true, true, true]),
        ("ids", Trust::ids_only(), [true, false, false, false]),
        ("restart", Trust::restart(), [false, false, false, false]),
        (
            "ids and baggage",
            Trust::ids_only().baggage(true),
            [true, false, false, true],
        ),
        (
            "ids and sampling",
            Trust::ids_only().sampling(true),
            [true, true, false, false],
        ),
        (
            "all but debug",
            Trust::full().debug(false),
            [true, true, false, true],
        ),
        (
            "baggage alone",
            Trust::restart().baggage(true),
            [false, false, false, true],
        ),
    ]
}

/// The headers that a handler's own call has sent.
#[derive(Clone, Default)]
struct Sent(Arc<Mutex<Vec<HeaderMap>>>);

impl Sent {
    /// Returns a client that sends nothing anywhere and keeps the headers.
    fn client(
        &self,
        tracer: &JaegerTracer,
    ) -> impl Service<Request<()>, Error = Infallible, Future: Send> + Clone + Send + Sync + use<>
    {
        let sent = self.0.clone();
        ClientLayer::new(tracer.clone()).wrap(service_fn(move |request: Request<()>| {
            sent.lock().unwrap().push(request.headers().clone());
            async { reply(200, Empty::<Bytes>::new()) }
        }))
    }

    fn only(&self) -> HeaderMap {
        let mut sent = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(sent.len(), 1);
        sent.remove(0)
    }
}

/// Sends a request with `headers` to a real server whose handler makes a call of its own.
async fn send(server: &str, layer: ServerLayer, tracer: &JaegerTracer, headers: HeaderMap) -> Sent {
    let sent = Sent::default();
    let client = sent.client(tracer);
    if server == "tonic" {
        let handler = service_fn(move |request: http::Request<tonic::body::Body>| {
            let client = client.clone();
            async move {
                client.oneshot(Request::new(())).await.map(drop)?;
                let answer = service_fn(|request: tonic::Request<String>| async {
                    Ok(tonic::Response::new(request.into_inner()))
                });
                let mut grpc = tonic::server::Grpc::new(grpc::Text);
                Ok::<_, Infallible>(grpc.unary(answer, request).await)
            }
        });
        let address = grpc::serve_by(Server::builder(), layer, handler).await;
        let mut request = message("hello");
        *request.metadata_mut() = MetadataMap::from_headers(headers);
        unary(channel(address), request).await.expect("an answer");
        return sent;
    }
    let address = if server == "axum" {
        let handler = move || async move {
            let _ = client.oneshot(Request::new(())).await;
        };
        serve(Router::new().route("/", any(handler)).layer(layer)).await
    } else {
        let handler = move |_: Request<hyper::body::Incoming>| {
            let client = client.clone();
            async move {
                client.oneshot(Request::new(())).await.map(drop)?;
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
            }
        };
        let service = layer.wrap(hyper::service::service_fn(handler));
        let (listener, address) = listener().await;
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
        address
    };
    let mut request = get(format!("http://{address}/"));
    request.headers_mut().extend(headers);
    assert_eq!(call_with(request).await.0, 200);
    sent
}

fn with(headers: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = headers.iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    pairs.collect()
}

/// Adds as much baggage as a context can hold: 8 KiB on the wire.
fn fill_with_baggage(headers: &mut HeaderMap) {
    for n in 0..8 {
        let name = format!("uberctx-bomb-{n}")
            .parse::<HeaderName>()
            .expect("a name");
        // The name of an item counts as well.
        let value = "x".repeat(1024 - "bomb-0".len());
        headers.insert(name, value.parse().expect("a value"));
    }
}

/// Returns the bytes of baggage that were sent, names included.
fn baggage_bytes(sent: &HeaderMap) -> usize {
    let items = sent.iter().filter_map(|(name, value)| {
        let key = name.as_str().strip_prefix("uberctx-")?;
        Some(key.len() + value.len())
    });
    items.sum()
}

/// A trace id and flags from a header.
fn trace_of(sent: &HeaderMap) -> (String, u8) {
    let header = sent["uber-trace-id"].to_str().expect("text");
    let parts: Vec<_> = header.split(':').collect();
    let flags = u8::from_str_radix(parts[3], 16).expect("flags");
    (parts[0].to_owned(), flags)
}

fn unsampling() -> TracerBuilder {
    recording_builder().0.sampler(ConstSampler::new(false))
}

const CALLERS_TRACE: &str = "5b2b4e1f9d3a7c60";
const CALLERS_TRACEPARENT: &str = "00-00000000000000005b2b4e1f9d3a7c60-6ad04c2b18e7f935-01";

#[test]
fn a_stranger_gets_what_the_level_of_trust_grants() {
    run(async {
        for server in SERVERS {
            for (name, trust, [ids, sampling, debug, baggage]) in levels() {
                let row = format!("{server}, {name}");
                let tracer = unsampling().build().expect("named");
                let mut headers = with(&[
                    ("uber-trace-id", "5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:3"),
                    ("jaeger-debug-id", "find-me"),
                    ("traceparent", CALLERS_TRACEPARENT),
                    ("tracestate", "other=1"),
                ]);
                fill_with_baggage(&mut headers);
                let layer = ServerLayer::new(tracer.clone()).trust(trust);
                let sent = send(server, layer, &tracer, headers).await.only();
                let (trace_id, flags) = trace_of(&sent);
                assert_eq!(trace_id == CALLERS_TRACE, ids, "{row}");
                let expected = u8::from(sampling) | u8::from(debug) << 1;
                assert_eq!(flags, expected, "{row}");
                let expected = if baggage { 8 * 1024 } else { 0 };
                assert_eq!(baggage_bytes(&sent), expected, "{row}");
                assert_eq!(sent.contains_key("baggage"), baggage, "{row}");
                assert!(!sent.contains_key("jaeger-debug-id"), "{row}");
                let state = sent.get("tracestate").map(HeaderValue::as_bytes);
                let has_state = state.is_some_and(|state| state.ends_with(b"other=1"));
                assert_eq!(has_state, ids && sampling, "{row}: {state:?}");
            }
        }
    });
}

#[test]
fn a_strangers_debug_id_has_an_effect_only_if_debug_is_believed() {
    run(async {
        for server in SERVERS {
            for (name, trust, [.., debug, baggage]) in levels() {
                let row = format!("{server}, {name}");
                let tracer = unsampling().build().expect("named");
                let headers = [("jaeger-debug-id", "find-me"), ("uberctx-user", "7")];
                let layer = ServerLayer::new(tracer.clone()).trust(trust);
                let sent = send(server, layer, &tracer, with(&headers)).await.only();
                let expected = if debug { 3 } else { 0 };
                assert_eq!(trace_of(&sent).1, expected, "{row}");
                assert_eq!(sent.contains_key("uberctx-user"), baggage, "{row}");
                assert!(!sent.contains_key("jaeger-debug-id"), "{row}");
            }
        }
    });
}

#[test]
fn a_filtered_request_passes_on_only_what_is_believed() {
    run(async {
        for server in SERVERS {
            for (name, trust, [ids, sampling, debug, baggage]) in levels() {
                let row = format!("{server}, {name}");
                let tracer = unsampling().build().expect("named");
                let mut headers =
                    with(&[("uber-trace-id", "5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:3")]);
                fill_with_baggage(&mut headers);
                let layer = ServerLayer::new(tracer.clone())
                    .trust(trust)
                    .filter(|_| false);
                let sent = send(server, layer, &tracer, headers).await.only();
                let (trace_id, flags) = trace_of(&sent);
                assert_eq!(trace_id == CALLERS_TRACE, ids, "{row}");
                let expected = u8::from(sampling) | u8::from(debug) << 1;
                assert_eq!(flags, expected, "{row}");
                let expected = if baggage { 8 * 1024 } else { 0 };
                assert_eq!(baggage_bytes(&sent), expected, "{row}");
            }
        }
    });
}

/// Returns ids that are spread evenly over 63 bits.
fn spread(n: u64) -> u64 {
    n << 55 | 1
}

#[test]
fn strangers_who_force_sampling_get_the_rate_of_the_own_sampler() {
    run(async {
        let rate = SamplingRate::new(0.25).expect("a rate");
        let rows = [("full", 256), ("ids", 64), ("restart", 64)];
        for (name, sampled) in rows {
            let (_, trust, _) = levels()
                .into_iter()
                .find(|row| row.0 == name)
                .expect("known");
            let (builder, _reporter) = recording_builder();
            let next = AtomicU64::new(0);
            let tracer = builder
                .sampler(ProbabilisticSampler::new(rate))
                .id_source(move || spread(next.fetch_add(1, Ordering::Relaxed)))
                .build()
                .expect("named");
            let service = ServerLayer::new(tracer.clone())
                .trust(trust)
                .wrap(service_fn(|_: Request<()>| async {
                    reply(200, Empty::<Bytes>::new())
                }));
            for n in 0..256 {
                let mut request = Request::new(());
                let context = format!("{:x}:{:x}:0:3", spread(n), 7);
                let context = context.parse().expect("a value");
                request.headers_mut().insert("uber-trace-id", context);
                let answer = service.clone().oneshot(request).await;
                drop(answer.expect("infallible"));
            }
            let metrics = tracer.metrics();
            let started = metrics.get(Counter::StartedSpansSampled);
            assert_eq!(started, sampled, "{name}");
            let others = metrics.get(Counter::StartedSpansUnsampled);
            assert_eq!(started + others, 256, "{name}");
        }
    });
}
