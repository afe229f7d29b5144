//! Tests that plant canaries wherever a secret may be.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

#[test]
fn ordinary_text_stays_unchanged() {
    let rows = [
        "",
        "connection refused",
        "what? no; never: 50% of a/b #12 [x] {y} \"z\"",
        "mail me@example.org, or the list: help@example.org",
        "at com.shop.Cart@1a2b: lodash@4.17 (see @scope/package)",
        "tonic::transport::Error(Transport, ConnectError(Os { code: 111 }))",
        "http://shop:8080/cart;v refused: 127.0.0.1:80 [::1]:80",
        "https://docs/%20a/b, http://[::1]:80/ and ftp://x.org.",
        "{\"url\":\"http://shop/cart\",\"error\":\"refused\"}",
        "a://b c://d e://",
        "why not?really",
        "é?\u{2192}",
        "://",
        "x ? y : z",
        "%",
        "%2",
        "%3a",
        "%3A%2",
        "?",
        "??",
        "a?.b",
    ];
    for row in rows {
        let row = row.replace(";v", "");
        assert_eq!(text(&row), row);
    }
}

#[test]
fn the_secrets_of_urls_are_hidden_and_the_rest_stays() {
    let rows = [
        (
            "error sending request for url (http://u:p@127.0.0.1:1/x?token=a)b): refused (os error 111)",
            "error sending request for url (http://127.0.0.1:1/x?token=): refused (os error 111)",
        ),
        (
            "é: https://shop/?a=1: refused, see https://docs/#x.",
            "é: https://shop/?a=: refused, see https://docs/.",
        ),
        ("\u{2192}http://u:p@s/", "\u{2192}http://s/"),
        (
            "from http://a@b to \"x+y.z://c@d?e=f\"",
            "from http://b to \"x+y.z://d?e=\"",
        ),
        // Only a password can hold these separators.
        ("pg://u:a#b@h/d", "pg://h/d"),
        ("pg://u:a?b@h/d refused", "pg://h/d refused"),
        ("pg://u:a/b@h/d", "pg://h/d"),
        ("pg://u:a@b@h/d", "pg://h/d"),
        ("pg://u:1/a#b?c=d@h/d", "pg://…"),
        ("pg://u:1/a?=c@h/d", "pg://…"),
        ("pg://u:a \"b' c@h/d", "pg://h/d"),
        ("pg://u:a\n@h/d", "pg://h/d"),
        ("pg://u:a b://c@h/d", "pg://h/d"),
        ("[\"pg://u:a@h\",\"pg://u:b@h\"]", "[\"pg://h\"]"),
        // Texts that can be read in two ways.
        ("pg://u:1/a@h/d", "pg://…@h/d"),
        ("pg://u:1?a@h/d x", "pg://… x"),
        ("pg://h/?a@b x", "pg://… x"),
        ("pg://h/x#a@b x", "pg://… x"),
        ("pg://u x@h/d", "pg://…@h/d"),
        ("pg://u:p@h?a@b", "pg://…"),
        ("pg://u:p@h?k=a@b", "pg://…"),
        ("http://h,i/?k=a@b", "http://…"),
        // User info, or no URL and a query behind it.
        ("http://?p:h reach h/d?k=v#@b: no", "http://…: no"),
        // Well-formed URLs.
        ("http://h/p?k=a@b&l=c x", "http://h/p?k=&l= x"),
        ("http://u:p@h:1/p?k=a@b#c x", "http://h:1/p?k= x"),
        (
            "http://h/p?k=v: no\n at Cart@1a2b",
            "http://h/p?k=: no\n at Cart@1a2b",
        ),
        ("\"http://h/p?k=a b@c\" u:p@h", "\"http://h/p?k=\" …@h"),
        // Texts without a scheme.
        ("cannot reach u:p w@h:1/d?k=v.", "cannot reach …@h:1/d?k=."),
        ("jdbc:pg://u:p@h", "…@h"),
        ("jdbc:pg://h/d?user=u", "jdbc:pg://h/d?user="),
        ("(u:p@h) http://v:w@i", "(…@h) http://i"),
        ("u:a://b@h", "…@h"),
        (":p@h", "…@h"),
        ("GET /cart?id=7&x HTTP/1.1", "GET /cart?id= HTTP/1.1"),
        ("GET /cart?token, x", "GET /cart, x"),
        // Quoted and escaped URLs.
        ("say 'http://h/?a=b c': no", "say 'http://h/?a=': no"),
        ("\"http://h/?a=b \"c\" d\", x", "\"http://h/?a=\", x"),
        (
            "\\\"http://h/?a=b c\\\",\\\"x\\\"",
            "\\\"http://h/?a=\\\",\\\"x\\\"",
        ),
        (
            "{\"u\":\"http://h/?a=1\",\"e\":\"x\"}",
            "{\"u\":\"http://h/?a=\",\"e\":\"x\"}",
        ),
        ("http:\\/\\/u:p@h\\/d?a=1", "http:\\/\\/h\\/d?a="),
        ("http://h/?a=b c&d=e f", "http://h/?a=&d= f"),
        ("http://h/?a=\"b\"c d", "http://h/?a= d"),
        ("http%3A%2F%2Fu%3Ap%40h x", "http%3A%2F%2F… x"),
        ("http%253a%252f%252fu x", "http%253a%252f%252f… x"),
        ("a/u%3Ap%40h x", "a/…h x"),
        ("http://h/a;k=v/b?k%3Dv=1", "http://h/a;k=/b"),
    ];
    for (given, seen) in rows {
        assert_eq!(text(given), seen, "{given}");
    }
}

