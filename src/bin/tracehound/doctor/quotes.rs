//! Variables whose values are in quotes.

use std::env;

use tracehound::config::settings;

use crate::report::{Report, Verdict};

/// Warns of each variable of a setting whose value is in quotes. A shell removes quotes, and Docker keeps those of an
/// `--env-file`.
/// Returns whether there is one.
pub(super) fn check(report: &mut Report) -> bool {
    let variables = settings().iter().flat_map(|setting| setting.variables());
    let mut quoted: Vec<_> = variables
        .filter(|name| env::var(name).is_ok_and(|value| is_quoted(&value)))
        .collect();
    quoted.sort();
    quoted.dedup();
    for name in &quoted {
        let text = format!(
            "the quotes around {name} are a part of its value: leave them out where no shell reads it, as in the file \
             of docker's --env-file"
        );
        report.line(Verdict::Warning, "settings", &text);
    }
    !quoted.is_empty()
}

fn is_quoted(value: &str) -> bool {
    let value = value.trim();
    let is_between = |quote| value.len() > 1 && value.starts_with(quote) && value.ends_with(quote);
    is_between('"') || is_between('\'')
}

#[cfg(test)]
mod tests {
    use super::is_quoted;

    #[test]
    fn quotes_are_at_both_ends() {
        for (value, expected) in [
            ("\"shop\"", true),
            (" 'shop' ", true),
            ("\"\"", true),
            ("shop", false),
            ("\"", false),
            ("\"shop'", false),
            ("a=\"b\"", false),
            ("", false),
        ] {
            assert_eq!(is_quoted(value), expected, "{value}");
        }
    }
}
