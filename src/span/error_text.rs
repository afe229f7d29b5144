use std::error::Error;
use std::fmt::Display;

use crate::bounded_text::BoundedText;

/// Joins the text of an error and those of its causes: `cannot start: no port`.
///
/// Many texts quote their cause, so a cause that the text so far tells in whole words is left out.
pub(crate) fn with_causes<'e>(
    text: &str,
    causes: impl Iterator<Item = &'e (dyn Error + 'static)>,
) -> String {
    let mut all = text.to_owned();
    // The limit ends a chain of causes that is a circle.
    for cause in causes.take(32) {
        if all.len() >= MAX_BYTES {
            break;
        }
        let cause = text_of(cause);
        if !contains_words(&all, &cause) {
            all.push_str(": ");
            all.push_str(&cause);
        }
    }
    all
}

/// Returns the text of an error. Of a long one the first words are read, none of them in part: half of an address could
/// show the password in it, because its end is missing by which it is known.
pub(crate) fn text_of<E: Display + ?Sized>(error: &E) -> String {
    let text = BoundedText::of(MAX_BYTES, format_args!("{error}"));
    text.finish(|text| text.rfind(char::is_whitespace).unwrap_or(0))
}

/// The bytes of an error's text that are read.
const MAX_BYTES: usize = 64 << 10;

/// Returns whether the text contains the cause and does not cut a word at either end.
fn contains_words(text: &str, cause: &str) -> bool {
    let is_inside = |neighbour: Option<char>, edge: Option<char>| {
        neighbour.is_some_and(char::is_alphanumeric) && edge.is_some_and(char::is_alphanumeric)
    };
    cause.is_empty()
        || text.match_indices(cause).any(|(at, _)| {
            let (before, rest) = text.split_at(at);
            let after = rest.get(cause.len()..).unwrap_or_default();
            !is_inside(before.chars().next_back(), cause.chars().next())
                && !is_inside(after.chars().next(), cause.chars().next_back())
        })
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[test]
    fn a_long_text_ends_with_a_whole_word() {
        let short = "no route".repeat(10);
        assert_eq!(text_of(&short), short);
        let exact = "x".repeat(MAX_BYTES);
        assert_eq!(text_of(&exact), exact);
        let words = "é ".repeat(MAX_BYTES);
        let text = text_of(&words);
        assert!(text.ends_with(" é…"), "{}", &text[text.len() - 20..]);
        assert!(text.len() <= MAX_BYTES + "…".len());
        let secret = format!(
            "{} http://user:{}@host/",
            "x".repeat(MAX_BYTES - 20),
            "p".repeat(100)
        );
        assert!(text_of(&secret).ends_with("xx…"));
        assert_eq!(text_of(&"x".repeat(MAX_BYTES + 1)), "…");
    }

    #[test]
    fn a_text_that_fails_is_read_as_far_as_it_goes() {
        struct Fails;
        impl Display for Fails {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no ")?;
                Err(fmt::Error)
            }
        }
        assert_eq!(text_of(&Fails), "no…");
    }

    #[test]
    fn causes_are_read_until_there_is_enough_text() {
        let long = std::io::Error::other("x ".repeat(MAX_BYTES));
        let causes = [&long as &(dyn Error + 'static); 32];
        let other = std::io::Error::other("y ".repeat(MAX_BYTES));
        let causes = causes.into_iter().chain([&other as &(dyn Error + 'static)]);
        let text = with_causes("it fails", causes);
        assert!(text.len() < 2 * MAX_BYTES, "{}", text.len());
        assert!(text.starts_with("it fails: x x"), "{}", &text[..20]);
    }
}
