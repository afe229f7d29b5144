//! The fetcher over HTTP: its requests, and how it is cancelled.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;
use tracehound::sampler::remote::HttpStrategyFetcher;

use super::*;
use crate::support::vectors::{Differences, entries};

/// Returns a fetcher, and the listener that it asks.
fn fetcher(path: &str) -> (HttpStrategyFetcher, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    (HttpStrategyFetcher::new(&url).unwrap(), listener)
}

/// Accepts one connection and returns it with the first line of the request.
fn accept(listener: &TcpListener) -> (TcpStream, String) {
    let (stream, _) = listener.accept().unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    for line in lines.map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
    }
    (stream, first)
}

fn reply(stream: &mut TcpStream, json: &str) {
    let len = json.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{json}"
    )
    .unwrap();
}

#[test]
fn the_request_is_that_of_another_client() {
    let (mut fetcher, listener) = fetcher("/sampling");
    let mut differences = Differences::explained_by(&[]);
    let entries = entries("sampler_request");
    let count = entries.len();
    for entry in entries {
        let service = entry.input["service"].as_str().unwrap().to_owned();
        let ours = thread::scope(|scope| {
            let fetched = scope.spawn(|| fetcher.fetch(&service));
            let (mut stream, line) = accept(&listener);
            reply(&mut stream, &probabilistic(0.5));
            assert_eq!(
                fetched.join().unwrap().unwrap().to_string(),
                "probabilistic 0.5"
            );
            line
        });
        let is_ours = |(_, theirs): &(String, Value)| theirs["request_line"] == *ours;
        differences.compare(&entry.name, entry.results.iter().any(is_ours), &ours);
    }
    differences.check(count);
}

#[test]
fn a_program_follows_its_agent_from_the_first_moment() {
    let (fetcher, listener) = fetcher("/sampling?zone=eu");
    let sampler = RemoteSampler::new(fetcher).refresh_interval(Duration::from_millis(1));
    let state = sampler.state();
    let tracer = JaegerTracer::builder("shop")
        .sampler(sampler)
        .diagnostics(Diagnostics::silent())
        .reporter(NullReporter::new())
        .build()
        .unwrap();
    for json in [
        probabilistic(0.25),
        limiting(5.0),
        by_operation(1.0, &[("a", 0.5)]),
    ] {
        let (mut stream, line) = accept(&listener);
        assert_eq!(line, "GET /sampling?zone=eu&service=shop HTTP/1.1");
        reply(&mut stream, &json);
        let expected = Strategy::from_json(json.as_bytes()).unwrap();
        until("the strategy counts", || {
            state.strategy().as_ref() == Some(&expected)
        });
    }
    let (mut stream, _) = accept(&listener);
    stream
        .write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n")
        .unwrap();
    until("the failure is noticed", || state.error().is_some());
    assert_eq!(
        state.error().unwrap(),
        "the server answered with status 500"
    );
    drop(tracer);
}

#[test]
fn close_ends_a_request_in_flight() {
    let (fetcher, listener) = fetcher("/sampling");
    let tracer = JaegerTracer::builder("shop")
        .sampler(RemoteSampler::new(fetcher))
        .diagnostics(Diagnostics::silent())
        .reporter(NullReporter::new())
        .build()
        .unwrap();
    let (mut stream, _) = accept(&listener);
    let before = Instant::now();
    tracer.close(LONG);
    // The connection ends, long before the deadline of the request, which is ten seconds.
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert!(
        before.elapsed() < Duration::from_secs(8),
        "{:?}",
        before.elapsed()
    );
    assert_eq!(tracer.metrics().get(Counter::SamplerQueriesErr), 0);
}

#[test]
fn a_boxed_fetcher_is_the_fetcher() {
    let (fetcher, listener) = fetcher("/sampling?key=secret");
    let mut boxed: Box<dyn StrategyFetcher> = Box::new(fetcher.clone());
    let address = listener.local_addr().unwrap();
    let state = format!("{:?}", RemoteSampler::new(fetcher));
    for description in [boxed.description(), state] {
        assert!(
            description.contains(&format!("http://{address}/sampling")),
            "{description}"
        );
        assert!(!description.contains("secret"), "{description}");
    }
    let remade = boxed.after_fork().expect("it can be made again");
    assert_eq!(remade().description(), boxed.description());
    let cancel = boxed.canceller().expect("it can be cancelled");
    cancel();
    let error = boxed.fetch("shop").expect_err("it was cancelled");
    assert!(matches!(error, FetchError::Failed(_)), "{error}");
}
