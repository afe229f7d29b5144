//! The replies that are legal, and those that are not.

use tracehound::metrics::Counter;
use tracehound::sampler::remote::{Strategy, StrategyError};
use tracehound::sampler::{OperationStrategies, SamplingRate, TracesPerSecond};

use super::{BY_OPERATION, Fleet};
use crate::support::strategy_server::Answer;

/// Returns bad replies, and what each is.
fn malformed() -> Vec<(String, Vec<u8>)> {
    let mut bad: Vec<(String, Vec<u8>)> = Vec::new();
    let mut push = |what: &str, reply: &[u8]| bad.push((what.to_owned(), reply.to_vec()));
    for reply in [
        "",
        " ",
        "x",
        "null",
        "true",
        "1",
        "[]",
        "{}",
        "\"PROBABILISTIC\"",
        "{",
        "}",
        "[{}]",
        "<html><body>502 Bad Gateway</body></html>",
        // Errors of servers as a document.
        r#"{"message":"service must be provided once"}"#,
        r#"{"strategyType":"PROBABILISTIC"}"#,
        r#"{"strategyType":"RATE_LIMITING"}"#,
        r#"{"strategyType":0,"probabilisticSampling":null,"rateLimitingSampling":null,"operationSampling":null}"#,
        // Restrictions of baggage, and credits.
        r#"[{"baggageKey":"user","maxValueLength":64}]"#,
        r#"{"balances":[{"operation":"a","balance":2.0}]}"#,
        // Cut, doubled, followed by something else.
        r#"{"probabilisticSampling":{"samplingRate":0.5}"#,
        r#"{"probabilisticSampling":{"samplingRate":0.5}}{}"#,
        r#"{"probabilisticSampling":{"samplingRate":0.5}},"#,
        "\u{feff}{\"probabilisticSampling\":{\"samplingRate\":0.5}}",
        r#"{"probabilisticSampling":{"samplingRate":.5}}"#,
        r#"{"probabilisticSampling":{"samplingRate":0,5}}"#,
        r#"{'probabilisticSampling':{'samplingRate':0.5}}"#,
        // Members of another type.
        r#"{"probabilisticSampling":0.5}"#,
        r#"{"probabilisticSampling":[0.5]}"#,
        r#"{"rateLimitingSampling":"5"}"#,
        r#"{"operationSampling":[]}"#,
        r#"{"operationSampling":true}"#,
        r#"{"operationSampling":{"perOperationStrategies":{}}}"#,
        r#"{"operationSampling":{"perOperationStrategies":["kept"]}}"#,
        r#"{"operationSampling":{"perOperationStrategies":[{"operation":7}]}}"#,
        r#"{"operationSampling":{"perOperationStrategies":[{"operation":"kept","probabilisticSampling":1}]}}"#,
    ] {
        push(reply, reply.as_bytes());
    }
    for number in [
        "-0.1",
        "-1e-300",
        "1.0000001",
        "5",
        "1e308",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "\"0.5\"",
        "true",
        "[0.5]",
        "{}",
        "0x1",
        "01",
        "+1",
        "1_0",
    ] {
        for reply in [
            r#"{"probabilisticSampling":{"samplingRate":#}}"#,
            r#"{"operationSampling":{"defaultSamplingProbability":#}}"#,
            r#"{"operationSampling":{"perOperationStrategies":[
                {"operation":"kept","probabilisticSampling":{"samplingRate":#}}]}}"#,
            // Beside a good entry, and without a name.
            r#"{"operationSampling":{"perOperationStrategies":[
                {"operation":"dropped","probabilisticSampling":{"samplingRate":1}},
                {"probabilisticSampling":{"samplingRate":#}}]}}"#,
        ] {
            let reply = reply.replace('#', number);
            push(&reply, reply.as_bytes());
        }
    }
    for number in [
        "-1", "-1e-300", "1e999", "NaN", "Infinity", "\"5\"", "false",
    ] {
        for reply in [
            r#"{"rateLimitingSampling":{"maxTracesPerSecond":#}}"#,
            r#"{"operationSampling":{"defaultLowerBoundTracesPerSecond":#}}"#,
        ] {
            let reply = reply.replace('#', number);
            push(&reply, reply.as_bytes());
        }
    }
    push("not UTF-8", b"{\"\xff\":{}}");
    push(
        "a name that is not UTF-8",
        b"{\"operationSampling\":{\"perOperationStrategies\":[{\"operation\":\"\xff\"}]}}",
    );
    push("zeros", &[0; 4_096]);
    for open in [
        "[",
        "{\"a\":",
        "{\"probabilisticSampling\":",
        "{\"operationSampling\":{\"perOperationStrategies\":[",
    ] {
        let depth = 900_000 / open.len();
        push(&format!("deep {open}"), open.repeat(depth).as_bytes());
    }
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(400_000), "]".repeat(400_000));
    push(
        "a deep member that is skipped, and no strategy",
        deep.as_bytes(),
    );
    bad
}

#[test]
fn a_malformed_reply_is_refused_in_one_short_line() {
    for (what, reply) in malformed() {
        let error = Strategy::from_json(&reply).expect_err(&what);
        let text = error.to_string();
        assert!(
            text.len() < 500 && !text.contains(char::is_control),
            "{what}: {text}"
        );
    }
    let large = vec![b' '; Strategy::MAX_JSON_BYTES + 1];
    assert!(matches!(
        Strategy::from_json(&large),
        Err(StrategyError::TooLarge(_))
    ));
}

#[test]
fn a_malformed_reply_changes_no_decision_and_is_counted() {
    let fleet = Fleet::following(BY_OPERATION);
    for (what, reply) in malformed() {
        fleet.withstands(&what, Answer::ok(&reply), Counter::SamplerUpdatesErr);
        // A good reply between, so that the tracer does not ask more and more seldom.
        let queries = fleet.count(Counter::SamplerQueriesOk);
        fleet.server.answer(Answer::ok(BY_OPERATION));
        super::until("a good reply", || {
            fleet.count(Counter::SamplerQueriesOk) > queries
        });
    }
    assert_eq!(fleet.count(Counter::SamplerUpdatesOk), 1);
    assert_eq!(fleet.count(Counter::SamplerQueriesErr), 0);
    let decisions = fleet.decisions();
    let expected = [true, false, true]
        .into_iter()
        .cycle()
        .take(decisions.len());
    assert_eq!(decisions, expected.collect::<Vec<_>>());
}

fn rate(rate: f64) -> SamplingRate {
    SamplingRate::new(rate).expect("a probability")
}

fn limit(limit: f64) -> TracesPerSecond {
    TracesPerSecond::new(limit).expect("a limit")
}

/// A reply of each server, and of each kind.
#[test]
fn the_dialect_of_every_server_is_read() {
    let listed = |default, bound, operations: &[(&str, f64)]| {
        let strategies = OperationStrategies::new(rate(default), limit(bound));
        let operations = operations.iter();
        let add = |all: OperationStrategies, (name, each): &(&str, f64)| {
            all.operation(*name, rate(*each))
        };
        Strategy::PerOperation(operations.fold(strategies, add))
    };
    let probabilistic = |each| Strategy::Probabilistic(rate(each));
    let limiting = |each| Strategy::RateLimiting(limit(each));
    for (reply, expected) in [
        // Jaeger 1 and Jaeger 2 from 2.16 on.
        (
            r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}"#,
            probabilistic(0.5),
        ),
        (
            r#"{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":5}}"#,
            limiting(5.0),
        ),
        (
            r#"{"strategyType":"PROBABILISTIC","operationSampling":{"defaultSamplingProbability":0.001,"defaultLowerBoundTracesPerSecond":0.0166,"perOperationStrategies":[{"operation":"GET /a","probabilisticSampling":{"samplingRate":0.25}}],"defaultUpperBoundTracesPerSecond":0}}"#,
            listed(0.001, 0.0166, &[("GET /a", 0.25)]),
        ),
        // A limited service with operations, and an operation without a probability.
        (
            r#"{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":5},"operationSampling":{"defaultSamplingProbability":1e-05,"defaultLowerBoundTracesPerSecond":0,"perOperationStrategies":[{"operation":"a","probabilisticSampling":null},{"operation":"b","probabilisticSampling":{"samplingRate":1}}]}}"#,
            listed(1e-5, 0.0, &[("b", 1.0)]),
        ),
        // The agent's old path, and Jaeger 2 up to 2.15.
        (
            r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":1}}"#,
            probabilistic(1.0),
        ),
        (
            r#"{"strategyType":1,"rateLimitingSampling":{"maxTracesPerSecond":32767}}"#,
            limiting(32767.0),
        ),
        // Very old agents.
        (
            r#"{"strategyType":0,"probabilisticSampling":{"samplingRate":0.5},"rateLimitingSampling":null,"operationSampling":null}"#,
            probabilistic(0.5),
        ),
        // The extension of OpenTelemetry's collector leaves out every zero.
        (r#"{"probabilisticSampling":{}}"#, probabilistic(0.0)),
        (
            r#"{"strategyType":1,"rateLimitingSampling":{}}"#,
            limiting(0.0),
        ),
        (r#"{"operationSampling":{}}"#, listed(0.0, 0.0, &[])),
        (
            r#"{"operationSampling":{"perOperationStrategies":[{"operation":"x","probabilisticSampling":{}}]}}"#,
            listed(0.0, 0.0, &[("x", 0.0)]),
        ),
        // More than any server sends.
        (
            r#"{"strategyType":"SOMETHING","probabilisticSampling":{"samplingRate":0.5}}"#,
            probabilistic(0.5),
        ),
        (
            r#"{"probabilisticSampling":{"samplingRate":0.5},"rateLimitingSampling":{"maxTracesPerSecond":0.5}}"#,
            probabilistic(0.5),
        ),
        (
            r#"{"rateLimitingSampling":{"maxTracesPerSecond":0.5}}"#,
            limiting(0.5),
        ),
        (
            " \r\n{\t\"probabilisticSampling\" : {\"samplingRate\":5e-1}}\n",
            probabilistic(0.5),
        ),
        (
            r#"{"probabilisticSampling":{"samplingRate":0.25},"probabilisticSampling":{"samplingRate":0.5}}"#,
            probabilistic(0.5),
        ),
        (
            r#"{"probabilisticSampling":{"samplingRate":-0.0}}"#,
            probabilistic(0.0),
        ),
        (
            r#"{"operationSampling":{"perOperationStrategies":[null,{},{"operation":""},{"probabilisticSampling":{}},{"operation":null}]}}"#,
            listed(0.0, 0.0, &[]),
        ),
    ] {
        assert_eq!(
            Strategy::from_json(reply.as_bytes()),
            Ok(expected),
            "{reply}"
        );
    }
}
