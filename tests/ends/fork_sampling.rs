//! The remote sampler in a forked child.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::ConstSampler;
use tracehound::sampler::remote::{
    FetchError, HttpStrategyFetcher, RemoteSampler, Strategy, StrategyFetcher,
};

use crate::process::in_child;
use crate::support::{LONG, until};

/// An agent whose strategy the scene sets. A thread of the parent serves it all the time.
struct Agent {
    address: SocketAddr,
    rate: Arc<Mutex<f64>>,
}

impl Agent {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let address = listener.local_addr().expect("bound");
        let rate = Arc::new(Mutex::new(1.0));
        let served = rate.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let lines = BufReader::new(stream.try_clone().expect("a socket")).lines();
                lines.map_while(Result::ok).find(String::is_empty);
                let rate = *served.lock().expect("not poisoned");
                let json = format!(r#"{{"probabilisticSampling":{{"samplingRate":{rate}}}}}"#);
                let len = json.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{json}"
                );
            }
        });
        Self { address, rate }
    }
}

fn tracer(sampler: RemoteSampler, diagnostics: Diagnostics) -> JaegerTracer {
    // Nothing is kept by chance before there is a strategy.
    let sampler = sampler.initial(ConstSampler::new(false));
    JaegerTracer::builder("shop")
        .sampler(sampler.refresh_interval(Duration::from_millis(5)))
        .diagnostics(diagnostics)
        .reporter(InMemoryReporter::new())
        .build()
        .expect("named")
}

fn is_kept(tracer: &JaegerTracer) -> bool {
    tracer.start_span("request").context().is_sampled()
}

pub(super) fn a_forked_child_asks_for_its_sampling_strategy_by_itself() {
    let agent = Agent::start();
    let url = format!("http://{}/sampling", agent.address);
    let sampler = RemoteSampler::new(HttpStrategyFetcher::new(&url).expect("a URL"));
    let tracer = tracer(sampler, Diagnostics::silent());
    until("the parent follows the agent", || is_kept(&tracer));
    in_child(|| {
        assert_eq!(tracer.metrics().get(Counter::SamplerQueriesOk), 0);
        assert!(is_kept(&tracer), "as the parent did");
        until("the child asks", || {
            tracer.metrics().get(Counter::SamplerQueriesOk) > 0
        });
        in_child(|| {
            assert!(is_kept(&tracer));
            until("the child of the child asks", || {
                tracer.metrics().get(Counter::SamplerQueriesOk) > 0
            });
        });
        tracer.close(LONG);
    });
    *agent.rate.lock().expect("not poisoned") = 0.0;
    until("the parent goes on", || !is_kept(&tracer));
    in_child(|| {
        assert!(!is_kept(&tracer));
        assert_eq!(tracer.metrics().get(Counter::SamplerUpdatesOk), 0);
    });
    tracer.close(LONG);
}

pub(super) fn a_forked_child_keeps_the_strategy_of_a_fetcher_that_cannot_be_made_again() {
    struct Once;
    impl StrategyFetcher for Once {
        fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
            let json = br#"{"probabilisticSampling":{"samplingRate":1}}"#;
            Ok(Strategy::from_json(json)?)
        }
    }
    let (say, lines) = mpsc::channel();
    let diagnostics = Diagnostics::with_handler(move |line| {
        let _ = say.send(line.to_owned());
    });
    let tracer = tracer(RemoteSampler::new(Once), diagnostics);
    until("the parent has a strategy", || is_kept(&tracer));
    in_child(|| {
        for _ in 0..10 {
            assert!(is_kept(&tracer));
        }
        let is_about = |line: &String| line.contains("cannot be made again");
        assert_eq!(lines.try_iter().filter(is_about).count(), 1);
        assert_eq!(tracer.metrics().get(Counter::SamplerQueriesOk), 0);
    });
    tracer.close(LONG);
}
