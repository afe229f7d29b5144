//! The texts of errors of databases.

use crate::redact;

/// Returns the first line of an error without the data in it.
///
/// Databases quote values in their errors: `Duplicate entry 'a@b.c' for key 'email'`. What stands between the first and
/// the last quote is hidden, because a value may hold quotes itself, and so are long numbers. The lines behind the
/// first one show whole rows.
pub(crate) fn error_text(text: &str) -> String {
    let (line, has_more) = match text.split_once(['\n', '\r']) {
        Some((line, rest)) => (line, !rest.is_empty()),
        None => (text, false),
    };
    without_long_numbers(&without_quoted(&redact::text(line), has_more))
}

fn without_long_numbers(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let end = number.find(|c: char| !c.is_ascii_digit());
        let (number, after) = number.split_at(end.unwrap_or(number.len()));
        shown.push_str(before);
        shown.push_str(if number.len() > MAX_DIGITS {
            "?"
        } else {
            number
        });
        rest = after;
    }
    shown.push_str(rest);
    shown
}

/// The longest number that is shown, such as an error code or a port.
const MAX_DIGITS: usize = 5;

/// Returns the text with `?` for all from the first quote to the last one, which may be in a later line.
fn without_quoted(text: &str, has_more: bool) -> String {
    let row = ["=(", " is ("]
        .iter()
        .filter_map(|row| text.find(row))
        .min();
    // A quote behind the row may belong to one before it.
    let has_more = has_more || row.is_some_and(|row| text[row..].contains(is_quote));
    let text = match row {
        // The values of a row: `The duplicate key value is (7, x)`.
        Some(row) => format!("{}…", &text[..row]),
        None => text.to_owned(),
    };
    let first = text.match_indices(is_quote).find(|(at, _)| {
        // An apostrophe, as in `can't`, opens no quote.
        !text[..*at].ends_with(char::is_alphanumeric)
    });
    let Some((first, _)) = first else {
        return text;
    };
    let last = text.rfind(is_quote).unwrap_or(first);
    let tail = match last > first && !has_more {
        true => text[last..].trim_start_matches(is_quote),
        false => "",
    };
    format!("{}?{tail}", &text[..first])
}

fn is_quote(c: char) -> bool {
    matches!(
        c,
        '\'' | '"' | '`' | '«' | '»' | '‹' | '›' | '„' | '“' | '”' | '‘' | '’' | '‚'
    )
}
