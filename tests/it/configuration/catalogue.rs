//! The catalogue of settings is complete, says the defaults that hold, and is what the documentation lists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tracehound::Config;
use tracehound::config::{SettingInfo, settings};

use super::tables::{MISNAMED, UNSUPPORTED_OF_OTEL, variables};
use super::{LOOKED_UP, lookup};

#[test]
fn every_variable_that_is_read_is_in_the_catalogue() {
    let listed = settings().iter().flat_map(SettingInfo::variables).copied();
    let refused = [UNSUPPORTED_OF_OTEL, MISNAMED];
    let known: BTreeSet<&str> = listed
        .chain(refused.into_iter().flat_map(variables))
        .collect();
    let looked_up: BTreeSet<&str> = LOOKED_UP.iter().map(String::as_str).collect();
    assert_eq!(looked_up, known);
}

#[test]
fn no_variable_of_the_catalogue_is_also_refused() {
    for setting in settings() {
        for refused in [UNSUPPORTED_OF_OTEL, MISNAMED] {
            let both = variables(refused).find(|name| setting.variables().contains(name));
            assert_eq!(both, None, "{}", setting.name());
        }
    }
}

#[test]
fn names_are_unique_and_texts_are_not_empty() {
    let names: BTreeSet<_> = settings().iter().map(SettingInfo::name).collect();
    assert_eq!(names.len(), settings().len());
    for setting in settings() {
        for text in [setting.value(), setting.default_value(), setting.meaning()] {
            assert!(!text.is_empty(), "{setting:?}");
        }
    }
}

/// Settings that an explanation shows as a part of another, or only if the code gives them.
const NO_ROW: [&str; 7] = [
    "dev_strategies_file",
    "sampler_param",
    "reporter",
    "throttler",
    "baggage_restrictions",
    "header_names",
    "tag",
];

#[test]
fn defaults_are_those_of_an_explanation() {
    let plain = Config::from_lookup(lookup(&[])).unwrap().explain();
    let everywhere = [
        ("OTEL_TRACES_EXPORTER", "jaeger,otlp,zipkin"),
        ("OTEL_EXPORTER_JAEGER_PROTOCOL", "http/thrift.binary"),
    ];
    let everywhere = Config::from_lookup(lookup(&everywhere)).unwrap().explain();
    for row in plain.settings().iter().chain(everywhere.settings()) {
        let is_listed = settings().iter().any(|it| it.name() == row.name());
        assert!(is_listed, "{}", row.name());
    }
    for setting in settings().iter().filter(|it| !NO_ROW.contains(&it.name())) {
        let name = setting.name();
        let Some(row) = plain.get(name).or_else(|| everywhere.get(name)) else {
            let feature = match name {
                // Its variable is the collector's, too, so the setting itself names no feature.
                "agent_protocol" => Some("udp"),
                _ => setting.feature(),
            };
            assert!(!has(feature), "{name}");
            continue;
        };
        let value = match (name, row.value().trim_matches('"')) {
            ("service_name", "") => "required",
            ("sampler", "probabilistic 0.001") if !has(Some("remote-sampler")) => "remote 0.001",
            (_, value) => value,
        };
        assert_eq!(value, setting.default_value(), "{name}");
    }
}

/// Returns whether the build has this feature.
fn has(feature: Option<&str>) -> bool {
    match feature {
        None => true,
        Some("udp") => cfg!(feature = "udp"),
        Some("remote-sampler") => cfg!(feature = "remote-sampler"),
        Some("collector") => cfg!(feature = "collector"),
        Some("otlp") => cfg!(feature = "otlp"),
        Some("zipkin") => cfg!(feature = "zipkin"),
        Some("dev") => true,
        Some(other) => panic!("another feature: {other}"),
    }
}

#[test]
fn the_page_of_the_module_has_the_table_of_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/mod.rs");
    let page = fs::read_to_string(path).unwrap();
    let expected = table();
    assert!(
        page.contains(&expected),
        "put this into the page:\n{expected}"
    );
}

#[test]
fn the_words_of_a_setting_are_those_that_an_error_lists() {
    let mut checked = Vec::new();
    for setting in settings().iter().filter(|it| words_of(it).len() > 1) {
        let variable = setting
            .variables()
            .first()
            .expect("words come from a variable");
        let of_variable = settings()
            .iter()
            .filter(|it| it.variables().first() == Some(variable));
        let listed: BTreeSet<_> = of_variable.flat_map(words_of).collect();
        let variables = [("JAEGER_SERVICE_NAME", "shop"), (*variable, "no-word")];
        let explanation = Config::from_lookup_lossy(lookup(&variables)).explain();
        let Some(problem) = explanation.passed_over().first() else {
            panic!("{variable} takes any word, but the catalogue lists {listed:?}");
        };
        let message = problem.to_string();
        if message.contains("asks for") {
            continue; // Its feature is off.
        }
        let (_, expected) = message.split_once("expected ").expect("what was expected");
        let (expected, _) = expected.split_once(", found").unwrap_or((expected, ""));
        let is_end = |c: char| c == ' ' || c == ',';
        let named: BTreeSet<&str> = expected
            .split(is_end)
            .filter(|word| !PROSE.contains(word))
            .collect();
        assert_eq!(
            named,
            listed,
            "left: what {variable} takes by its error; right: the words of `{}` in \
             src/config/catalogue/table.rs",
            setting.name()
        );
        checked.push(setting.name());
    }
    for name in ["sampler", "sender", "propagation", "recording", "tag_names"] {
        assert!(checked.contains(&name), "{name}: {checked:?}");
    }
}

/// The characters between the words of a message.
const PROSE: [&str; 7] = ["", "a", "list", "of", "or", "and", "alone"];

/// Returns the words that a setting takes, as the catalogue lists them.
fn words_of(setting: &SettingInfo) -> BTreeSet<&'static str> {
    let spans = setting.value().split('`').skip(1).step_by(2);
    spans.filter(|span| !span.contains('=')).collect()
}

/// Returns the settings that have variables as the lines of a table.
fn table() -> String {
    let mut table = "//! | variable | value |\n//! |---|---|\n".to_owned();
    let settings = settings().iter();
    for setting in settings.filter(|setting| !setting.variables().is_empty()) {
        let variables = setting.variables().iter();
        let variables: Vec<_> = variables.map(|name| format!("`{name}`")).collect();
        let default = match setting.default_value() {
            "required" => "required".to_owned(),
            url if url.contains("://") => format!("default `{url}`"),
            text => format!("default {text}"),
        };
        table += &format!(
            "//! | {} | {}; {default} |\n",
            variables.join(", "),
            setting.value()
        );
    }
    table
}
