//! Strategies over gRPC, against a server in this process.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;
use tracehound::metrics::Counter;
use tracehound::sampler::remote::{
    FetchError, GrpcStrategyFetcher, InvalidEndpoint, RemoteSampler, Strategy, StrategyError,
    StrategyFetcher,
};
use tracehound::sampler::{
    OperationStrategies, ProbabilisticSampler, SamplingRate, TracesPerSecond,
};

use super::{quiet_tracer, until};
use crate::closed_port::closed_port;
use crate::support::strategy_server::{Answer, StrategyServer, head};

/// The messages of `sampling.proto`, with the fields that our client leaves out.
mod messages {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Parameters {
        #[prost(string, tag = "1")]
        pub(super) service_name: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Reply {
        #[prost(int32, tag = "1")]
        pub(super) strategy_type: i32,
        #[prost(message, optional, tag = "2")]
        pub(super) probabilistic: Option<Probabilistic>,
        #[prost(message, optional, tag = "3")]
        pub(super) rate_limiting: Option<RateLimiting>,
        #[prost(message, optional, tag = "4")]
        pub(super) operations: Option<Operations>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct Probabilistic {
        #[prost(double, tag = "1")]
        pub(super) rate: f64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct RateLimiting {
        #[prost(int32, tag = "1")]
        pub(super) limit: i32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Operations {
        #[prost(double, tag = "1")]
        pub(super) default_rate: f64,
        #[prost(double, tag = "2")]
        pub(super) lower_bound: f64,
        #[prost(message, repeated, tag = "3")]
        pub(super) operations: Vec<Operation>,
        #[prost(double, tag = "4")]
        pub(super) upper_bound: f64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Operation {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(message, optional, tag = "2")]
        pub(super) probabilistic: Option<Probabilistic>,
    }
}

use messages::{Operation, Operations, Parameters, Probabilistic, RateLimiting, Reply};

/// The backend's treatment of a call.
#[derive(Clone)]
enum Call {
    Reply(Reply),
    Refuse(Code, &'static str),
    /// Never answers.
    Hang,
}

/// A backend with the service `SamplingManager`, which ends when this is dropped.
struct Backend {
    address: SocketAddr,
    call: Arc<Mutex<Call>>,
    /// The path and the service of each call.
    asked: Arc<Mutex<Vec<(String, String)>>>,
    _runtime: Runtime,
}

impl Backend {
    fn start(call: Call) -> Self {
        Self::start_on(Server::builder(), call)
    }

    fn start_on(server: Server, call: Call) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = runtime.block_on(listener).expect("a port");
        let address = listener.local_addr().expect("bound");
        let call = Arc::new(Mutex::new(call));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (calls, log) = (call.clone(), asked.clone());
        let service = service_fn(move |request: http::Request<Body>| {
            let (calls, log) = (calls.clone(), log.clone());
            async move { Ok::<_, Infallible>(answer(request, &calls, &log).await) }
        });
        runtime.spawn(server.serve_with_incoming(service, TcpIncoming::from(listener)));
        Self {
            address,
            call,
            asked,
            _runtime: runtime,
        }
    }

    fn replying(reply: Reply) -> Self {
        Self::start(Call::Reply(reply))
    }

    fn call(&self, call: Call) {
        *self.call.lock().unwrap() = call;
    }

    fn fetcher(&self) -> GrpcStrategyFetcher {
        GrpcStrategyFetcher::new(&format!("grpc://{}", self.address)).expect("an endpoint")
    }

    fn fetch(&self) -> Result<Strategy, FetchError> {
        self.fetcher().fetch("shop")
    }
}

async fn answer(
    request: http::Request<Body>,
    calls: &Mutex<Call>,
    log: &Mutex<Vec<(String, String)>>,
) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    let handler = service_fn(|request: Request<Parameters>| {
        let service = request.into_inner().service_name;
        log.lock().unwrap().push((path.clone(), service));
        let call = calls.lock().unwrap().clone();
        async move {
            match call {
                Call::Reply(reply) => Ok(Response::new(reply)),
                Call::Refuse(code, text) => Err(Status::new(code, text)),
                Call::Hang => std::future::pending().await,
            }
        }
    });
    let codec = ProstCodec::<Reply, Parameters>::default();
    tonic::server::Grpc::new(codec)
        .unary(handler, request)
        .await
}

fn probabilistic(rate: f64) -> Reply {
    Reply {
        probabilistic: Some(Probabilistic { rate }),
        ..Reply::default()
    }
}

fn rate_limiting(limit: i32) -> Reply {
    Reply {
        strategy_type: 1,
        rate_limiting: Some(RateLimiting { limit }),
        ..Reply::default()
    }
}

fn operations(default_rate: f64, lower_bound: f64, listed: Vec<(&str, Option<f64>)>) -> Reply {
    let listed = listed.into_iter().map(|(name, rate)| Operation {
        name: name.to_owned(),
        probabilistic: rate.map(|rate| Probabilistic { rate }),
    });
    Reply {
        operations: Some(Operations {
            default_rate,
            lower_bound,
            operations: listed.collect(),
            upper_bound: 7.0,
        }),
        ..Reply::default()
    }
}

fn rate(rate: f64) -> SamplingRate {
    SamplingRate::new(rate).expect("a probability")
}

#[test]
fn each_kind_of_strategy_is_read() {
    let limit = |limit| TracesPerSecond::new(limit).expect("a limit");
    let both = Reply {
        probabilistic: Some(Probabilistic { rate: 1.0 }),
        ..operations(
            0.25,
            0.1,
            vec![("GET /", Some(0.5)), ("", Some(1.0)), ("x", None)],
        )
    };
    for (reply, expected) in [
        (probabilistic(0.5), Strategy::Probabilistic(rate(0.5))),
        // A field that is zero is not on the wire.
        (probabilistic(0.0), Strategy::Probabilistic(rate(0.0))),
        (rate_limiting(5), Strategy::RateLimiting(limit(5.0))),
        (rate_limiting(0), Strategy::RateLimiting(limit(0.0))),
        // The limit of Jaeger's JSON is 32767.
        (
            rate_limiting(i32::MAX),
            Strategy::RateLimiting(limit(2_147_483_647.0)),
        ),
        (
            operations(0.0, 0.0, vec![]),
            Strategy::PerOperation(OperationStrategies::new(rate(0.0), limit(0.0))),
        ),
        (
            both,
            Strategy::PerOperation(
                OperationStrategies::new(rate(0.25), limit(0.1)).operation("GET /", rate(0.5)),
            ),
        ),
    ] {
        let backend = Backend::replying(reply);
        assert_eq!(backend.fetch().expect("a strategy"), expected);
        let path = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";
        let asked = [(path.to_owned(), "shop".to_owned())];
        assert_eq!(*backend.asked.lock().unwrap(), asked);
    }
}

#[test]
fn a_reply_with_bad_numbers_or_without_a_strategy_is_invalid() {
    let is_rate = |error: &StrategyError| matches!(error, StrategyError::InvalidRate(..));
    let is_limit = |error: &StrategyError| matches!(error, StrategyError::InvalidLimit(..));
    let is_nothing = |error: &StrategyError| matches!(error, StrategyError::NoStrategy);
    let backend = Backend::replying(Reply::default());
    let check = |reply: Reply, is_expected: &dyn Fn(&StrategyError) -> bool| {
        backend.call(Call::Reply(reply.clone()));
        match backend.fetch() {
            Err(FetchError::Invalid(error)) if is_expected(&error) => {}
            other => panic!("{reply:?}: {other:?}"),
        }
    };
    check(Reply::default(), &is_nothing);
    check(
        Reply {
            strategy_type: 1,
            ..Reply::default()
        },
        &is_nothing,
    );
    for bad in [f64::NAN, f64::INFINITY, -0.5, 1.5, 1e300] {
        check(probabilistic(bad), &is_rate);
        check(operations(bad, 0.0, vec![]), &is_rate);
        check(operations(0.5, 0.0, vec![("GET /", Some(bad))]), &is_rate);
    }
    for bad in [f64::NAN, f64::INFINITY, -0.5] {
        check(operations(0.5, bad, vec![]), &is_limit);
    }
    check(rate_limiting(-1), &is_limit);
    check(rate_limiting(i32::MIN), &is_limit);
}

#[test]
fn an_error_of_the_backend_is_a_failed_fetch_that_says_why() {
    let backend = Backend::start(Call::Refuse(Code::Internal, "no\nstorage"));
    let error = backend.fetch().expect_err("refused");
    assert!(matches!(error, FetchError::Failed(_)), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("storage"), "{text}");
    assert!(!text.contains('\n'), "{text}");

    // As a port that takes spans only answers.
    backend.call(Call::Refuse(Code::Unimplemented, ""));
    let error = backend.fetch().expect_err("refused");
    assert!(matches!(error, FetchError::Failed(_)), "{error:?}");
}

#[test]
fn a_reply_that_is_too_large_fails() {
    let name = "x".repeat(Strategy::MAX_JSON_BYTES);
    let backend = Backend::replying(operations(1.0, 0.0, vec![(&name, Some(1.0))]));
    let error = backend.fetch().expect_err("too large");
    assert!(matches!(error, FetchError::Failed(_)), "{error:?}");
    backend.call(Call::Reply(operations(
        1.0,
        0.0,
        vec![(&name[1_000..], Some(1.0))],
    )));
    assert!(backend.fetch().is_ok());
}

#[test]
fn a_server_of_something_else_fails_within_the_time() {
    let http = [&head(&["Content-Length: 2"])[..], b"{}"].concat();
    // A frame with settings, and then pings or data without end.
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let data = [0, 0, 1, 0, 0, 0, 0, 0, 1, 0];
    for answer in [
        Answer::Raw(http),
        Answer::Raw(Vec::new()),
        Answer::Raw(vec![0xff; 1_000]),
        Answer::Reset(settings.to_vec()),
        Answer::HangUp,
        Answer::Hang(Vec::new()),
        Answer::Hang(settings.to_vec()),
        Answer::Drip(settings.repeat(1_000), Duration::from_millis(5)),
        Answer::Endless(settings.to_vec(), ping.repeat(100)),
        Answer::Endless(settings.to_vec(), data.repeat(100)),
        Answer::Endless(Vec::new(), vec![0; 4_096]),
    ] {
        let server = StrategyServer::start(answer.clone());
        let endpoint = format!("http://{}", server.address());
        let fetcher = GrpcStrategyFetcher::new(&endpoint).expect("an endpoint");
        let started = Instant::now();
        let error = fetcher.timeout(Duration::from_millis(500)).fetch("shop");
        let error = error.expect_err("no backend");
        assert!(
            matches!(error, FetchError::Failed(_)),
            "{answer:?}: {error:?}"
        );
        assert!(error.to_string().len() < 1_000, "{error}");
        assert!(started.elapsed() < Duration::from_secs(20), "{answer:?}");
    }
}

#[test]
fn a_port_without_a_server_fails() {
    let (_socket, address) = closed_port();
    let mut fetcher = GrpcStrategyFetcher::new(&format!("grpc://{address}")).expect("an endpoint");
    let error = fetcher.fetch("shop").expect_err("refused");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_call_that_hangs_ends_when_its_time_is_up_or_it_is_cancelled() {
    let backend = Backend::start(Call::Hang);
    let mut fetcher = backend.fetcher().timeout(Duration::from_millis(100));
    let error = fetcher.fetch("shop").expect_err("no answer");
    assert!(error.to_string().contains("100ms"), "{error}");

    let mut fetcher = backend.fetcher().timeout(Duration::from_secs(600));
    let cancel = fetcher.canceller().expect("can be cancelled");
    let waiting = thread::spawn(move || fetcher.fetch("shop"));
    until("the call", || backend.asked.lock().unwrap().len() == 2);
    cancel();
    let error = waiting.join().expect("no panic").expect_err("cancelled");
    assert!(error.to_string().contains("cancelled"), "{error}");
}

#[test]
fn a_fetch_inside_of_an_async_runtime_fails_and_does_not_panic() {
    let backend = Backend::replying(probabilistic(1.0));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let error = runtime.block_on(async { backend.fetch() });
    assert!(
        error
            .expect_err("must not wait")
            .to_string()
            .contains("async runtime")
    );
}

#[test]
#[cfg(feature = "tls")]
fn strategies_come_over_an_encrypted_connection_from_a_server_that_is_trusted() {
    use tonic::transport::{Identity, ServerTlsConfig};

    let identity = Identity::from_pem(
        include_bytes!("../support/tls/localhost.pem"),
        include_bytes!("../support/tls/localhost.key.pem"),
    );
    let server = Server::builder().tls_config(ServerTlsConfig::new().identity(identity));
    let call = Call::Reply(probabilistic(0.5));
    let backend = Backend::start_on(server.expect("they fit"), call);
    let fetcher = GrpcStrategyFetcher::new(&format!("grpcs://{}", backend.address));
    let mut fetcher = fetcher.expect("an endpoint");
    let error = fetcher
        .fetch("shop")
        .expect_err("no authority that is known vouches for it");
    assert!(matches!(error, FetchError::Failed(_)), "{error:?}");

    let root = include_bytes!("../support/tls/root.pem");
    let mut fetcher = fetcher.root_certificates(root).expect("a certificate");
    let strategy = fetcher.fetch("shop").expect("trusted");
    assert_eq!(strategy, Strategy::Probabilistic(rate(0.5)));
    let mut child = fetcher.after_fork().expect("can be made anew")();
    assert!(child.fetch("shop").is_ok());
}

#[test]
fn a_fetcher_of_a_forked_child_asks_the_same_backend() {
    let backend = Backend::replying(probabilistic(1.0));
    let make = backend.fetcher().after_fork().expect("can be made anew");
    assert!(make().fetch("shop").is_ok());
}

#[test]
fn endpoints_have_a_scheme_a_host_and_a_port() {
    for (text, described) in [
        ("grpc://jaeger:5779", "grpc://jaeger:5779"),
        (" GRPC://jaeger:5779/ ", "grpc://jaeger:5779"),
        ("http://localhost:14250", "grpc://localhost:14250"),
        ("grpc://[::1]:5779", "grpc://[::1]:5779"),
    ] {
        let fetcher = GrpcStrategyFetcher::new(text).expect(text);
        assert_eq!(fetcher.description(), described);
    }
    for text in [
        "",
        "jaeger:5779",
        "grpc://jaeger",
        "grpc://:5779",
        "grpc://jaeger:0",
        "grpc://jaeger:65536",
        "grpc://jaeger:5779/sampling",
        "grpc://jaeger:5779//",
        "grpc://jaeger:5779?x",
        "grpc://jaeger:5779#x",
        "grpc://me:secret@jaeger:5779",
        "ftp://jaeger:5779",
        "unix:///run/jaeger",
        "grpc://a b:1",
    ] {
        let error = GrpcStrategyFetcher::new(text).expect_err(text);
        assert_eq!(error, InvalidEndpoint::NotAGrpcEndpoint, "{text}");
    }
    let with_zone = GrpcStrategyFetcher::new("grpc://[fe80::7%25eth0]:5779").err();
    assert_eq!(with_zone, Some(InvalidEndpoint::Zone));
    let encrypted = GrpcStrategyFetcher::new("grpcs://jaeger:5779");
    match cfg!(feature = "tls") {
        true => assert_eq!(encrypted.expect("tls").description(), "grpcs://jaeger:5779"),
        false => assert_eq!(encrypted.expect_err("no tls"), InvalidEndpoint::TlsMissing),
    }
}

#[test]
fn a_remote_sampler_follows_a_backend_over_grpc() {
    let backend = Backend::replying(operations(0.0, 0.0, vec![("GET /", Some(1.0))]));
    let sampler =
        RemoteSampler::new(backend.fetcher()).initial(ProbabilisticSampler::new(SamplingRate::ONE));
    let tracer = quiet_tracer(sampler);
    until("the strategy", || {
        tracer.metrics().get(Counter::SamplerUpdatesOk) == 1
    });
    use tracehound::prelude::*;
    assert!(tracer.start_span("GET /").context().is_sampled());
    assert!(!tracer.start_span("GET /x").context().is_sampled());
    assert_eq!(backend.asked.lock().unwrap()[0].1, "test");
}
