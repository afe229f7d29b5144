//! The strategy file of the embedded agent.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tracehound::JaegerTracer;
use tracehound::dev::DevServer;
use tracehound::diagnostics::Diagnostics;
use tracehound::model::TagRef;
use tracehound::prelude::*;
use tracehound::reporter::RemoteReporter;
use tracehound::reporter::sender::UdpSender;
use tracehound::sampler::remote::{HttpStrategyFetcher, RemoteSampler};

use super::{PATIENCE, get, quiet};
use crate::support::until;

/// A file of strategies in a folder of its own.
struct Strategies {
    folder: PathBuf,
}

impl Strategies {
    fn new(name: &str, strategies: &Value) -> Self {
        let folder = format!("tracehound-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let strategies_file = Self { folder };
        strategies_file.write(strategies);
        strategies_file
    }

    fn path(&self) -> PathBuf {
        self.folder.join("strategies.json")
    }

    /// Replaces the file at once, so that no reader finds half of it.
    fn write(&self, strategies: &Value) {
        let new = self.folder.join("new");
        fs::write(&new, strategies.to_string()).unwrap();
        fs::rename(&new, self.path()).unwrap();
    }
}

impl Drop for Strategies {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_service_is_answered_as_the_file_says_now() {
    let file = Strategies::new(
        "answers",
        &json!({
            "default_strategy": {"type": "probabilistic", "param": 0.1},
            "service_strategies": [
                {"service": "a b", "type": "ratelimiting", "param": 3},
                {"service": "shop", "type": "probabilistic", "param": 0.5, "operation_strategies": [
                    {"operation": "GET /", "type": "probabilistic", "param": 1},
                ]},
            ],
        }),
    );
    let lines = Arc::new(Mutex::new(Vec::new()));
    let options = quiet()
        .strategies_file(file.path())
        .diagnostics(Diagnostics::with_handler({
            let lines = lines.clone();
            move |line| lines.lock().unwrap().push(line.to_owned())
        }));
    let server = DevServer::start(options).unwrap();
    let ask = |service: &str| {
        let mut answers = Vec::new();
        for (address, path) in [
            (server.sampling_address(), "/sampling"),
            (server.sampling_address(), "/"),
            (server.sampling_address(), "/api/sampling"),
            (server.collector_address(), "/api/sampling"),
        ] {
            let answer = get(address, &format!("{path}?service={service}"));
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.head.contains("content-type: application/json"));
            answers.push(answer.json());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        answers.remove(0)
    };
    let probability = |rate: f64| json!({"samplingRate": rate});
    assert_eq!(
        ask("a%20b"),
        json!({"strategyType": "RATE_LIMITING", "rateLimitingSampling": {"maxTracesPerSecond": 3}})
    );
    assert_eq!(
        ask("other"),
        json!({"strategyType": "PROBABILISTIC", "probabilisticSampling": probability(0.1)})
    );
    assert_eq!(
        ask("shop"),
        json!({
            "strategyType": "PROBABILISTIC",
            "probabilisticSampling": probability(0.5),
            "operationSampling": {
                "defaultSamplingProbability": 0.5,
                "defaultLowerBoundTracesPerSecond": 0,
                "perOperationStrategies": [
                    {"operation": "GET /", "probabilisticSampling": probability(1.0)},
                ],
                "defaultUpperBoundTracesPerSecond": 0,
            },
        })
    );

