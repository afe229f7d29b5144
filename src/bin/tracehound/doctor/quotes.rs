//! Variables whose values are in quotes.

use crate::doctor::spelling::is_known;

/// Returns a warning if the value of a setting's variable is in quotes. A shell removes quotes. Docker does not remove
/// those in the file of `--env-file`.
pub(super) fn warning(name: &str, value: &str) -> Option<String> {
    (is_known(name) && is_quoted(value)).then(|| {
        format!(
            "the quotes around {name} are a part of its value: leave them out where no shell reads it, as in the file \
             of docker's --env-file"
        )
    })
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
