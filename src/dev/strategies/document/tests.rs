use super::*;

fn parse(text: &str) -> (Strategies, String) {
    let (strategies, notes) = Strategies::parse(text.as_bytes()).expect(text);
    (strategies, notes.to_string())
}

/// The file of Jaeger's documentation, and more.
const FILE: &str = r#"{
    "service_strategies": [
        {"service": "foo", "type": "probabilistic", "param": 0.8, "operation_strategies": [
            {"operation": "op1", "type": "probabilistic", "param": 0.2},
            {"operation": "op2", "type": "probabilistic", "param": 0.4}
        ]},
        {"service": "bar", "type": "ratelimiting", "param": 5},
        {"service": "baz", "type": "probabilistic", "param": 0.25},
        {"service": "qux", "type": "ratelimiting", "param": 7, "operation_strategies": [
            {"operation": "/metrics", "type": "probabilistic", "param": 1}
        ]}
    ],
    "default_strategy": {"type": "probabilistic", "param": 0.5, "operation_strategies": [
        {"operation": "/health", "type": "probabilistic", "param": 0.0},
        {"operation": "/metrics", "type": "probabilistic", "param": 0}
    ]}
}"#;

fn operations(default: f64, list: &[(&str, f64)]) -> String {
    let list: Vec<_> = list
        .iter()
        .map(|(name, rate)| {
            format!(
                r#"{{"operation":"{name}","probabilisticSampling":{{"samplingRate":{rate:?}}}}}"#
            )
        })
        .collect();
    format!(
        r#""operationSampling":{{"defaultSamplingProbability":{default:?},"defaultLowerBoundTracesPerSecond":0,"perOperationStrategies":[{}],"defaultUpperBoundTracesPerSecond":0}}"#,
        list.join(",")
    )
}

#[test]
fn operations_of_the_default_strategy_apply_to_every_service() {
    let (strategies, notes) = parse(FILE);
    assert_eq!(notes, "");
    assert_eq!(strategies.services(), 4);
    let health = [("/health", 0.0), ("/metrics", 0.0)];
    for (service, base, operations) in [
        (
            "foo",
            r#""PROBABILISTIC","probabilisticSampling":{"samplingRate":0.8}"#,
            operations(
                0.8,
                &[
                    ("op1", 0.2),
                    ("op2", 0.4),
                    ("/health", 0.0),
                    ("/metrics", 0.0),
                ],
            ),
        ),
        (
            "bar",
            r#""RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":5}"#,
            operations(0.5, &health),
        ),
        (
            "baz",
            r#""PROBABILISTIC","probabilisticSampling":{"samplingRate":0.25}"#,
            operations(0.25, &health),
        ),
        (
            "qux",
            r#""RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":7}"#,
            operations(0.001, &[("/metrics", 1.0), ("/health", 0.0)]),
        ),
        (
            "another",
            r#""PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}"#,
            operations(0.5, &health),
        ),
    ] {
        let expected = format!(r#"{{"strategyType":{base},{operations}}}"#);
        assert_eq!(strategies.answer(service), expected, "{service}");
    }
}

#[test]
fn a_file_without_operations_answers_without_them() {
    let (strategies, _) = parse(
        r#"{"service_strategies": [{"service": "a", "type": "ratelimiting", "param": 2},
            {"service": "b", "type": "probabilistic", "param": 1e-05, "more": [null]}]}"#,
    );
    for (service, expected) in [
        (
            "a",
            r#"{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":2}}"#,
        ),
        (
            "b",
            r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.00001}}"#,
        ),
        (
            "c",
            r#"{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.001}}"#,
        ),
    ] {
        let answer = strategies.answer(service);
        let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(parsed(&answer), parsed(expected));
    }
    for empty in ["{}", "null", r#"{"service_strategies": null}"#] {
        let (strategies, notes) = parse(empty);
        assert!(strategies.answer("c").contains("0.001"), "{empty}");
        assert_eq!(notes, "");
    }
}

#[test]
fn what_jaeger_passes_over_is_noted() {
    let (strategies, notes) = parse(
        r#"{"service_strategies": [
            {"service": "a", "type": "Probabilistic", "param": 1},
            {"service": "b", "param": 1},
            {"service": "c", "type": "ratelimiting", "param": 2.9, "operation_strategies": [
                {"operation": "o", "type": "ratelimiting", "param": 3}]},
            {"service": "d", "type": "ratelimiting", "param": 1e300}]}"#,
    );
    for (service, expected) in [
        ("a", r#""samplingRate":0.001"#),
        ("b", r#""samplingRate":0.001"#),
        ("c", r#""maxTracesPerSecond":2"#),
        ("c", r#""perOperationStrategies":[]"#),
        ("d", r#""maxTracesPerSecond":2147483647"#),
    ] {
        let answer = strategies.answer(service);
        assert!(answer.contains(expected), "{answer}");
    }
    assert_eq!(
        notes,
        "; service \"a\": type \"Probabilistic\", so the probability is 0.001\
         ; service \"b\": no type, so the probability is 0.001\
         ; service \"c\": a limit is a whole number in Jaeger: 2.9 is cut\
         ; service \"c\", operation \"o\": Jaeger limits no operations, so this is passed over"
    );
    let many = r#"{"service": "a\u001b"},"#.repeat(1_000);
    let many = format!(
        r#"{{"service_strategies": [{}]}}"#,
        many.trim_end_matches(',')
    );
    let (_, notes) = parse(&many);
    assert!(notes.ends_with("; and 992 more"), "{notes}");
    assert!(!notes.contains('\u{1b}'), "{notes}");
}

#[test]
fn a_file_with_a_number_out_of_range_is_refused() {
    for (text, expected) in [
        (
            r#"{"default_strategy": {"type": "probabilistic", "param": 1.5}}"#,
            "default_strategy: expected a probability from 0 to 1, found 1.5",
        ),
        (
            r#"{"service_strategies": [{"service": "a", "type": "ratelimiting", "param": -1}]}"#,
            "service \"a\": expected a number of traces a second, 0 or more, found -1",
        ),
        (
            r#"{"service_strategies": [{"service": "a", "type": "probabilistic", "param": 1,
                "operation_strategies": [{"operation": "o", "type": "probabilistic", "param": -0.1}]}]}"#,
            "service \"a\", operation \"o\": expected a probability from 0 to 1, found -0.1",
        ),
        ("", "EOF while parsing a value at line 1 column 0"),
        (
            r#"{"default_strategy": {"type": "probabilistic", "param": 1e999}}"#,
            "number out of range at line 1 column 61",
        ),
        (
            "[]",
            "invalid length 0, expected struct File with 2 elements at line 1 column 2",
        ),
    ] {
        let error = Strategies::parse(text.as_bytes()).expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
    let deep = format!(r#"{{"more": {}"#, "[".repeat(100_000));
    assert!(Strategies::parse(deep.as_bytes()).is_err());
}
