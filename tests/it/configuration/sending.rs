//! The ways of spans: which variable decides, what a sender takes from the others, and that spans arrive there.

use tracehound::config::{Config, ConfigFile, Source};
use tracehound::prelude::*;
use tracehound::reporter::NullReporter;
use tracehound::sampler::ConstSampler;

use super::building::{SOON, built};
use super::tables::rows;
use super::{lookup, names, read, refused, setting};
use crate::support::collector_server::{Act, CollectorServer};
use crate::support::grpc_collector::{self, GrpcCollector};

/// Variables that are set together, the way that wins, its source, and the variables that lose.
const WINNERS: &str = r#"
JAEGER_ENDPOINT=http://a JAEGER_AGENT_HOST=b OTEL_TRACES_EXPORTER=otlp | collector | JAEGER_ENDPOINT | OTEL_TRACES_EXPORTER
JAEGER_AGENT_HOST=b OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_ENDPOINT=http://c | agent | JAEGER_AGENT_HOST | OTEL_TRACES_EXPORTER OTEL_EXPORTER_OTLP_ENDPOINT
JAEGER_AGENT_PORT=7 OTEL_EXPORTER_OTLP_ENDPOINT=http://c | agent | JAEGER_AGENT_PORT | OTEL_EXPORTER_OTLP_ENDPOINT
OTEL_TRACES_EXPORTER=zipkin,otlp OTEL_EXPORTER_OTLP_ENDPOINT=http://c | zipkin,otlp | OTEL_TRACES_EXPORTER | -
OTEL_TRACES_EXPORTER=jaeger OTEL_EXPORTER_OTLP_ENDPOINT=http://c | agent | OTEL_TRACES_EXPORTER | -
OTEL_TRACES_EXPORTER=jaeger OTEL_EXPORTER_JAEGER_ENDPOINT=http://c | collector | OTEL_TRACES_EXPORTER | -
OTEL_TRACES_EXPORTER=jaeger OTEL_EXPORTER_JAEGER_PROTOCOL=udp/thrift.binary OTEL_EXPORTER_JAEGER_ENDPOINT=http://c | agent | OTEL_TRACES_EXPORTER | -
OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://c | none | OTEL_TRACES_EXPORTER | -
OTEL_EXPORTER_OTLP_ENDPOINT=http://c OTEL_EXPORTER_JAEGER_ENDPOINT=http://d | otlp | OTEL_EXPORTER_OTLP_ENDPOINT | OTEL_EXPORTER_JAEGER_ENDPOINT
OTEL_EXPORTER_JAEGER_ENDPOINT=http://d OTEL_EXPORTER_ZIPKIN_ENDPOINT=http://e | collector | OTEL_EXPORTER_JAEGER_ENDPOINT | OTEL_EXPORTER_ZIPKIN_ENDPOINT
OTEL_EXPORTER_JAEGER_AGENT_HOST=f OTEL_EXPORTER_ZIPKIN_ENDPOINT=http://e | agent | OTEL_EXPORTER_JAEGER_AGENT_HOST | OTEL_EXPORTER_ZIPKIN_ENDPOINT
JAEGER_AGENT_HOST=b OTEL_TRACES_EXPORTER=Jaeger OTEL_EXPORTER_JAEGER_ENDPOINT=http://d | agent | JAEGER_AGENT_HOST | OTEL_EXPORTER_JAEGER_ENDPOINT
"#;

fn pairs(text: &str) -> Vec<(&str, &str)> {
    let pairs = text.split(' ');
    pairs.map(|pair| pair.split_once('=').unwrap()).collect()
}

#[test]
fn the_first_rule_that_holds_says_where_spans_go() {
    for [variables, ways, source, lost] in rows(&[WINNERS]) {
        let explanation = read(&pairs(variables)).explain();
        let found = setting(&explanation, "sender");
        assert_eq!(
            found,
            (ways.to_owned(), Source::Variable(source)),
            "{variables}"
        );
        let lost: Vec<_> = lost.split(' ').filter(|name| *name != "-").collect();
        assert_eq!(names(explanation.passed_over()), lost, "{variables}");
        let expected = format!("has no effect: {source} is set and wins");
        for problem in explanation.passed_over() {
            assert!(problem.to_string().ends_with(&expected), "{problem}");
        }
    }
}

