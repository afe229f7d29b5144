use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::words::MAX_READ;
use super::{Dialect, error_text, holds_secret, scrubbed, verb};

fn any(statement: &str) -> String {
    scrubbed(statement, Dialect::Any, 4_096)
}

fn postgres(statement: &str) -> String {
    scrubbed(statement, Dialect::Postgres, 4_096)
}

#[test]
fn literals_become_question_marks_and_the_shape_stays() {
    for (given, seen) in [
        ("SELECT 1", "SELECT ?"),
        ("select a, b from t", "select a, b from t"),
        (
            "SELECT 'a' FROM t WHERE b = 'it''s'",
            "SELECT ? FROM t WHERE b = ?",
        ),
        (
            "SELECT * FROM t1 WHERE c2=3 AND d >= -1.5e-3",
            "SELECT * FROM t1 WHERE c2=? AND d >= ?",
        ),
        (
            "SELECT 0xCAFE, X'1F', b'01', N'x', _utf8'x', E'x'",
            "SELECT ?",
        ),
        ("SELECT a-1, a - 1, 5-3", "SELECT a-?, a - ?"),
        ("SELECT .5", "SELECT ?"),
        ("SELECT $1a, b", "SELECT ?, b"),
        ("SELECT 1+5, a", "SELECT ?+?, a"),
        ("SELECT 1e+5, a", "SELECT ?, a"),
        ("SELECT 0x1e+5, a", "SELECT ?+?, a"),
        ("SELECT 0X1E+5, a", "SELECT ?+?, a"),
        ("SELECT date'2020-02-02'", "SELECT date?"),
        ("WHERE", "…"),
        (
            "SELECT a WHERE b IN (1, 2 ,3) AND c IN ('x','y')",
            "SELECT a WHERE b IN (?) AND c IN (?)",
        ),
        ("SELECT a WHERE b IN (?, ?, ?)", "SELECT a WHERE b IN (?)"),
        (
            "INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y')",
            "INSERT INTO t (a, b) VALUES (?)",
        ),
        (
            "INSERT INTO t VALUES ($1, $2), ($3, $4)",
            "INSERT INTO t VALUES (?)",
        ),
        (
            "INSERT INTO t VALUES (1, NULL)",
            "INSERT INTO t VALUES (?, NULL)",
        ),
        (
            "SELECT a WHERE b = :name AND c = @p1",
            "SELECT a WHERE b = :name AND c = @p1",
        ),
        ("SELECT a WHERE b = TRUE", "SELECT a WHERE b = ?"),
        (
            "SELECT\n\t a /* user=7 */ FROM t -- 'x\n WHERE b",
            "SELECT a FROM t WHERE b",
        ),
        ("SELECT a # user 7\nFROM t", "SELECT a FROM t"),
        ("SELECT `a`.`b c`, `2x` FROM `t`", "SELECT `a`.? FROM `t`"),
        ("SELECT \"a\" FROM t", "SELECT ? FROM t"),
        (
            "SELECT [a] FROM [dbo].[t x] WHERE b = 'x'",
            "SELECT [a] FROM [dbo].[t x] WHERE b = ?",
        ),
        (
            "SELECT ARRAY['a', 'b'], a[1], b[c[2]]",
            "SELECT ARRAY[?], a[?], b[c[?]]",
        ),
        ("SELECT $$it$$, $tag$x$tag$", "SELECT ?"),
        (
            "SELECT a FROM t WHERE id = 123e4567-e89b-12d3-a456-426655440000",
            "SELECT a FROM t WHERE id = ?",
        ),
        (
            "SELECT a FROM t WHERE id = a23e4567-e89b-12d3-a456-426655440000",
            "SELECT a FROM t WHERE id = ?",
        ),
        (
            "SELECT größe FROM t WHERE ort = 'Ä'",
            "SELECT größe FROM t WHERE ort = ?",
        ),
        ("BEGIN; SELECT 1; COMMIT", "BEGIN; SELECT ?; COMMIT"),
        ("(SELECT 1) UNION (SELECT 2)", "(SELECT ?) UNION (SELECT ?)"),
        ("SELECT q'[a]'", "SELECT ?"),
        ("SELECT 'a\\\\'", "SELECT ?"),
        ("", ""),
        (" \n", ""),
    ] {
        assert_eq!(any(given), seen, "{given}");
    }
}

