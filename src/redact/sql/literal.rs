//! The literals, quoted names and comments of SQL. Each function reads one at the start of a text and returns its
//! length.

/// The quoting of a server, as far as it helps to show more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// An unknown one: text in double quotes is hidden.
    Any,
    /// That of PostgreSQL: double quotes hold names, `#` is an operator, brackets are arrays.
    Postgres,
}

/// The text can be read in two ways, or a literal does not end.
pub(super) struct Unclear;

/// The kinds of text that a `$` begins.
pub(super) enum Dollar {
    /// Nothing: it is a part of a name, or an operator.
    Alone,
    /// A placeholder such as `$1`, or a string in dollar quotes.
    Literal {
        length: usize,
        /// Whether no server reads the text behind it in another way.
        is_sure: bool,
    },
}

/// Reads a text in quotes. In it, two quotes are one.
pub(super) fn quoted(text: &str, quote: char, dialect: Dialect) -> Result<usize, Unclear> {
    let text = text.as_bytes();
    let quote = quote as u8;
    // Some servers have strings in three quotes.
    if dialect == Dialect::Any && text.starts_with(&[quote; 3]) {
        return Err(Unclear);
    }
    let mut is_escaped = false;
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        if *byte == quote {
            // An escaped quote to one server is the end to another.
            if is_escaped {
                return Err(Unclear);
            }
            if text.get(at + 1) != Some(&quote) {
                return Ok(at + 1);
            }
            at += 1;
        }
        is_escaped = *byte == b'\\' && !is_escaped;
        at += 1;
    }
    Err(Unclear)
}

/// Reads a name in backticks, which is text to other servers.
pub(super) fn name_in_backticks(text: &str, dialect: Dialect) -> Result<usize, Unclear> {
    let length = quoted(text, '`', dialect)?;
    match may_hold_literal(&text[1..length - 1]) {
        true => Err(Unclear),
        false => Ok(length),
    }
}

/// Reads a string of Oracle such as `q'[it's]'` from its first quote on. Other servers end it at the next quote.
pub(super) fn oracle_string(text: &str) -> Result<usize, Unclear> {
    let body = &text[1..];
    let opening = body.chars().next().ok_or(Unclear)?;
    let closing = match opening {
        '[' => ']',
        '(' => ')',
        '{' => '}',
        '<' => '>',
        other => other,
    };
    let from = opening.len_utf8();
    let close: String = [closing, '\''].into_iter().collect();
    let found = body[from..].find(&close).ok_or(Unclear)?;
    let length = 1 + from + found + close.len();
    match quoted(text, '\'', Dialect::Any)? == length {
        true => Ok(length),
        false => Err(Unclear),
    }
}

/// Reads what begins with a `$`.
pub(super) fn dollar(text: &str, dialect: Dialect) -> Result<Dollar, Unclear> {
    let after = &text[1..];
    if after.starts_with(|c: char| c.is_numeric()) {
        return Ok(Dollar::Literal {
            length: 1 + number(after),
            is_sure: true,
        });
    }
    let tag = after
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|end| after[*end..].starts_with('$'));
    let Some(tag) = tag else {
        return Ok(Dollar::Alone);
    };
    let (quote, body) = text.split_at(tag + 2);
    let length = body.find(quote).ok_or(Unclear)?;
    Ok(Dollar::Literal {
        length: quote.len() * 2 + length,
        // To other servers than PostgreSQL, the quote may be a name.
        is_sure: dialect == Dialect::Postgres || !may_hold_literal(&body[..length]),
    })
}

/// Reads a number, or what is written like one: `0xCAFE`, `1.5e-3`, `89h4m`, a date, a UUID.
pub(super) fn number(text: &str) -> usize {
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let mut before = '.';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let joins = match c {
            // Between the parts of a date or a UUID, or behind an exponent. `5-a` is hidden too.
            '-' => next.is_some_and(char::is_alphanumeric),
            '+' => next.is_some_and(char::is_numeric) && matches!(before, 'e' | 'E') && !is_hex,
            _ => c.is_alphanumeric() || matches!(c, '_' | '.'),
        };
        if !joins {
            return at;
        }
        before = c;
    }
    text.len()
}

/// Reads a comment from `--` to the end of the line.
pub(super) fn line_comment(text: &str, dialect: Dialect) -> Result<usize, Unclear> {
    let comment = &text[2..];
    // To MySQL it is one only before a blank.
    let is_sure = dialect == Dialect::Postgres
        || comment.is_empty()
        || comment.starts_with(|c: char| c.is_whitespace() || c.is_control());
    line(text, is_sure)
}

/// Reads what is a comment up to the end of the line, or an operator.
pub(super) fn unsure_comment(text: &str) -> Result<usize, Unclear> {
    line(text, false)
}

fn line(text: &str, is_sure: bool) -> Result<usize, Unclear> {
    let line = &text[..text.find('\n').unwrap_or(text.len())];
    // To some servers a carriage return ends a line.
    let is_one_line = !line.trim_end_matches('\r').contains('\r');
    match is_one_line && (is_sure || !may_hold_literal(&line[1..])) {
        true => Ok(line.len()),
        false => Err(Unclear),
    }
}

/// Reads a comment between `/*` and `*/`.
pub(super) fn block_comment(text: &str) -> Result<usize, Unclear> {
    let comment = &text[2..];
    let length = comment.find("*/").ok_or(Unclear)?;
    let comment = &comment[..length];
    // Some servers nest comments, and MySQL runs those that begin so.
    match comment.contains("/*") || comment.starts_with(['!', 'M']) {
        true => Err(Unclear),
        false => Ok(length + 4),
    }
}

/// Whether a text in the quotes of a name is certainly a name.
pub(super) fn is_plain_name(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-' | '.');
    text.chars().all(is_part)
        && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && !is_uuid(text)
}

/// Whether a literal or a comment may begin in a text.
fn may_hold_literal(text: &str) -> bool {
    text.contains(['\'', '"', '`', '$', '#', '[', '\\', '\r'])
        || text.contains("--")
        || text.contains("/*")
        || text.contains("//")
}

/// Whether a text begins with a UUID.
pub(super) fn is_uuid(text: &str) -> bool {
    let Some(text) = text.as_bytes().get(..36) else {
        return false;
    };
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}