/// Variables, and the setting and value that result. The way is in the first variable.
const SETTINGS: &str = r#"
JAEGER_ENDPOINT=http://localhost JAEGER_USER=me JAEGER_PASSWORD=canary | collector_user | set
JAEGER_ENDPOINT=http://localhost JAEGER_USER=me JAEGER_PASSWORD=canary | collector_password | set
JAEGER_ENDPOINT=http://localhost JAEGER_AUTH_TOKEN=canary | collector_token | set
JAEGER_ENDPOINT=http://a JAEGER_REPORTER_TIMEOUT=2s OTEL_EXPORTER_JAEGER_TIMEOUT=1 | collector_timeout | 2s
JAEGER_ENDPOINT=http://a OTEL_EXPORTER_JAEGER_TIMEOUT=1500 OTEL_BSP_EXPORT_TIMEOUT=1 | collector_timeout | 1.5s
JAEGER_ENDPOINT=http://a OTEL_BSP_EXPORT_TIMEOUT=30000 | collector_timeout | 30s
JAEGER_ENDPOINT=http://a OTEL_EXPORTER_JAEGER_ENDPOINT=http://b | collector_endpoint | "http://a"
OTEL_EXPORTER_JAEGER_ENDPOINT=http://localhost OTEL_EXPORTER_JAEGER_USER=me OTEL_EXPORTER_JAEGER_PASSWORD=canary | collector_password | set
OTEL_TRACES_EXPORTER=otlp | otlp_endpoint | "http://localhost:4318/v1/traces"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://b | otlp_endpoint | "http://b/"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf | otlp_protocol | http/protobuf
OTEL_TRACES_EXPORTER=jaeger OTEL_EXPORTER_JAEGER_PROTOCOL=grpc | collector_endpoint | "http://localhost:14250"
OTEL_TRACES_EXPORTER=otlp OTEL_EXPORTER_OTLP_PROTOCOL=grpc | otlp_endpoint | "http://localhost:4317"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a:4317/ OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=GRPC | otlp_endpoint | "http://a:4317/"
OTEL_EXPORTER_OTLP_ENDPOINT=a:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc | otlp_endpoint | "https://a:4317"
OTEL_EXPORTER_OTLP_ENDPOINT=a:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc OTEL_EXPORTER_OTLP_INSECURE=true | otlp_endpoint | "http://a:4317"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_TRACES_INSECURE=True OTEL_EXPORTER_OTLP_INSECURE=false | otlp_insecure | true
JAEGER_ENDPOINT=grpc://localhost:14250 JAEGER_AUTH_TOKEN=canary | collector_protocol | grpc
OTEL_EXPORTER_JAEGER_ENDPOINT=http://a:1 OTEL_EXPORTER_JAEGER_PROTOCOL=grpc | collector_protocol | grpc
OTEL_EXPORTER_JAEGER_ENDPOINT=http://a:14250 OTEL_EXPORTER_JAEGER_PROTOCOL=http/thrift.binary | collector_protocol | http/thrift.binary
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_HEADERS=X-Tenant=a%2Cb,b=c;p=1, | otlp_headers | "X-Tenant,b"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_HEADERS=a=canary OTEL_EXPORTER_OTLP_TRACES_HEADERS=b=canary | otlp_headers | "b"
OTEL_EXPORTER_OTLP_ENDPOINT=https://a OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20canary | otlp_headers | "authorization"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_TIMEOUT=1 OTEL_EXPORTER_OTLP_TRACES_TIMEOUT=2000 | otlp_timeout | 2s
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_TIMEOUT=3000 OTEL_BSP_EXPORT_TIMEOUT=1 | otlp_timeout | 3s
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_COMPRESSION=gzip | otlp_compression | gzip
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_COMPRESSION=gzip OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=None | otlp_compression | none
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_CERTIFICATE=/ca.pem | otlp_certificate | "/ca.pem"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=/c.pem OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE=/d.pem | otlp_client_certificate | "/d.pem"
OTEL_EXPORTER_OTLP_ENDPOINT=http://a OTEL_EXPORTER_OTLP_CLIENT_KEY=/k.pem | otlp_client_key | "/k.pem"
OTEL_TRACES_EXPORTER=zipkin | zipkin_endpoint | "http://localhost:9411/api/v2/spans"
OTEL_EXPORTER_ZIPKIN_ENDPOINT=http://a OTEL_EXPORTER_ZIPKIN_TIMEOUT=2000 | zipkin_timeout | 2s
"#;

