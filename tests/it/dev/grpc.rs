//! Calls of gRPC to the embedded agent that no client of a collector makes.

use std::io::Write;
use std::net::SocketAddr;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioExecutor;
use tracehound::dev::DevServer;

use crate::dev::quiet;

/// Sends a body to a path, and returns the status of gRPC, which comes behind the answer.
async fn status(address: SocketAddr, path: &str, encoding: &str, body: Vec<u8>) -> String {
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
    let trailers = body.trailers().expect("a status");
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
    let server = DevServer::start(quiet().otlp_grpc_port(0).jaeger_grpc_port(0)).unwrap();
    let ways = [
        (server.otlp_grpc_address().unwrap(), OTLP),
        (server.jaeger_grpc_address().unwrap(), JAEGER),
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

const OTLP: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const JAEGER: &str = "/jaeger.api_v2.CollectorService/PostSpans";
const INVALID: &str = "3";
const EXHAUSTED: &str = "8";
