//! Calls of gRPC to the embedded agent that no client of a collector makes.

use std::io::Write;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioExecutor;
use tracehound::dev::DevServer;
use tracehound::sampler::remote::{GrpcStrategyFetcher, Strategy, StrategyFetcher};
use tracehound::sampler::{SamplingRate, TracesPerSecond};

use crate::dev::vectors::all;
use crate::dev::{quiet, unhex};

/// Sends a body to a path, and returns the message and the trailers of the answer.
async fn call(
    address: SocketAddr,
    path: &str,
    encoding: &str,
    body: Vec<u8>,
) -> (Bytes, HeaderMap) {
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let request = hyper::Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("grpc-encoding", encoding)
        .header("te", "trailers")
        .body(Full::from(body))
        .unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().expect("a status");
    (body.to_bytes(), trailers)
}

/// Sends a body to a path, and returns the status of gRPC, which comes behind the answer.
async fn status(address: SocketAddr, path: &str, encoding: &str, body: Vec<u8>) -> String {
    let (_, trailers) = call(address, path, encoding, body).await;
    trailers["grpc-status"].to_str().unwrap().to_owned()
}

/// Returns a message with the prefix that gRPC has.
fn message(is_packed: bool, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_be_bytes();
    [&[is_packed.into()], &length[..], bytes].concat()
}

fn gzip(length: usize) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&vec![0xff; length]).unwrap();
    packer.finish().unwrap()
}

/// A frame of zstd with blocks that are one byte 128 Ki times.
fn zstd(blocks: usize) -> Vec<u8> {
    let mut frame = b"\x28\xb5\x2f\xfd\0\x58".to_vec();
    frame.extend(b"\x02\0\x10\xff".repeat(blocks - 1));
    frame.extend(b"\x03\0\x10\xff");
    frame
}

#[tokio::test]
async fn a_call_that_is_too_long_or_makes_no_sense_has_its_status_and_is_counted() {
    let options = quiet().otlp_grpc_port(0).jaeger_grpc_port(0).zipkin_port(0);
    let server = DevServer::start(options).unwrap();
    let ways = [
        (server.otlp_grpc_address().unwrap(), OTLP),
        (server.jaeger_grpc_address().unwrap(), JAEGER),
        (server.zipkin_address().unwrap(), ZIPKIN),
    ];
    let mut refused = 0;
    for (address, path) in ways {
        // `EXHAUSTED`: too long as it comes, or once it is unpacked. 16 MiB are not, but are no message.
        let rows = [
            ("identity", message(false, &vec![0xff; 5 << 20]), EXHAUSTED),
            ("gzip", message(true, &gzip((16 << 20) + 1)), EXHAUSTED),
            ("zstd", message(true, &zstd(129)), EXHAUSTED),
            ("gzip", message(true, &gzip(16 << 20)), INVALID),
            ("zstd", message(true, &zstd(128)), INVALID),
            ("gzip", message(true, b"no gzip"), INVALID),
            ("br", message(true, b""), INVALID),
            ("identity", Vec::new(), INVALID),
            ("identity", b"\0\0\0\0\x09\x0a".to_vec(), INVALID),
            ("identity", b"\0\xff\xff\xff\xff".to_vec(), INVALID),
            ("identity", message(false, b"\x0a\xff"), INVALID),
            (
                "identity",
                [message(false, b""), message(false, b"")].concat(),
                INVALID,
            ),
        ];
        for (encoding, body, expected) in rows {
            let length = body.len();
            let found = status(address, path, encoding, body).await;
            assert_eq!(found, expected, "{path} {encoding}, {length} bytes");
            refused += 1;
            assert_eq!(server.totals().undecodable, refused, "{path} {encoding}");
        }
        for (encoding, body) in [
            ("identity", message(false, b"")),
            // The flag of a message tells whether it is packed.
            ("gzip", message(false, b"")),
            ("zstd", message(true, b"\x28\xb5\x2f\xfd\x20\0\x01\0\0")),
        ] {
            assert_eq!(
                status(address, path, encoding, body).await,
                "0",
                "{path} {encoding}"
            );
        }
    }
    assert_eq!(server.totals().undecodable, refused);
    assert_eq!(server.totals().received, 0);
}

