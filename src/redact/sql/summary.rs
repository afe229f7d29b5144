//! Short names of statements: their operations and tables.

use crate::redact::sql::scrubber::scrubbed;
use crate::redact::sql::{Dialect, words};

/// Returns the operations and the tables of a statement in their order: `INSERT orders SELECT carts`.
///
/// It is made of what [`scrubbed`] shows, so there is no data in it. `None` if no word is known.
pub(crate) fn summary(statement: &str, dialect: Dialect) -> Option<String> {
    let shown = scrubbed(statement, dialect, MAX_SHOWN);
    let mut reader = Reader::default();
    for token in tokens(&shown) {
        if reader.is_full {
            break;
        }
        reader.read(token);
    }
    (!reader.summary.is_empty()).then_some(reader.summary)
}

/// The number of bytes of a scrubbed statement that are read.
const MAX_SHOWN: usize = 4 * 1_024;
/// The longest summary. OpenTelemetry recommends this bound.
const MAX_SUMMARY: usize = 255;
/// The deepest parentheses whose queries are told apart.
const MAX_DEPTH: usize = 32;

#[derive(Default)]
struct Reader<'t> {
    summary: String,
    /// Whether a word had no room, so that none may follow.
    is_full: bool,
    /// The query of each open parenthesis, the statement itself last of all.
    outer: Vec<Query>,
    query: Query,
    /// The number of parentheses that are open beyond [`MAX_DEPTH`].
    beyond: usize,
    before: &'t str,
}

/// The state of one query of a statement.
#[derive(Clone, Copy, Default)]
struct Query {
    /// Whether it has an operation, so that its `FROM` names tables: that of `EXTRACT(YEAR FROM …)` does not.
    has_operation: bool,
    /// Whether a comma is followed by a table.
    is_list: bool,
    /// Whether a name is a table.
    wants_table: bool,
    /// Whether a word for the kind of an object may follow: `CREATE TABLE`.
    wants_kind: bool,
}

impl<'t> Reader<'t> {
    fn read(&mut self, token: &'t str) {
        match token {
            "(" => self.open(),
            ")" => self.close(),
            ";" => (self.outer, self.query) = (Vec::new(), Query::default()),
            "," => self.query.wants_table = self.query.is_list,
            _ if token.starts_with(is_name_start) => self.word(token),
            _ => self.query.wants_table = false,
        }
        self.before = token;
    }

    fn open(&mut self) {
        self.query.wants_table = false;
        match self.outer.len() < MAX_DEPTH {
            true => self.outer.push(std::mem::take(&mut self.query)),
            false => self.beyond += 1,
        }
    }

    fn close(&mut self) {
        match self.beyond.checked_sub(1) {
            Some(beyond) => self.beyond = beyond,
            None => self.query = self.outer.pop().unwrap_or_default(),
        }
    }

    fn word(&mut self, word: &'t str) {
        let is = |words: &[&str]| words::is_one_of(word, words);
        let is_operation = match self.before {
            "" | ";" => words::is_first_word(word),
            "(" | ")" => is(CHANGES),
            before => words::is_one_of(before, &["EXPLAIN", "ANALYZE"]) && is(CHANGES),
        };
        if is_operation || is(&["SELECT"]) {
            return self.operation(word);
        }
        if self.query.wants_kind && is(KINDS) {
            self.push(word);
            self.query.wants_kind = false;
            self.query.wants_table = is(&["TABLE", "VIEW", "INDEX"]);
        } else if self.query.wants_table && !is(BETWEEN) {
            self.push(word);
            self.query.wants_table = false;
        } else if is(&["FROM", "JOIN", "INTO", "USING"]) {
            let is_comparison = words::is_one_of(self.before, &["DISTINCT"]);
            self.query.wants_table = self.query.has_operation && !is_comparison && !is(&["USING"]);
            self.query.is_list = self.query.wants_table && is(&["FROM"]);
        } else if is(ENDS_OF_TABLES) {
            self.query.is_list = false;
        }
    }

    fn operation(&mut self, word: &'t str) {
        let is = |words: &[&str]| words::is_one_of(word, words);
        self.query = Query {
            has_operation: true,
            is_list: false,
            wants_table: is(&["UPDATE", "TRUNCATE", "CALL", "TABLE"]),
            wants_kind: is(&["CREATE", "ALTER", "DROP"]),
        };
        // It only introduces the queries that follow, and others only show them.
        if !is(&["WITH", "EXPLAIN"]) {
            self.push(word);
        }
    }

    fn push(&mut self, word: &str) {
        let space = usize::from(!self.summary.is_empty());
        if self.summary.len() + space + word.len() > MAX_SUMMARY {
            self.is_full = true;
        }
        if self.is_full {
            return;
        }
        if space > 0 {
            self.summary.push(' ');
        }
        self.summary.push_str(word);
    }
}

/// The operations that may also stand in a part of a statement, besides `SELECT`.
const CHANGES: &[&str] = &["INSERT", "UPDATE", "DELETE", "MERGE", "WITH"];

/// The kinds of objects that a definition names.
const KINDS: &[&str] = &[
    "TABLE",
    "VIEW",
    "INDEX",
    "SCHEMA",
    "DATABASE",
    "SEQUENCE",
    "FUNCTION",
    "PROCEDURE",
    "TRIGGER",
    "TYPE",
    "ROLE",
    "USER",
    "EXTENSION",
];

/// The words that may stand between an operation and its table.
const BETWEEN: &[&str] = &[
    "ONLY",
    "LATERAL",
    "IF",
    "NOT",
    "EXISTS",
    "TABLE",
    "CONCURRENTLY",
    "LOW_PRIORITY",
    "IGNORE",
    "OR",
    "ROLLBACK",
    "ABORT",
    "REPLACE",
    "FAIL",
];