    file.write(&json!({"default_strategy": {"type": "probabilistic", "param": 0.2}}));
    for service in ["shop", "other"] {
        let answer = ask(service);
        assert_eq!(
            answer["probabilisticSampling"],
            probability(0.2),
            "{answer}"
        );
        assert_eq!(answer["operationSampling"], Value::Null);
    }
    file.write(&json!({"default_strategy": {"type": "probabilistic", "param": 2}}));
    assert_eq!(ask("shop")["probabilisticSampling"], probability(0.2));
    let lines = lines.lock().unwrap();
    let [two, none, broken] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert!(
        two.contains("for 2 services and a default, are in effect"),
        "{two}"
    );
    assert!(
        none.contains("for 0 services and a default, are in effect"),
        "{none}"
    );
    assert!(
        broken.ends_with(
            "the last ones stay: default_strategy: expected a probability from 0 to 1, found 2"
        ),
        "{broken}"
    );
}

#[test]
fn an_agent_with_strategies_tells_others_where_to_ask() {
    let file = Strategies::new("identity", &json!({}));
    let server = DevServer::start(quiet().strategies_file(file.path())).unwrap();
    let identity = get(server.query_address(), "/api/identity").json();
    assert_eq!(identity["sampling"], json!(server.sampling_address()));
}

#[test]
fn a_tracer_of_the_agent_follows_the_file() {
    let file = Strategies::new(
        "follows",
        &json!({"default_strategy": {"type": "probabilistic", "param": 0}}),
    );
    let server = DevServer::start(quiet().strategies_file(file.path())).unwrap();
    let shop = server.tracer("shop").unwrap();
    // From the first trace on, before the tracer has asked.
    assert!(!is_kept(&shop, "pay"));

    file.write(&json!({"service_strategies": [
        {"service": "shop", "type": "probabilistic", "param": 0, "operation_strategies": [
            {"operation": "pay", "type": "probabilistic", "param": 1},
        ]},
    ]}));
    until("the tracer to follow the file", || is_kept(&shop, "pay"));
    assert!(!is_kept(&shop, "browse"));
    shop.flush(PATIENCE);
    let spans = server.traces().remove(0).spans;
    assert_eq!(spans[0].span.operation_name, "pay");
    assert!(matches!(
        spans[0].span.tag("sampler.type"),
        Some(TagRef::String("probabilistic"))
    ));
    assert!(matches!(
        spans[0].span.tag("sampler.param"),
        Some(TagRef::Double(1.0))
    ));

    file.write(&json!({"default_strategy": {"type": "probabilistic", "param": 0}}));
    until("the tracer to follow the file", || !is_kept(&shop, "pay"));
}

#[test]
fn only_kept_roots_are_known_to_be_open() {
    let file = Strategies::new(
        "open",
        &json!({"default_strategy": {"type": "probabilistic", "param": 0, "operation_strategies": [
            {"operation": "pay", "type": "probabilistic", "param": 1},
        ]}}),
    );
    let server = DevServer::start(quiet().strategies_file(file.path())).unwrap();
    let shop = server.tracer("shop").unwrap();
    let (browse, pay) = (shop.start_span("browse"), shop.start_span("pay"));
    for root in [&browse, &pay] {
        shop.build_span("step").child_of(root).start().finish();
    }
    shop.flush(PATIENCE);
    let traces = server.traces();
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].open.len(), 1);
    assert_eq!(&*traces[0].open[0].operation_name, "pay");
}

fn is_kept(tracer: &JaegerTracer, operation: &'static str) -> bool {
    tracer.start_span(operation).context().is_sampled()
}

#[test]
fn clients_are_told_probabilities_that_follow_their_traces() {
    let options = quiet().adaptive_sampling(1.0, Duration::from_millis(20));
    let server = DevServer::start(options).unwrap();
    let url = format!("http://{}/sampling", server.sampling_address());
    let sampler = RemoteSampler::new(HttpStrategyFetcher::new(&url).unwrap());
    let shop = JaegerTracer::builder("shop")
        .sampler(sampler.refresh_interval(Duration::from_millis(50)))
        .reporter(RemoteReporter::new(UdpSender::new(server.agent_address())))
        .build()
        .unwrap();
    let probability = || {
        let path = "/sampling?service=shop";
        let answer = get(server.sampling_address(), path).json();
        let operations = answer["operationSampling"]["perOperationStrategies"].clone();
        let mut operations = operations.as_array().unwrap().clone().into_iter();
        let busy = operations.find(|operation| operation["operation"] == "busy");
        busy.and_then(|busy| busy["probabilisticSampling"]["samplingRate"].as_f64())
    };
    assert_eq!(probability(), None, "it is not known yet");
    until("the probability to fall, and the client to follow", || {
        let kept = (0..200).filter(|_| is_kept(&shop, "busy")).count();
        shop.flush(PATIENCE);
        kept < 150 && probability().is_some_and(|probability| probability < 0.5)
    });
}