#[test]
fn a_host_may_have_letters_of_every_language() {
    let rows = [
        ("shop", true),
        ("shop:80", true),
        ("b\u{fc}cher.example", true),
        ("b\u{fc}cher_1-2.example:80", true),
        ("\u{fc}", true),
        ("b\u{fc} cher", false),
        ("b\u{fc}@cher", false),
        ("b\u{fc}:8a", false),
        ("[::1]:80", true),
        ("[fe80::1%eth0]", true),
        ("[shop]", false),
        ("[::1", false),
        ("", false),
    ];
    for (given, is_host) in rows {
        assert_eq!(is_host_and_port(given), is_host, "{given}");
    }
}

#[test]
fn a_value_loses_the_user_before_its_host() {
    for (given, seen) in [
        ("u@h", "@h"),
        ("u p@h:1/?a=1", "@h:1/?a="),
        ("a://u@h", "a://h"),
        ("x", "x"),
        // A user and a host, or a host and a query with an `@`.
        ("h:1/d?k=a@b", "…"),
        ("h/d#a@b", "…"),
    ] {
        assert_eq!(value(given), seen, "{given}");
    }
}

/// Texts that may occur in a password and around a URL.
const PIECES: [&str; 34] = [
    "", "#", "?", "/", "@", ":", " ", "\t", "\n", "\"", "'", "`", "\\", "\\\"", "(", ")", "[", "]",
    "{", "}", "<", ">", "“", "”", "«", "»", ",", ";", "&", "%40", "%3A", "://", "é", "1",
];

const SCHEMES: [&str; 6] = [
    "http://",
    "pg://",
    "x+y-1.z://",
    "jdbc:pg://",
    "http:\\/\\/",
    "://",
];

const AROUND: [(&str, &str); 12] = [
    ("", ""),
    ("cannot reach ", ": refused"),
    ("url (", "): no (111)"),
    ("\"", "\": x"),
    ("'", "'"),
    ("`", "`."),
    ("<", ">"),
    ("{\"u\":\"", "\",\"e\":\"x\"}"),
    ("\\\"", "\\\""),
    ("«", "»"),
    ("DB=", "; x"),
    ("see http://docs/a?b=c, ", " or ftp://u:canary@x/y"),
];

fn assert_hidden(given: &str) {
    let seen = text(given);
    assert!(!seen.contains("canary"), "{given:?}: {seen:?}");
}