/// The words that end a list of tables.
const ENDS_OF_TABLES: &[&str] = &[
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "SET",
    "VALUES",
    "RETURNING",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "WINDOW",
    "FETCH",
    "OFFSET",
    "FOR",
    "ON",
];

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '"' | '`' | '[')
}

/// Splits a scrubbed statement into names with their dots, and single signs.
fn tokens(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = match is_name_start(first) {
            true => name(rest),
            false => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        Some(token)
    })
}

/// Returns the length of a name, such as `"shop"."orders"`. At least one character.
fn name(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        let is_part = c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
        match quote {
            Some(end) if c == end => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '`' => quote = Some(c),
                // An array is no name.
                '[' if at == 0 || text[..at].ends_with('.') => quote = Some(']'),
                _ if is_part => {}
                _ => return at,
            },
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(statement: &str) -> String {
        summary(statement, Dialect::Postgres).unwrap_or_default()
    }

    #[test]
    fn a_summary_has_operations_and_tables_in_their_order() {
        for (given, seen) in [
            (
                "SELECT * FROM wuser_table WHERE username = 'x'",
                "SELECT wuser_table",
            ),
            ("select id from orders", "select orders"),
            (
                "INSERT INTO shipping (a, b) SELECT a, b FROM orders WHERE id = 7",
                "INSERT shipping SELECT orders",
            ),
            (
                "SELECT * FROM songs, artists a, albums WHERE x",
                "SELECT songs artists albums",
            ),
            (
                "SELECT d FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.id)",
                "SELECT SELECT orders customers",
            ),
            (
                "SELECT * FROM \"song list\", \"artists\"",
                "SELECT \"artists\"",
            ),
            ("SELECT a FROM shop.orders AS o", "SELECT shop.orders"),
            (
                "SELECT \"o\".\"id\" FROM \"shop\".\"orders\" \"o\"",
                "SELECT \"shop\".\"orders\"",
            ),
            (
                "UPDATE ONLY users SET a = 1, b = 2 WHERE c = 3",
                "UPDATE users",
            ),
            ("DELETE FROM users USING carts WHERE x", "DELETE users"),
            (
                "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
                "INSERT t",
            ),
            ("SELECT a FROM t FOR UPDATE", "SELECT t"),
            ("SELECT EXTRACT(YEAR FROM born) FROM users", "SELECT users"),
            ("SELECT SUBSTRING(a FROM b, c) FROM users", "SELECT users"),
            ("SELECT * FROM a[1]", "SELECT a"),
            ("SELECT a FROM t WHERE b IS DISTINCT FROM c", "SELECT t"),
            (
                "WITH old AS (SELECT id FROM orders) DELETE FROM carts WHERE x",
                "SELECT orders DELETE carts",
            ),
            (
                "CREATE TABLE IF NOT EXISTS users (id int)",
                "CREATE TABLE users",
            ),
            ("DROP VIEW v", "DROP VIEW v"),
            ("CREATE USER bob", "CREATE USER"),
            ("TRUNCATE TABLE a", "TRUNCATE a"),
            ("BEGIN; SELECT 1 FROM a; COMMIT", "BEGIN SELECT a COMMIT"),
            (
                "SELECT a FROM t, (SELECT b; SELECT c FROM u), v",
                "SELECT t SELECT SELECT u",
            ),
            ("EXPLAIN ANALYZE SELECT 1 FROM a", "SELECT a"),
            ("SELECT generate_series(1, 3)", "SELECT"),
            ("SELECT 1 UNION SELECT a FROM t", "SELECT SELECT t"),
            ("SET x = 'y'", "SET"),
            ("garbage FROM t", ""),
            ("", ""),
        ] {
            assert_eq!(of(given), seen, "{given}");
        }
    }

    #[test]
    fn the_tables_after_deep_parentheses_are_named() {
        for depth in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 9] {
            let (open, close) = ("(".repeat(depth), ")".repeat(depth));
            let statement = format!("SELECT * FROM a, {open}SELECT 1{close}, b");
            assert_eq!(of(&statement), "SELECT a SELECT b", "{depth}");
        }
    }

    #[test]
    fn a_summary_shows_no_literal() {
        for statement in [
            "SELECT * FROM 'canary'",
            "SELECT * FROM \"a canary\"",
            "SELECT * FROM t WHERE a = 'canary' UNION SELECT 'canary' FROM u",
            "SELECT 'it\\'s' FROM canary",
            "SELECT a FROM $$canary$$",
            "DELETE FROM t WHERE x = E'canary",
            "SET PASSWORD = canary",
            "canary FROM t",
        ] {
            let summary = of(statement);
            assert!(!summary.contains("canary"), "{statement}: {summary}");
        }
    }

    #[test]
    fn a_long_summary_ends_with_a_whole_name() {
        let tables: Vec<_> = (0..200).map(|n| format!("table_{n}")).collect();
        let summary = of(&format!("SELECT * FROM {}", tables.join(", ")));
        assert!(summary.len() <= 255, "{}", summary.len());
        let last = summary.split(' ').next_back().expect("a word");
        assert!(tables.iter().any(|table| table == last), "{last}");

        for (length, is_shown) in [(MAX_SUMMARY, true), (MAX_SUMMARY + 1, false)] {
            let name = "t".repeat(length - "SELECT ".len());
            let shown = of(&format!("SELECT * FROM {name}"));
            assert_eq!(shown.contains(&name), is_shown, "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "(SELECT|FROM|\\(|\\)|,|;|\\[|\"|`|é|a|\\.|\\?| ){0,60}") {
            for dialect in [Dialect::Any, Dialect::Postgres] {
                prop_assert!(summary(&text, dialect).is_none_or(|summary| summary.len() <= 255));
            }
        }
    }
}
