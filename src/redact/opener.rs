//! Quotes and brackets around a URL.

/// A quote or bracket directly before a URL.
#[derive(Clone, Copy)]
pub(super) struct Opener {
    open: char,
    close: char,
    /// Whether a backslash precedes it, as in a quoted text within another one.
    is_escaped: bool,
}

impl Opener {
    pub(super) fn before(text: &str) -> Option<Self> {
        let open = text.chars().next_back()?;
        let (_, close) = PAIRS.into_iter().find(|(known, _)| *known == open)?;
        let is_escaped = text[..text.len() - open.len_utf8()].ends_with('\\');
        Some(Self {
            open,
            close,
            is_escaped,
        })
    }

    /// Returns the end of a query whose URL has this opener: a closing quote or bracket that prose may follow.
    pub(super) fn closes(self, query: &str) -> Option<usize> {
        let mut depth = 0;
        for (at, _) in query.match_indices([self.open, self.close]) {
            let (before, rest) = query.split_at(at);
            let after = &rest[char_len(rest)..];
            if before.ends_with('\\') != self.is_escaped {
                continue;
            }
            let opens = match self.open == self.close {
                true => before.ends_with(char::is_whitespace) && !after.starts_with(is_closing),
                false => rest.starts_with(self.open),
            };
            if opens {
                depth += 1;
                continue;
            }
            // Bounded, so that a text of closing characters takes no quadratic time.
            let mut more = 8;
            let behind = after.trim_start_matches(|c: char| {
                more -= 1;
                more >= 0 && (is_closing(c) || c == '\\')
            });
            let in_json = self.close == '"' && after.starts_with([',', '}', ']', '\\']);
            if behind.is_empty() || behind.starts_with(char::is_whitespace) || in_json {
                if depth == 0 {
                    return Some(before.strip_suffix('\\').unwrap_or(before).len());
                }
                depth -= 1;
            }
        }
        None
    }
}

/// Quotes and brackets.
const PAIRS: [(char, char); 13] = [
    ('"', '"'),
    ('\'', '\''),
    ('`', '`'),
    ('(', ')'),
    ('[', ']'),
    ('{', '}'),
    ('<', '>'),
    ('“', '”'),
    ('‘', '’'),
    ('„', '“'),
    ('«', '»'),
    ('‹', '›'),
    ('»', '«'),
];

pub(super) fn is_opening(c: char) -> bool {
    PAIRS.iter().any(|(open, _)| *open == c)
}

/// Whether a character may follow a URL without being a part of it.
pub(super) fn is_closing(c: char) -> bool {
    PAIRS.iter().any(|(_, close)| *close == c) || matches!(c, '.' | ',' | ';' | ':' | '!')
}

/// Returns the length of the first character.
pub(super) fn char_len(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}
