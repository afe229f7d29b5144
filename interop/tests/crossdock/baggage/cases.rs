//! The baggage that is sent.

use std::collections::BTreeMap;

/// Baggage items by their keys.
pub(super) type Items = BTreeMap<String, String>;

/// Baggage to send.
pub(super) struct Case {
    /// What it is, for the page.
    pub(super) name: &'static str,
    content: Content,
}

enum Content {
    /// One item with the key `item`.
    Value(&'static str),
    /// One item with this key.
    Key(&'static str),
    /// One item with so many bytes.
    Bytes(usize),
    /// So many items.
    Items(usize),
}

impl Case {
    const fn value(name: &'static str, value: &'static str) -> Self {
        Self {
            name,
            content: Content::Value(value),
        }
    }

    /// Returns what is sent, beside the one item that every trace of the crossdock has.
    pub(super) fn items(&self) -> Items {
        let item = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        match self.content {
            Content::Value(value) => Items::from([item("item", value)]),
            Content::Key(key) => Items::from([item(key, "value")]),
            Content::Bytes(length) => Items::from([item("item", &"x".repeat(length))]),
            Content::Items(number) => {
                let items = (1..number).map(|n| item(&format!("item-{n}"), &n.to_string()));
                items.collect()
            }
        }
    }

    /// Returns the value as the page shows it, or nothing if it is no value that can be shown.
    pub(super) fn shown(&self) -> Option<&'static str> {
        match self.content {
            Content::Value("") => None,
            Content::Value(text) | Content::Key(text) => Some(text),
            Content::Bytes(_) | Content::Items(_) => None,
        }
    }
}

/// All baggage that is sent.
pub(super) const CASES: &[Case] = &[
    Case::value("an empty value", ""),
    Case::value("a space", "a b"),
    Case::value("spaces at the ends", " a "),
    Case::value("a plus sign", "a+b"),
    Case::value("a percent sign", "100%"),
    Case::value("an escape", "a%20b"),
    Case::value("quotes", "\"a\"'b'"),
    Case::value("a comma", "a,b"),
    Case::value("a semicolon", "a;b"),
    Case::value("an equals sign", "a=b"),
    Case::value("a backslash", "a\\b"),
    Case::value("non-ASCII", "Zürich€"),
    Case::value("beyond 16 bits", "😀"),
    Case {
        name: "4,096 bytes",
        content: Content::Bytes(4_096),
    },
    Case {
        name: "64 items",
        content: Content::Items(64),
    },
    Case {
        name: "a key in mixed case",
        content: Content::Key("User-Id"),
    },
];