#[test]
fn a_sender_takes_its_settings_from_its_variables_and_shows_no_secret() {
    for [variables, name, value] in rows(&[SETTINGS]) {
        let config = read(&pairs(variables));
        let explanation = config.explain();
        assert_eq!(setting(&explanation, name).0, value, "{variables}");
        assert_eq!(explanation.passed_over(), [], "{variables}");
        let shown = format!("{config:?} {explanation} {explanation:?}");
        assert!(!shown.contains("canary"), "{shown}");
    }
}

/// Variables, and how the error begins.
const BAD_CREDENTIALS: &str = r#"
JAEGER_ENDPOINT=http://localhost JAEGER_USER=me | JAEGER_USER: user and password are set together
JAEGER_ENDPOINT=http://localhost JAEGER_PASSWORD=canary | JAEGER_PASSWORD: user and password are set together
JAEGER_ENDPOINT=http://a JAEGER_USER=canary JAEGER_PASSWORD=canary | JAEGER_ENDPOINT: expected https
JAEGER_ENDPOINT=http://a JAEGER_AUTH_TOKEN=canary | JAEGER_ENDPOINT: expected https
JAEGER_ENDPOINT=http://canary:canary@a | JAEGER_ENDPOINT: expected https
JAEGER_ENDPOINT=grpc://a:14250 JAEGER_AUTH_TOKEN=canary | JAEGER_ENDPOINT: expected https
"#;

#[test]
fn credentials_that_cannot_be_used_are_an_error() {
    for [variables, expected] in rows(&[BAD_CREDENTIALS]) {
        let pairs = pairs(variables);
        let error = refused(&pairs).to_string();
        assert!(error.starts_with(expected), "{variables}: {error}");
        assert!(!error.contains("canary"), "{error}");
        let lossy = Config::from_lookup_lossy(lookup(&pairs));
        let shown = lossy.explain();
        assert_eq!(shown.passed_over().len(), 1, "{shown}");
        assert!(!shown.to_string().contains("canary"), "{shown}");
        let tracer = lossy
            .service_name("shop")
            .sampler(ConstSampler::new(false))
            .build();
        assert!(tracer.is_ok(), "{variables}: {tracer:?}");
    }
}

#[test]
fn a_token_that_is_no_header_is_refused_and_not_shown() {
    for token in ["canary\r\nx-forged: 1", "canary\0"] {
        let pairs = [
            ("JAEGER_ENDPOINT", "http://localhost"),
            ("JAEGER_AUTH_TOKEN", token),
        ];
        let error = refused(&pairs).to_string();
        assert_eq!(error, "JAEGER_AUTH_TOKEN: expected a token of one line");
    }
}

#[test]
fn credentials_without_a_collector_are_passed_over_with_a_warning() {
    let explanation = read(&[("JAEGER_USER", "canary"), ("JAEGER_AUTH_TOKEN", "canary")]).explain();
    assert_eq!(
        names(explanation.passed_over()),
        ["JAEGER_USER", "JAEGER_AUTH_TOKEN"]
    );
    assert!(!explanation.to_string().contains("canary"), "{explanation}");
}

#[test]
fn a_header_that_http_would_show_is_passed_over_and_the_others_are_sent() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1,authorization=canary,b=2"),
    ];
    let explanation = read(&variables).explain();
    assert_eq!(setting(&explanation, "otlp_headers").0, r#""a,b""#);
    let [problem] = explanation.passed_over() else {
        panic!("{explanation}");
    };
    let expected = "OTEL_EXPORTER_OTLP_HEADERS: item 2: expected an endpoint of https";
    assert!(problem.to_string().starts_with(expected), "{problem}");
}