#[test]
fn names_operators_and_arrays_of_postgres_stay() {
    for (given, seen) in [
        (
            "SELECT \"u\".\"id\" FROM \"users\" AS \"u\"",
            "SELECT \"u\".\"id\" FROM \"users\" AS \"u\"",
        ),
        ("SELECT \"a b\"", "SELECT ?"),
        ("SELECT a #>> '{b}' FROM t", "SELECT a #>> ? FROM t"),
        ("SELECT 5--'x\n, a", "SELECT ? , a"),
        ("SELECT $a$ it's $a$ FROM t", "SELECT ? FROM t"),
        ("SELECT E'x', U&'y'", "SELECT ?, U&?"),
        ("SELECT a['x]'], b", "SELECT a[?], b"),
    ] {
        assert_eq!(postgres(given), seen, "{given}");
    }
}

#[test]
fn the_rest_is_hidden_where_readings_differ_or_nothing_ends() {
    for (given, seen) in [
        ("SELECT 'a\\' OR b = 'x'", "SELECT …"),
        (
            "SELECT a FROM t WHERE b = 'x",
            "SELECT a FROM t WHERE b = …",
        ),
        ("SELECT a /* x", "SELECT a …"),
        ("SELECT a /* /* */ x */ b", "SELECT a …"),
        ("SELECT a /*!50000 'x' */", "SELECT a …"),
        ("SELECT a # it's\n, 'x'", "SELECT a …"),
        ("SELECT 5--'a\n', 'x'", "SELECT ?…"),
        ("SELECT a -- b\rc\nd", "SELECT a …"),
        ("SELECT $a$ it's $a$ FROM t", "SELECT ?…"),
        ("SELECT $$x", "SELECT …"),
        ("SELECT [it's], 'x'", "SELECT …"),
        ("SELECT [a]]'b], 'x'", "SELECT …"),
        ("SELECT [it's], [x's]", "SELECT …"),
        ("SELECT q'[it's]', 'x'", "SELECT …"),
        ("SELECT '''it's''', x", "SELECT …"),
        ("SELECT `it's`, 'x'", "SELECT …"),
        ("SELECT ‘x’", "SELECT …"),
        ("SELECT a // it's\n'x'", "SELECT a …"),
        ("SELECT a # b // c\n, 'x'", "SELECT a …"),
        ("SELECT a # b /* c\n, 'x'", "SELECT a …"),
    ] {
        assert_eq!(any(given), seen, "{given}");
    }
}

#[test]
fn a_long_statement_is_read_and_shown_in_part() {
    let statement = format!("SELECT {}", "columns, ".repeat(MAX_READ / 8));
    assert!(statement.len() > MAX_READ);
    let shown = scrubbed(&statement, Dialect::Any, usize::MAX);
    assert!(shown.ends_with('…') && shown.len() < MAX_READ + 20);
    let shown = scrubbed(&statement, Dialect::Any, 10);
    assert_eq!(shown, "SELECT columns");
}

#[test]
fn values_without_quotes_are_hidden() {
    for (given, seen) in [
        ("SET PASSWORD = x", "SET …"),
        ("PRAGMA key = x", "PRAGMA …"),
        ("EXEC login alice, x", "EXEC …"),
        ("SELECT 1; SET a = x", "SELECT ?; SET …"),
        (
            "CREATE USER u IDENTIFIED BY x",
            "CREATE USER u IDENTIFIED …",
        ),
        (
            "ALTER ROLE r WITH PASSWORD x",
            "ALTER ROLE r WITH PASSWORD …",
        ),
        (
            "GRANT ALL ON t TO u IDENTIFIED BY x",
            "GRANT ALL ON t TO u IDENTIFIED …",
        ),
        ("hunter2 is no SQL", "…"),
        ("{\"find\": \"users\"}", "{?: ?}"),
        (
            "SELECT password FROM t WHERE password = 'x'",
            "SELECT password FROM t WHERE password = ?",
        ),
    ] {
        assert_eq!(any(given), seen, "{given}");
    }
}

#[test]
fn a_statement_is_named_by_its_first_word() {
    for (given, word) in [
        ("select 1", Some("SELECT")),
        (" /* a */ -- b\n ( INSERT INTO t", Some("INSERT")),
        ("# a\nwith x as (select 1) select 2", Some("WITH")),
        ("create table t (a int)", Some("CREATE")),
        ("SELECT_1", None),
        ("canary", None),
        ("/* never ends", None),
        ("", None),
    ] {
        assert_eq!(verb(given), word, "{given}");
    }
}

#[test]
fn secrets_are_found_by_their_names() {
    for (given, is_secret) in [
        ("UPDATE users SET Password_Hash = $1", true),
        ("CREATE USER u IDENTIFIED BY 'x'", true),
        ("INSERT INTO sessions (access_token) VALUES ($1)", true),
        ("SELECT name FROM users", false),
    ] {
        assert_eq!(holds_secret(given), is_secret, "{given}");
    }
    // A text that is too long to read may hold one.
    for (bytes, is_secret) in [
        (MAX_READ, false),
        (MAX_READ + 1, true),
        (MAX_READ + 2, true),
    ] {
        assert_eq!(holds_secret(&"a".repeat(bytes)), is_secret, "{bytes}");
    }
}

