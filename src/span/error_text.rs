use std::error::Error;

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
        let cause = cause.to_string();
        if !contains_words(&all, &cause) {
            all.push_str(": ");
            all.push_str(&cause);
        }
    }
    all
}

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