/// Reports a span with these variables, and returns the line at the start. `URL` stands for the server's.
fn report(url: &str, variables: &[(&str, &str)]) -> String {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, text)| (*name, text.replace("URL", url)))
        .collect();
    let lookup = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.clone())
    };
    let config = Config::from_lookup(lookup).unwrap().service_name("shop");
    let (tracer, lines) = built(config.sampler(ConstSampler::new(true)));
    tracer.start_span("checkout").finish();
    let report = tracer.flush(SOON);
    assert_eq!(report.sent, 1, "{report} {:?}", lines.lock().unwrap());
    lines.lock().unwrap()[0].clone()
}

#[test]
fn a_collector_and_a_receiver_of_otlp_are_sent_to_over_grpc() {
    let collector = GrpcCollector::start(grpc_collector::Act::Accept);
    let address = collector.address.to_string();
    let endpoint = ("JAEGER_ENDPOINT", "grpc://URL");
    report(&address, &[endpoint, ("JAEGER_AUTH_TOKEN", "t0ken")]);
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "URL"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_INSECURE", "true"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken"),
    ];
    report(&address, &variables);
    let calls = collector.calls();
    let paths: Vec<_> = calls.iter().map(|call| call.path.as_str()).collect();
    let expected = [
        "/jaeger.api_v2.CollectorService/PostSpans",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    ];
    assert_eq!(paths, expected);
    for call in calls {
        assert_eq!(
            call.headers["authorization"], "Bearer t0ken",
            "{}",
            call.path
        );
    }
}

#[test]
fn a_collector_of_variables_gets_thrift_with_the_credentials() {
    let server = CollectorServer::start(Act::status(202));
    let line = report(
        &server.url(""),
        &[
            ("JAEGER_ENDPOINT", "URL/api/traces"),
            ("JAEGER_USER", "me"),
            ("JAEGER_PASSWORD", "secret"),
        ],
    );
    assert!(
        line.ends_with(&format!("spans go to {}", server.url("/api/traces"))),
        "{line}"
    );
    let received = server.received();
    assert!(
        received[0].line.starts_with("POST /api/traces"),
        "{:?}",
        received[0].line
    );
    assert_eq!(
        received[0].header("content-type"),
        Some("application/x-thrift")
    );
    assert_eq!(
        received[0].header("authorization"),
        Some("Basic bWU6c2VjcmV0")
    );
}

#[test]
fn a_receiver_of_otlp_gets_the_headers_and_the_compression_of_variables() {
    let server = CollectorServer::start(Act::status(200));
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "URL"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=Bearer%20t0ken,x-tenant=shop",
        ),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
    ];
    report(&server.url(""), &variables);
    let received = server.received();
    assert!(
        received[0].line.starts_with("POST /v1/traces"),
        "{:?}",
        received[0].line
    );
    assert_eq!(
        received[0].header("content-type"),
        Some("application/x-protobuf")
    );
    assert_eq!(received[0].header("content-encoding"), Some("gzip"));
    assert_eq!(received[0].header("authorization"), Some("Bearer t0ken"));
    assert_eq!(received[0].header("x-tenant"), Some("shop"));
}