#[test]
fn the_data_in_an_error_is_hidden() {
    for (given, seen) in [
        (
            "Duplicate entry 'a@b.c' for key 'email'",
            "Duplicate entry ?",
        ),
        ("can't connect", "can't connect"),
        ("port 12345, id 123456", "port 12345, id ?"),
        ("can't read 'it's x' at all", "can't read ? at all"),
        (
            "invalid input syntax for type integer: \"x\"",
            "invalid input syntax for type integer: ?",
        ),
        (
            "duplicate key\nDETAIL: Key (email)=(x) already exists.",
            "duplicate key",
        ),
        ("Key (email)=(x) already exists", "Key (email)…"),
        (
            "The duplicate key value is (7, x).",
            "The duplicate key value…",
        ),
        (
            "no such table: users (os error 111)",
            "no such table: users (os error 111)",
        ),
        (
            "value 4200000000 is out of range",
            "value ? is out of range",
        ),
        ("cannot reach pg://u:x@h/d", "cannot reach pg://h/d"),
        ("der Wert »x« passt nicht", "der Wert ? passt nicht"),
        ("an open 'x", "an open ?"),
        ("cannot run 'it''s x\n'y'", "cannot run ?"),
        (
            "cannot run \"SELECT \"a\" /* x */ b=( \"c\"\": no",
            "cannot run ?",
        ),
        (
            "key 'a' exists. The value is (7, x).",
            "key ? exists. The value…",
        ),
        ("", ""),
    ] {
        assert_eq!(error_text(given), seen, "{given}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a watchdog")]
fn a_long_statement_takes_no_quadratic_time() {
    for part in [
        "[", "[a]]", "q'[", "$a", "--\n", "(?), ", "'a', ", "`", "\\'", "a[1]",
    ] {
        let given = format!("SELECT {}", part.repeat((1 << 20) / part.len()));
        let start = Instant::now();
        scrubbed(&given, Dialect::Any, usize::MAX);
        scrubbed(&given, Dialect::Postgres, usize::MAX);
        assert!(start.elapsed() < Duration::from_secs(300), "{part}");
    }
}

/// A piece of a statement, with `canary` where there is data, for servers with and without backslash escapes.
fn piece() -> impl Strategy<Value = String> {
    let text = "[a-z %_(),;\\[\\]-]{0,6}";
    prop_oneof![
        "(a|b|FROM|WHERE|AND|=|<|,|\\(|\\)|\\*|\\n|\\[|\\]|\\.|-|\\+|/|::| ){1,4}",
        (text, text).prop_map(|(a, b)| format!(" '{a}canary''{b}' ")),
        (text, text).prop_map(|(a, b)| format!(" \"{a}canary\"\"{b}\" ")),
        (text, text).prop_map(|(a, b)| format!(" -- {a}canary it's {b}\n ")),
        text.prop_map(|a| format!(" /* {a}canary it's */ ")),
        (text, "(E|N|_utf8)?").prop_map(|(a, e)| format!(" {e}'{a}canary' ")),
        (text, text).prop_map(|(a, b)| format!(" 'canary{a}\\'{b}canary' ")),
        (text, text).prop_map(|(a, b)| format!(" $t${a}canary it's {b}$t$ ")),
        text.prop_map(|a| format!(" # {a}canary it's\n ")),
        Just(" [it's a] ".to_owned()),
        Just(" `it's a` ".to_owned()),
        " [0-9]{1,3}canary",
    ]
}

proptest! {
    #[test]
    fn no_data_survives(pieces in proptest::collection::vec(piece(), 0..8)) {
        let given = format!("SELECT {}", pieces.concat());
        let seen = any(&given);
        prop_assert!(!seen.contains("canary"), "{given:?}: {seen:?}");
    }

    #[test]
    fn no_text_causes_a_panic_and_a_scrubbed_one_stays_short(
        given in "([a-zA-Z]{0,3}|['\"`$#\\[\\]\\\\/*;().,?{} -]|é|“|0x1|\\n){0,24}"
    ) {
        for dialect in [Dialect::Any, Dialect::Postgres] {
            let seen = scrubbed(&given, dialect, 64);
            prop_assert!(seen.len() <= given.len() + '…'.len_utf8());
        }
        let _ = verb(&given);
        let _ = error_text(&given);
    }
}