#[tokio::test]
async fn a_refused_call_says_why_and_a_span_that_is_left_out_is_counted() {
    let server = DevServer::start(quiet().otlp_grpc_port(0)).unwrap();
    let address = server.otlp_grpc_address().unwrap();
    let short_id = message(false, b"\x0a\x07\x12\x05\x12\x03\x0a\x01\x01");
    let (_, trailers) = call(address, OTLP, "identity", short_id).await;
    assert_eq!(trailers["grpc-status"], INVALID);
    assert_eq!(
        trailers["grpc-message"],
        "a trace id has 1 bytes instead of 16"
    );
    let (_, trailers) = call(address, OTLP, "br%", message(true, b"")).await;
    let why = trailers["grpc-message"].to_str().unwrap();
    assert!(why.starts_with("the encoding br%25 is not known"), "{why}");
    // Two spans without ids.
    let no_ids = message(false, b"\x0a\x06\x12\x04\x12\0\x12\0");
    let (answer, trailers) = call(address, OTLP, "identity", no_ids).await;
    assert_eq!(trailers["grpc-status"], "0");
    assert!(answer[5..].starts_with(b"\x0a\x3b\x08\x02"), "{answer:?}");
}

#[tokio::test]
async fn strategies_are_answered_over_grpc_as_by_a_collector() {
    let folder = std::env::temp_dir().join(format!("tracehound-grpc-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("strategies.json");
    let strategies = serde_json::json!({
        "default_strategy": {"type": "probabilistic", "param": 0.25},
        "service_strategies": [
            {"service": "limited", "type": "ratelimiting", "param": 3},
            {"service": "shop", "type": "probabilistic", "param": 0.5, "operation_strategies": [
                {"operation": "GET /", "type": "probabilistic", "param": 1},
            ]},
        ],
    });
    std::fs::write(&path, strategies.to_string()).unwrap();
    // On a thread without a runtime, as the tracer asks.
    let ask = |server: &DevServer, service: &'static str| {
        let url = format!("grpc://{}", server.jaeger_grpc_address().unwrap());
        let ask = move || GrpcStrategyFetcher::new(&url).unwrap().fetch(service);
        std::thread::spawn(ask).join().unwrap().unwrap()
    };
    let rate = |rate| Strategy::Probabilistic(SamplingRate::new(rate).unwrap());
    let server = DevServer::start(quiet().jaeger_grpc_port(0)).unwrap();
    assert_eq!(ask(&server, "any"), rate(1.0));
    let options = quiet().jaeger_grpc_port(0).strategies_file(&path);
    let server = DevServer::start(options).unwrap();
    assert_eq!(ask(&server, "any"), rate(0.25));
    let limited = Strategy::RateLimiting(TracesPerSecond::new(3.0).unwrap());
    assert_eq!(ask(&server, "limited"), limited);
    let Strategy::PerOperation(operations) = ask(&server, "shop") else {
        panic!("operations have strategies")
    };
    let found: Vec<_> = operations.operations().collect();
    assert_eq!(found, [("GET /", SamplingRate::ONE)]);

    // Clients in Java go by the type: 1 is a rate.
    let address = server.jaeger_grpc_address().unwrap();
    let (answer, _) = call(
        address,
        SAMPLING,
        "identity",
        message(false, b"\x0a\x07limited"),
    )
    .await;
    assert_eq!(&answer[5..], b"\x08\x01\x1a\x02\x08\x03");
    let found = status(address, SAMPLING, "identity", message(false, b"\x0a\xff")).await;
    assert_eq!(found, INVALID);
    assert_eq!(server.totals().undecodable, 0, "no spans were sent");
    std::fs::remove_dir_all(&folder).unwrap();
}

const SAMPLING: &str = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";

/// Bodies of published clients, which sent them over HTTP; the message is the same one.
#[tokio::test]
async fn spans_of_zipkin_come_over_grpc_at_the_port_that_takes_http() {
    let server = DevServer::start(quiet().zipkin_port(0)).unwrap();
    let address = server.zipkin_address().unwrap();
    let requests = all("spans_zipkin", "requests");
    let requests = requests
        .iter()
        .filter(|(_, _, request)| request["content_type"] == "application/x-protobuf");
    let mut count = 0;
    for (title, input, request) in requests {
        server.clear();
        let body = message(false, &unhex(request["body_hex"].as_str().unwrap()));
        assert_eq!(
            status(address, ZIPKIN, "identity", body).await,
            "0",
            "{title}"
        );
        let trace = server.traces().remove(0);
        let span = &trace.spans[0].span;
        assert_eq!(
            span.operation_name,
            input["span"]["name"].as_str().unwrap_or_default(),
            "{title}"
        );
        assert_eq!(span.span_id.to_string(), input["span"]["id"], "{title}");
        count += 1;
    }
    assert_eq!((count, server.totals().undecodable), (17, 0));
}

const OTLP: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const JAEGER: &str = "/jaeger.api_v2.CollectorService/PostSpans";
const ZIPKIN: &str = "/zipkin.proto3.SpanService/Report";
const INVALID: &str = "3";
const EXHAUSTED: &str = "8";
