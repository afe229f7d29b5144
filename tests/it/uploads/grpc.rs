//! Batches over gRPC, to a collector made of tonic's server.

mod answers;
mod connections;
#[cfg(feature = "tls")]
mod tls;

use tonic::Code;
use tracehound::reporter::sender::{GrpcSender, InvalidEndpoint, InvalidHeader, OtlpGrpcSender};

use super::*;
use crate::support::grpc_collector::{Act, GrpcCollector};

const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const POST_SPANS: &str = "/jaeger.api_v2.CollectorService/PostSpans";

fn otlp(collector: &GrpcCollector) -> OtlpGrpcSender {
    OtlpGrpcSender::new(&collector.url()).expect("an endpoint")
}

fn jaeger(collector: &GrpcCollector) -> GrpcSender {
    GrpcSender::new(&collector.url()).expect("an endpoint")
}

/// Finishes three spans, flushes, and returns what became of them and how many calls came.
fn after<S: Sender + 'static>(
    sender: impl Fn(&GrpcCollector) -> S,
    act: impl Fn(usize) -> Act + Send + Sync + 'static,
) -> (FlushReport, usize) {
    let collector = GrpcCollector::by(act);
    let report = Shop::new(sender(&collector)).finish(3).flush();
    (report, collector.calls().len())
}

#[test]
fn spans_arrive_in_calls_of_the_right_method() {
    fn check<S: Sender + 'static>(sender: impl Fn(&GrpcCollector) -> S, method: &str) {
        let collector = GrpcCollector::start(Act::Accept);
        let shop = Shop::new(sender(&collector));
        let report = shop.finish(3).flush();
        assert_eq!((report.sent, report.is_complete()), (3, true), "{report}");
        let calls = collector.calls();
        assert_eq!(calls.len(), 1);
        let call = &calls[0];
        assert_eq!(
            (call.path.as_str(), call.service.as_str(), call.spans),
            (method, "shop", 3)
        );
        let header = |name| call.headers.get(name).map(|value| value.to_str().unwrap());
        let agent = header("user-agent").expect("a user agent");
        assert!(agent.starts_with(concat!("tracehound/", env!("CARGO_PKG_VERSION"))));
        assert!(header("grpc-timeout").is_some());
        assert_eq!(header("grpc-encoding"), None);
        assert_eq!(shop.lines(), [""; 0]);
    }
    check(otlp, EXPORT);
    check(jaeger, POST_SPANS);
}

#[test]
fn a_compressed_request_can_be_read() {
    let collector = GrpcCollector::start(Act::Accept);
    let report = Shop::new(otlp(&collector).gzip(true)).finish(300).flush();
    assert_eq!(report.sent, 300, "{report}");
    assert_eq!(collector.spans(), 300);
    let headers = &collector.calls()[0].headers;
    assert_eq!(headers["grpc-encoding"], "gzip");
}

#[test]
fn headers_and_credentials_come_with_each_call() {
    let collector = GrpcCollector::start(Act::Accept);
    let sender = jaeger(&collector)
        .header("x-tenant", "shop")
        .and_then(|sender| sender.bearer_token("t0ken"))
        .expect("headers");
    assert!(!format!("{sender:?}").contains("t0ken"));
    Shop::new(sender).finish(1).flush();
    let headers = &collector.calls()[0].headers;
    assert_eq!(headers["x-tenant"], "shop");
    assert_eq!(headers["authorization"], "Bearer t0ken");

    let url = collector.url().replace("http://", "grpc://me:secret@");
    let sender = OtlpGrpcSender::new(&url).expect("loopback");
    assert!(!sender.destination().contains("secret"));
    Shop::new(sender).finish(1).flush();
    let headers = &collector.calls()[1].headers;
    assert_eq!(headers["authorization"], "Basic bWU6c2VjcmV0");
}

#[test]
fn secrets_go_to_this_host_only_unless_the_connection_is_encrypted() {
    let error = OtlpGrpcSender::new("http://me:secret@collector:4317").err();
    assert_eq!(error, Some(InvalidEndpoint::ExposedCredentials));
    let sender = OtlpGrpcSender::new("http://collector:4317").expect("an endpoint");
    let error = sender.bearer_token("t0ken").err();
    assert_eq!(error, Some(InvalidHeader::ExposedCredentials));
}

#[test]
fn an_endpoint_is_a_host_and_a_port() {
    for (url, destination) in [
        ("http://localhost:4317", "http://localhost:4317/"),
        (" http://localhost:4317/ ", "http://localhost:4317/"),
        ("GRPC://localhost:4317", "http://localhost:4317/"),
        ("http://[::1]:4317", "http://[::1]:4317/"),
        ("http://collector", "http://collector/"),
    ] {
        let sender = OtlpGrpcSender::new(url).expect(url);
        assert_eq!(sender.destination(), destination);
    }
    for (url, expected) in [
        ("", InvalidEndpoint::NotAUrl),
        ("localhost:4317", InvalidEndpoint::NotAUrl),
        ("grpc://", InvalidEndpoint::NotAUrl),
        ("ftp://localhost:4317", InvalidEndpoint::UnknownScheme),
        (
            "http://localhost:4317/v1/traces",
            InvalidEndpoint::NotAGrpcEndpoint,
        ),
        ("http://localhost:4317//", InvalidEndpoint::NotAGrpcEndpoint),
        (
            "http://localhost:4317?a=1",
            InvalidEndpoint::NotAGrpcEndpoint,
        ),
        ("http://localhost:4317/?", InvalidEndpoint::NotAGrpcEndpoint),
    ] {
        assert_eq!(OtlpGrpcSender::new(url).err(), Some(expected), "{url}");
        assert_eq!(GrpcSender::new(url).err(), Some(expected), "{url}");
    }
    let encrypted = GrpcSender::new("grpcs://collector:14250");
    match cfg!(feature = "tls") {
        true => assert_eq!(encrypted.unwrap().destination(), "https://collector:14250/"),
        false => assert_eq!(encrypted.err(), Some(InvalidEndpoint::TlsMissing)),
    }
}