#[test]
fn no_password_survives_in_any_quoting() {
    for (n, (before, after)) in AROUND.into_iter().enumerate() {
        for scheme in [SCHEMES[n % SCHEMES.len()], SCHEMES[n / 2 % SCHEMES.len()]] {
            for a in PIECES {
                // After a blank, `://` would begin a URL of its own.
                let ends_user = a.trim().is_empty() && !a.is_empty();
                for b in PIECES {
                    if ends_user && b == "://" {
                        continue;
                    }
                    let url = format!("{scheme}u:{a}canary{b}canary@h/d");
                    assert_hidden(&format!("{before}{url}{after}"));
                    let url = format!("{scheme}canary{a}canary{b}x:canary@h:1/d?k=canary");
                    assert_hidden(&format!("{before}{url}{after}"));
                    let url = format!("{scheme}canary{a}{b}canary@h");
                    assert_hidden(&format!("{before}{url}{after}"));
                }
            }
        }
        for a in PIECES.into_iter().filter(|piece| !piece.trim().is_empty()) {
            for b in PIECES {
                assert_hidden(&format!("{before}canary:{a}canary{b}canary@h/d{after}"));
            }
        }
    }
}

#[test]
fn no_query_value_survives_in_any_quoting() {
    let is_open = |piece: &str| piece.chars().any(char::is_whitespace);
    for (before, after) in AROUND {
        for url in [
            "http://h/",
            "http://h",
            "http://u:canary@h:1/d",
            "pg://h,i:1/d",
            "/cart",
            "h/d",
        ] {
            for a in PIECES.into_iter().filter(|piece| !is_open(piece)) {
                for b in PIECES.into_iter().filter(|piece| !is_open(piece)) {
                    assert_hidden(&format!(
                        "{before}{url}?k={a}canary{b}canary&l=canary{after}"
                    ));
                    assert_hidden(&format!(
                        "{before}{url}?k={a}canary&l={b}canary#canary{after}"
                    ));
                    assert_hidden(&format!("{before}{url}?k=x{a}canary{b}y{after}"));
                }
            }
        }
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a watchdog")]
fn a_long_text_of_one_word_takes_no_quadratic_time() {
    for part in [
        "://",
        "a://b@",
        "?\"://",
        "http://x?a=b&",
        "x://[::1]:",
        "?a=\"))))))))))))))))))\"))",
    ] {
        let given = part.repeat((1 << 20) / part.len());
        for given in [format!("(http://u:{given}@h"), format!(" {given}")] {
            let start = Instant::now();
            text(&given);
            // Each is read in less than a second, or in half a minute by an emulator on a busy machine. A million million
            // steps take a debug build hours.
            assert!(start.elapsed() < Duration::from_secs(300), "{part}");
        }
    }
}

proptest! {
    #[test]
    fn nothing_between_a_scheme_and_the_host_survives(
        before in "([a-z(\"'<]{0,5} ){0,2}[(\"'<]?",
        user in "[^=:]{0,6}",
        password in "[^=]{0,12}",
        after in "(/[a-z]{0,3}|[)\"'>]?[:,.] [a-z ]{0,9})?",
    ) {
        let given = format!("{before}pg://u:x{user}canary{password}@host{after}");
        let seen = text(&given);
        prop_assert!(!seen.contains("canary"), "{given:?}: {seen:?}");
    }

    #[test]
    fn no_text_causes_a_panic_even_after_redaction(
        given in "([a-z]{0,2}|[:/@?#&=;%\\\\\"'()<> ]|://|%3[aA]|%40|%2F|é|…){0,24}"
    ) {
        let seen = text(&given).into_owned();
        prop_assert!(seen.len() <= given.len() + 4 * given.len());
        let _ = value(&given);
        let _ = text(&seen);
    }

    #[test]
    fn words_without_separators_stay_unchanged(given in "[\\PC&&[^@?#;%:]]{0,40}") {
        prop_assert_eq!(&*text(&given), &*given);
    }
}
