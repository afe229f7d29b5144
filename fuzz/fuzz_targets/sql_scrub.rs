//! Statements with a planted secret in a literal or in a comment, as several servers quote them: it is never shown.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tracehound::fuzzing::{scrub_sql, scrub_sql_error};
use tracehound_fuzz::canary::{CANARY, assert_hidden};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    server: Server,
    pieces: Vec<Piece<'a>>,
}

/// The rules by which a server reads quotes.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    /// Strings in single and in double quotes, a backslash escapes, `#` begins a comment.
    MySql,
    /// Names in double quotes, strings also in dollar quotes.
    Postgres,
    /// Names in double quotes and in brackets.
    MsSql,
    /// Strings such as `q'[it's]'`.
    Oracle,
}

#[derive(Arbitrary, Debug)]
enum Piece<'a> {
    /// Text outside of literals.
    Plain(&'a str),
    /// A string, which may stand right behind the text before it.
    Text {
        is_glued: bool,
        is_double: bool,
        left: &'a str,
        right: &'a str,
    },
    /// A name in quotes of the server.
    Name(&'a str),
    /// Syntax that only some servers have: a string in dollar quotes, in three quotes or of Oracle, a comment behind
    /// `#`.
    Special { left: &'a str, right: &'a str },
    /// A comment to the end of the line.
    Line { left: &'a str, right: &'a str },
    /// A comment between `/*` and `*/`.
    Block { left: &'a str, right: &'a str },
}

fuzz_target!(|input: Input<'_>| {
    let statement = input.statement(CANARY);
    // Parts of it may stand in what is shown.
    if input.statement("").contains(CANARY) {
        return;
    }
    for is_postgres in [false, input.server == Server::Postgres] {
        let seen = scrub_sql(&statement, is_postgres);
        assert_hidden(&statement, &seen);
        assert!(seen.len() <= statement.len() + '…'.len_utf8(), "{seen}");
    }
    let error = format!("cannot run \"{statement}\": no");
    assert_hidden(&error, &scrub_sql_error(&error));
});

impl Input<'_> {
    fn statement(&self, secret: &str) -> String {
        let pieces = self.pieces.iter();
        let pieces: String = pieces
            .map(|piece| piece.written(self.server, secret))
            .collect();
        format!("SELECT {pieces}")
    }
}

impl Piece<'_> {
    fn written(&self, server: Server, secret: &str) -> String {
        match *self {
            Self::Plain(text) => plain(text, server),
            Self::Text {
                is_glued,
                is_double,
                left,
                right,
            } => {
                let quote = match is_double && server == Server::MySql {
                    true => '"',
                    false => '\'',
                };
                let body =
                    format!("{left}{secret}{right}").replace(quote, &format!("{quote}{quote}"));
                let body = match server {
                    Server::MySql => body.replace('\\', "\\\\"),
                    _ => body,
                };
                let gap = if is_glued { "" } else { " " };
                format!("{gap}{quote}{body}{quote} ")
            }
            Self::Name(name) => match server {
                Server::MySql => format!(" `{}` ", name.replace('`', "``")),
                Server::MsSql => format!(" [{}] ", name.replace(']', "]]")),
                Server::Postgres | Server::Oracle => format!(" \"{}\" ", name.replace('"', "\"\"")),
            },
            Self::Special { left, right } => {
                let body = format!("{left}{secret}{right}");
                match server {
                    Server::MySql => format!(" # {}\n", body.replace('\n', " ")),
                    Server::Postgres => format!(" $t${}$t$ ", body.replace('$', "")),
                    Server::Oracle => format!(" q'[{}]' ", body.replace(']', "")),
                    Server::MsSql => String::new(),
                }
            }
            Self::Line { left, right } => {
                let body = format!("{left}{secret}{right}");
                let ends: &[char] = match server {
                    Server::MySql => &['\n'],
                    _ => &['\n', '\r'],
                };
                format!(" -- {}\n", body.replace(ends, " "))
            }
            Self::Block { left, right } => {
                let body = format!("{left}{secret}{right}");
                // Servers with comments inside of comments get no slash at all.
                let body = match server {
                    Server::MySql | Server::Oracle => without(body, "*/"),
                    _ => body.replace('/', ""),
                };
                format!(" /* {body} */ ")
            }
        }
    }
}

/// Returns a text without a part, also where taking the part out brings its halves together.
fn without(mut text: String, part: &str) -> String {
    while text.contains(part) {
        text = text.replace(part, "");
    }
    text
}

/// Returns a text without what opens a literal, a name or a comment at a server.
fn plain(text: &str, server: Server) -> String {
    let quotes: &[char] = match server {
        Server::MySql => &['\'', '"', '`', '#', '/', '-'],
        Server::Postgres => &['\'', '"', '$', '/', '-'],
        Server::MsSql => &['\'', '"', '[', '/', '-'],
        Server::Oracle => &['\'', '"', '/', '-'],
    };
    text.replace(quotes, " ")
}