#[test]
fn zipkin_gets_json() {
    let server = CollectorServer::start(Act::status(202));
    report(
        &server.url(""),
        &[("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "URL/api/v2/spans")],
    );
    let received = server.received();
    assert!(
        received[0].line.starts_with("POST /api/v2/spans"),
        "{:?}",
        received[0].line
    );
    assert!(
        received[0].body.starts_with(b"[{"),
        "{:?}",
        received[0].body
    );
}

#[test]
fn several_exporters_each_get_every_span() {
    let server = CollectorServer::start(Act::status(202));
    let variables = [
        ("OTEL_TRACES_EXPORTER", "otlp,zipkin,console"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "URL"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "URL/z"),
    ];
    let line = report(&server.url(""), &variables);
    let url = server.url("");
    let expected = format!("spans go to {url}/v1/traces and {url}/z and the log");
    assert!(line.ends_with(&expected), "{line}");
    let mut paths: Vec<_> = server.received().iter().map(|it| it.line.clone()).collect();
    paths.sort();
    assert_eq!(paths.len(), 2, "{paths:?}");
    assert!(
        paths[0].starts_with("POST /v1/traces") && paths[1].starts_with("POST /z"),
        "{paths:?}"
    );
}

#[test]
fn spans_go_nowhere_if_there_is_no_exporter() {
    let config = read(&[("OTEL_TRACES_EXPORTER", "none")]);
    let (tracer, lines) = built(config.service_name("shop").sampler(ConstSampler::new(true)));
    tracer.start_span("checkout").finish();
    tracer.flush(SOON);
    let expected = "spans go to nowhere (OTEL_TRACES_EXPORTER)";
    assert!(
        lines.lock().unwrap()[0].ends_with(expected),
        "{:?}",
        lines.lock().unwrap()
    );
}

#[test]
fn a_file_of_certificates_that_cannot_be_read_is_passed_over_with_a_warning() {
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://localhost:1"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "Cargo.toml"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "Cargo.toml"),
    ];
    let (_tracer, lines) = built(
        read(&variables)
            .service_name("shop")
            .sampler(ConstSampler::new(true)),
    );
    let lines = lines.lock().unwrap();
    let begins = [
        "passed over: OTEL_EXPORTER_OTLP_CERTIFICATE: ",
        "passed over: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: expected certificates in PEM",
        "service \"shop\" is traced",
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn a_sender_or_a_reporter_of_the_code_wins_over_variables_and_the_later_call_counts() {
    let server = CollectorServer::start(Act::status(202));
    let sender = tracehound::reporter::sender::HttpSender::new(&server.url("")).unwrap();
    let variables = [("JAEGER_ENDPOINT", "http://localhost:1")];
    let config = read(&variables)
        .reporter(NullReporter::new())
        .sender(sender);
    let explanation = config.explain();
    assert_eq!(
        setting(&explanation, "sender"),
        ("HttpSender".to_owned(), Source::Code)
    );
    assert!(explanation.get("reporter").is_none() && explanation.get("collector_user").is_none());
    let (tracer, lines) = built(config.service_name("shop").sampler(ConstSampler::new(true)));
    tracer.start_span("checkout").finish();
    assert_eq!(tracer.flush(SOON).sent, 1);
    let lines = lines.lock().unwrap();
    assert_eq!(
        lines[0],
        "passed over: JAEGER_ENDPOINT: has no effect: the code says where spans go"
    );
    assert!(lines[1].ends_with(&server.url("/api/traces")));
    assert_eq!(server.received().len(), 1);
}

const FILE: &str = r#"
reporter:
  collectorEndpoint: http://localhost:14268/api/traces
  user: me
  password: canary
  http_headers: { x-tenant: shop }
  timeout: 2s
"#;

#[test]
fn a_file_names_a_collector_and_variables_win_over_it() {
    let file: ConfigFile = serde_saphyr::from_str(FILE).unwrap();
    let read = |file, variables| Config::from_lookup_over(file, lookup(variables)).unwrap();
    let explanation = read(file.clone(), &[]).explain();
    for [name, value, source] in rows(&[r#"
sender | collector | file: reporter.endpoint
collector_endpoint | "http://localhost:14268/api/traces" | file: reporter.endpoint
collector_user | set | file: reporter.user
collector_timeout | 2s | file: reporter.timeout
"#])
    {
        let (found, found_source) = setting(&explanation, name);
        assert_eq!(
            (found.as_str(), found_source.to_string().as_str()),
            (value, source)
        );
    }
    for (variable, text, way) in [
        ("JAEGER_AGENT_HOST", "b", "agent"),
        ("OTEL_EXPORTER_JAEGER_AGENT_PORT", "7", "agent"),
        ("OTEL_TRACES_EXPORTER", "none", "none"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c", "otlp"),
    ] {
        let variables = [(variable, text)];
        let config = Config::from_lookup_over(file.clone(), lookup(&variables)).unwrap();
        let explanation = config.explain();
        let expected = (way.to_owned(), Source::Variable(variable));
        assert_eq!(setting(&explanation, "sender"), expected);
    }
    let exposed = FILE.replace("localhost", "collector");
    let exposed: ConfigFile = serde_saphyr::from_str(&exposed).unwrap();
    let error = Config::from_lookup_over(exposed, lookup(&[]))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("reporter.endpoint: expected https"),
        "{error}"
    );
    assert!(!error.contains("canary"), "{error}");
}
