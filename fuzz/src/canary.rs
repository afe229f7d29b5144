//! Texts with a secret in them.

use std::fmt::Display;

use arbitrary::Arbitrary;

/// A text around a URL or around user info without a scheme, with [`CANARY`] where a secret stands.
#[derive(Arbitrary, Debug)]
pub struct Planted<'a> {
    place: Place,
    around: u8,
    before: &'a str,
    site: u8,
    left: &'a str,
    right: &'a str,
    after: &'a str,
}

/// The secret that must not be seen.
pub const CANARY: &str = "canary";

/// The part of a text that holds the secret.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the password of a URL.
    Password,
    /// In the user name of a URL without a password.
    User,
    /// In user info that no scheme precedes.
    Bare,
    /// In the value of a query.
    Query,
    /// In the fragment behind a query.
    Fragment,
}

impl Planted<'_> {
    /// The text; none where what was planted can be read as ordinary text, as the page of `tracehound::redact` says.
    pub fn text(&self) -> Option<String> {
        let Self { left, right, .. } = *self;
        let (open, close) = AROUND[usize::from(self.around) % AROUND.len()];
        let (before, after) = (self.before, self.after);
        if [before, after].iter().any(|text| text.contains(CANARY)) {
            return None;
        }
        let scheme = SCHEMES[usize::from(self.site) % SCHEMES.len()];
        let page = PAGES[usize::from(self.site) % PAGES.len()];
        let secret = match self.place {
            Place::Password => format!("{scheme}u:{left}{CANARY}{right}@host"),
            Place::User => format!("{scheme}{left}{CANARY}{right}@host"),
            Place::Bare => format!("u:{left}{CANARY}{right}@host"),
            Place::Query => format!("{page}?k={left}{CANARY}{right}"),
            Place::Fragment => format!("{page}?k=v#{left}{CANARY}{right}"),
        };
        self.is_secret(open)
            .then(|| format!("{before}{open}{secret}{close}{after}"))
    }

    /// Whether the canary is a secret in every reading of the text.
    fn is_secret(&self, open: &str) -> bool {
        let parts = [self.left, self.right];
        match self.place {
            // A well-formed URL may end in the user info, and another one or a query begin.
            Place::Password => !parts.iter().any(|part| is_url_or_pair(part)),
            // What stands before a blank is a host, and what stands behind it is a word.
            Place::User => !parts.iter().any(|part| {
                is_url_or_pair(part) || part.contains(|c: char| c.is_whitespace() || c == '/')
            }),
            // A colon and a blank are ordinary prose.
            Place::Bare => {
                !parts.iter().any(|part| is_url_or_pair(part))
                    && self.left.starts_with(|c: char| !c.is_whitespace())
            }
            // A blank ends a query, and so does the quote that it was opened with. Behind an `&`, what stands before a `=` is
            // a key.
            Place::Query | Place::Fragment => {
                let is_quote = |c: char| !c.is_alphanumeric() && !"-._~%&=+/?:;,@#".contains(c);
                let ends = |c: char| c.is_whitespace() || is_quote(c);
                let is_quoted = !open.is_empty() || self.before.ends_with(is_quote);
                let is_key = self.left.contains('&') && self.right.contains('=');
                let ends_early = parts.iter().any(|part| match is_quoted {
                    true => part.contains(ends),
                    false => part.contains(char::is_whitespace),
                });
                !is_key && !ends_early
            }
        }
    }
}

/// Panics where the canary is seen.
pub fn assert_hidden(given: &dyn Display, seen: &str) {
    assert!(!seen.contains(CANARY), "{given}\nis shown as\n{seen}");
}

fn is_url_or_pair(text: &str) -> bool {
    text.contains(['=', '&']) || text.replace('\\', "").contains("//") || text.contains(CANARY)
}

const SCHEMES: [&str; 6] = [
    "http://",
    "pg://",
    "x+y-1.z://",
    "jdbc:pg://",
    "http:\\/\\/",
    "amqps://",
];

const PAGES: [&str; 6] = [
    "http://h/",
    "http://h",
    "http://u:p@h:1/d",
    "pg://h,i:1/d",
    "/cart",
    "h/d",
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
    ("see http://docs/a?b=c, ", " or ftp://u:p@x/y"),
];
