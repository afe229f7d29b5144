//! What a configuration refuses, and how an error says so.

use tracehound::Config;
use tracehound::config::Source;

use super::tables::{ALL_PASSED_OVER, ALL_REFUSED, MISNAMED, rows};
use super::{lookup, names, read, refused, setting};

#[test]
fn a_bad_value_is_an_error_that_names_variable_value_and_expectation() {
    for [variable, text, expected] in rows(&ALL_REFUSED) {
        let error = refused(&[("JAEGER_SERVICE_NAME", "shop"), (variable, text)]);
        assert_eq!(names(error.problems()), [variable], "{text:?}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("{variable}: ")), "{message}");
        assert!(message.contains(expected), "{message}");
        // A `main` that returns the error prints this.
        assert_eq!(format!("{error:?}"), message);
        if text == "canary" || variable == "JAEGER_TAGS" {
            assert!(
                !format!("{message} {error:?}").contains(&format!("{text:?}")),
                "{message}"
            );
        } else {
            assert!(message.contains(&format!("{:?}", text.trim())), "{message}");
        }
    }
    assert_eq!(
        refused(&[("JAEGER_SAMPLER_PARAM", "1.5")]).to_string(),
        r#"JAEGER_SAMPLER_PARAM: expected a probability from 0 to 1, found "1.5""#
    );
}

#[test]
fn a_bad_value_that_is_read_lossily_is_passed_over_with_a_warning() {
    let defaults = Config::new("shop").explain();
    for [variable, text, _] in rows(&ALL_REFUSED) {
        let variables = [("JAEGER_SERVICE_NAME", "shop"), (variable, text)];
        let explanation = Config::from_lookup_lossy(lookup(&variables)).explain();
        assert_eq!(names(explanation.passed_over()), [variable], "{text:?}");
        for default in defaults
            .settings()
            .iter()
            .filter(|setting| setting.name() != "service_name")
        {
            assert_eq!(
                explanation.get(default.name()),
                Some(default),
                "{variable}={text:?}"
            );
        }
        assert!(!format!("{explanation}").contains("canary"));
    }
}

#[test]
fn a_bad_value_of_opentelemetry_is_passed_over_with_a_warning() {
    let defaults = Config::new("shop").explain();
    for [variable, text] in rows(&ALL_PASSED_OVER) {
        let config = read(&[("JAEGER_SERVICE_NAME", "shop"), (variable, text)]);
        let explanation = config.explain();
        assert_eq!(names(explanation.passed_over()), [variable], "{text:?}");
        for default in defaults
            .settings()
            .iter()
            .filter(|setting| setting.name() != "service_name")
        {
            assert_eq!(
                explanation.get(default.name()),
                Some(default),
                "{variable}={text:?}"
            );
        }
        assert!(!format!("{explanation} {explanation:?} {config:?}").contains("canary"));
    }
}

#[test]
fn an_unknown_format_of_opentelemetry_is_passed_over_and_the_others_count() {
    for (text, formats, position) in [
        ("b3multi,no-format", "b3", 2),
        ("ottrace, tracecontext ,baggage", "tracecontext,baggage", 1),
        ("tracecontext,,none,jaeger", "tracecontext,jaeger", 3),
    ] {
        let explanation = read(&[("OTEL_PROPAGATORS", text)]).explain();
        let found = setting(&explanation, "propagation");
        assert_eq!(
            found,
            (formats.to_owned(), Source::Variable("OTEL_PROPAGATORS"))
        );
        let [problem] = explanation.passed_over() else {
            panic!("{text}: {:?}", explanation.passed_over());
        };
        let expected = format!("OTEL_PROPAGATORS: item {position}: expected ");
        assert!(problem.to_string().starts_with(&expected), "{problem}");
    }
}

#[test]
fn an_error_tells_the_position_of_a_bad_tag_and_not_its_text() {
    let rows = [
        (
            "JAEGER_TAGS",
            "a=1,token canary",
            "item 2: expected key=value",
        ),
        ("JAEGER_TAGS", "=canary", "item 1: expected key=value"),
        (
            "JAEGER_TAGS",
            "a=1,,canary=canary${ABSENT}",
            "item 3: expected a variable that is set",
        ),
        (
            "JAEGER_TAGS",
            "password=can,ary=${canary}",
            "item 2: expected a variable that is set",
        ),
        (
            "JAEGER_TAGS",
            "a=canary${",
            "item 1: expected ${NAME} or ${NAME:default}",
        ),
        (
            "JAEGER_TAGS",
            "a=canary${ca=nary}",
            "item 1: expected the name of a variable",
        ),
        (
            "JAEGER_TAGS",
            "canary${A}=canary",
            "item 1: expected a key without ${",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "a=1,canary",
            "item 2: expected key=value",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "a=1,canary=canary%",
            "item 2: expected key=value",
        ),
        (
            "OTEL_RESOURCE_ATTRIBUTES",
            "=canary",
            "item 1: expected key=value",
        ),
    ];
    for (variable, text, expected) in rows {
        let variables = [("JAEGER_SERVICE_NAME", "shop"), (variable, text)];
        let config = Config::from_lookup_lossy(lookup(&variables));
        let explanation = config.explain();
        let [problem] = explanation.passed_over() else {
            panic!("{text}: {explanation}");
        };
        let message = problem.to_string();
        assert!(
            message.starts_with(&format!("{variable}: {expected}")),
            "{text}: {message}"
        );
        assert_eq!(problem.value(), None, "{text}");
        let error = Config::from_lookup(lookup(&variables)).err();
        let all = format!("{message} {problem:?} {config:?} {error:?}");
        let settings = explanation.settings().iter().map(|setting| setting.value());
        // Good items become settings.
        assert!(
            !all.replace("\"can\"", "").contains("canary"),
            "{text}: {all}"
        );
        assert!(
            settings.into_iter().all(|value| !value.contains("canary")),
            "{text}"
        );
    }
}

#[test]
fn the_name_of_another_client_is_corrected() {
    for [wrong, right] in rows(&[MISNAMED]) {
        let message = refused(&[(wrong, "canary")]).to_string();
        assert_eq!(message, format!("{wrong}: is called {right} here"));
    }
    let _ = read(&[("JAEGER_DISABLE", "false"), ("JAEGER_DISABLED", "false")]);
}

#[test]
fn values_that_ask_for_nothing_unsupported_are_accepted() {
    let _ = read(&[("JAEGER_RPC_METRICS", "false")]);
    let config = read(&[("OTEL_TRACES_EXPORTER", "console, jaeger")]);
    assert_eq!(config.explain().passed_over(), []);
}

#[test]
fn all_problems_come_at_once() {
    let error = refused(&[
        ("JAEGER_SAMPLER_TYPE", "all"),
        ("JAEGER_TAGS", "a=1,foo,b=${ABSENT},bar"),
        ("JAEGER_REPORTER_FLUSH_INTERVAL", "0"),
        ("JAEGER_ENDPOINT", "collector"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "none"),
    ]);
    assert_eq!(
        names(error.problems()),
        [
            "JAEGER_TAGS",
            "JAEGER_TAGS",
            "JAEGER_TAGS",
            "JAEGER_SAMPLER_TYPE",
            "JAEGER_ENDPOINT",
            "JAEGER_REPORTER_FLUSH_INTERVAL"
        ]
    );
    assert_eq!(error.to_string().matches("; ").count(), 5);
}
