//! The words of SQL.

use crate::redact::secret_names::is_secret_name;

/// The number of bytes of a statement that are read.
pub(super) const MAX_READ: usize = 64 * 1_024;

/// The kind of a statement by its first word: it tells what the words behind it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Data stands in literals only.
    Query,
    /// Data stands in literals, and a secret may stand behind some words without quotes.
    Definition,
    /// Data may stand anywhere behind the first word.
    Command,
    /// The word is no first word of SQL.
    Unknown,
}

impl Class {
    /// Whether everything behind a word of such a statement is hidden.
    pub(super) fn stops_at(self, word: &str) -> bool {
        match self {
            Self::Query => is_one_of(word, &["EXEC", "EXECUTE", "IDENTIFIED"]),
            Self::Definition => is_one_of(word, &["EXEC", "EXECUTE"]) || holds_secret(word),
            Self::Command | Self::Unknown => true,
        }
    }
}

/// Returns the first word of a statement in upper case, if it is known. Comments and parentheses before it are skipped.
pub(crate) fn verb(statement: &str) -> Option<&'static str> {
    let mut rest = statement;
    // A comment more than these is no header of a tool.
    for _ in 0..8 {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '(' | ';' | '{'));
        rest = if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/")?.1
        } else if let Some(comment) = rest.strip_prefix("--").or_else(|| rest.strip_prefix('#')) {
            comment.split_once('\n')?.1
        } else {
            break;
        };
    }
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    known(&rest[..end.unwrap_or(rest.len())]).map(|(word, _)| word)
}

/// Whether a statement may begin with a word.
pub(super) fn is_first_word(word: &str) -> bool {
    known(word).is_some()
}

/// Returns the class of a statement that begins with a word.
pub(super) fn class(word: &str) -> Class {
    known(word).map_or(Class::Unknown, |(_, class)| class)
}

fn known(word: &str) -> Option<(&'static str, Class)> {
    let classes = [
        (Class::Query, QUERIES),
        (Class::Definition, DEFINITIONS),
        (Class::Command, COMMANDS),
    ];
    classes.into_iter().find_map(|(class, words)| {
        let word = words
            .iter()
            .find(|known| known.eq_ignore_ascii_case(word))?;
        Some((*word, class))
    })
}

const QUERIES: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "REPLACE",
    "UPSERT",
    "WITH",
    "VALUES",
    "TABLE",
    "CALL",
    "EXPLAIN",
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
    "DECLARE",
    "FETCH",
    "CLOSE",
    "MOVE",
    "LOCK",
    "TRUNCATE",
    "ANALYZE",
    "VACUUM",
    "REINDEX",
    "LISTEN",
    "UNLISTEN",
    "NOTIFY",
    "CHECKPOINT",
    "PREPARE",
    "DEALLOCATE",
    "REFRESH",
    "DISCARD",
    "SHOW",
    "DESCRIBE",
    "OPTIMIZE",
];

const DEFINITIONS: &[&str] = &[
    "CREATE", "ALTER", "DROP", "GRANT", "REVOKE", "COMMENT", "COPY", "LOAD", "UNLOAD", "IMPORT",
    "EXPORT", "RENAME",
];

const COMMANDS: &[&str] = &[
    "SET", "RESET", "EXEC", "EXECUTE", "DO", "USE", "PRAGMA", "ATTACH", "DETACH", "CONNECT",
    "KILL", "CHANGE", "BACKUP", "RESTORE", "HANDLER", "INSTALL",
];

/// Whether a word right before a quote belongs to the string: `E'…'`, `N'…'`, `X'…'`, `_utf8'…'`.
pub(super) fn is_string_prefix(word: &str) -> bool {
    word.starts_with('_') || is_one_of(word, &["E", "N", "B", "X", "R", "BR", "RB", "U", "Q", "NQ"])
}

pub(super) fn is_oracle_prefix(word: &str) -> bool {
    is_one_of(word, &["Q", "NQ"])
}

pub(super) fn is_boolean(word: &str) -> bool {
    is_one_of(word, &["TRUE", "FALSE"])
}

pub(super) fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// Whether a text names something secret: `password`, `api_key`, `IDENTIFIED BY`. A very long one is not read, and may.
pub(crate) fn holds_secret(text: &str) -> bool {
    text.len() > MAX_READ || is_secret_name(text)
}
