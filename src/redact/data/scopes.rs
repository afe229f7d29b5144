//! The parts of a text that belong together: objects, lists, tags, elements.

use crate::redact::data::words::{is_in_word, quoted_end, string_end};
use crate::redact::secret_names::is_secret_name;

/// The scopes of a text, one within another, with the names of secrets in them.
pub(super) struct Scopes {
    /// The first one is the whole text. Each stands behind the one that it is in.
    scopes: Vec<Scope>,
    /// The places at which the scope changes, in their order, and the scope from there on.
    changes: Vec<(usize, usize)>,
}

struct Scope {
    kind: Kind,
    parent: usize,
    /// The end of the last name of a secret at any depth.
    last_name: usize,
    /// The end of the last name of a secret that is a value of its own, as in `"name":"password"`.
    last_value: usize,
    /// Whether the text ends before the scope does.
    is_cut: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Object,
    List,
    Group,
    /// From `<name` to `>`: it holds attributes.
    Tag,
    /// The text between two tags.
    Element,
}

impl Scopes {
    /// Reads a text once.
    pub(super) fn of(text: &str) -> Self {
        let mut reader = Reader {
            scopes: Self {
                scopes: vec![Scope::new(Kind::Text, 0)],
                changes: vec![(0, 0)],
            },
            open: vec![0],
        };
        reader.read(text);
        reader.finish()
    }

    /// Returns whether a value whose key ends at `at` may belong to the name of a secret behind it.
    ///
    /// That name is in the same object, tag or element. Or it is a value of an object around that one, up to the next
    /// list. If the text was cut within one of these, the name may have been cut off.
    pub(super) fn name_later(&self, at: usize, is_name_of_tag: bool) -> bool {
        let next = self.changes.partition_point(|(place, _)| *place < at);
        let (_, mut place) = self.changes[next.saturating_sub(1)];
        if is_name_of_tag && self.scopes[place].kind == Kind::Tag {
            place = self.scopes[place].parent;
        }
        let own = &self.scopes[place];
        let mut is_named = own.is_cut || own.last_name > at;
        let mut most = MAX_DEPTH;
        while !is_named && place > 0 && most > 0 {
            place = self.scopes[place].parent;
            most -= 1;
            let around = &self.scopes[place];
            if around.kind == Kind::List {
                break;
            }
            is_named = around.is_cut || around.last_value > at;
        }
        is_named || most == 0
    }
}

impl Scope {
    fn new(kind: Kind, parent: usize) -> Self {
        Self {
            kind,
            parent,
            last_name: 0,
            last_value: 0,
            is_cut: false,
        }
    }
}

struct Reader {
    scopes: Scopes,
    /// The scopes that are open, the innermost last.
    open: Vec<usize>,
}

impl Reader {
    fn read(&mut self, text: &str) {
        let mut at = 0;
        let mut string = 0; // the end of the last string
        while let Some(c) = text[at..].chars().next() {
            let rest = &text[at..];
            let end = at + c.len_utf8();
            if is_in_name(c) {
                let name = &rest[..rest.find(|c| !is_in_name(c)).unwrap_or(rest.len())];
                at += name.len();
                if is_secret_name(name) {
                    self.note(at, &text[at..]);
                }
                continue;
            }
            if at >= string {
                match c {
                    '"' => string = at + string_end(rest, '"'),
                    '\'' | '`' if begins_string(&text[..at]) => {
                        string = at
                            + quoted_end(rest, c).unwrap_or_else(|| {
                                // The text was cut, so this scope ends behind it.
                                self.open(Kind::Group, end);
                                rest.len()
                            });
                    }
                    '{' => self.open(Kind::Object, end),
                    '[' => self.open(Kind::List, end),
                    '(' => self.open(Kind::Group, end),
                    '}' => self.close_through(Kind::Object, end),
                    ']' => self.close_through(Kind::List, end),
                    ')' => self.close_through(Kind::Group, end),
                    '<' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                        self.open(Kind::Tag, end);
                    }
                    '<' if rest[1..].starts_with('/') && self.innermost() == Kind::Element => {
                        self.close(end);
                    }
                    '>' if self.innermost() == Kind::Tag => {
                        self.close(end);
                        if !text[..at].ends_with('/') {
                            self.open(Kind::Element, end);
                        }
                    }
                    _ => {}
                }
            }
            at = end;
        }
    }

    /// Notes the name of a secret that ends at `end`.
    fn note(&mut self, end: usize, behind: &str) {
        let unquoted = behind.trim_start_matches(['"', '\'', '`', '\\', ']']);
        let is_key = behind.starts_with('>') || unquoted.trim_start().starts_with([':', '=']);
        let scope = self.scope();
        scope.last_name = end;
        if !is_key {
            scope.last_value = end;
        }
    }

    fn innermost(&self) -> Kind {
        let place = self.open.last().copied().unwrap_or(0);
        self.scopes.scopes[place].kind
    }

    fn scope(&mut self) -> &mut Scope {
        let place = self.open.last().copied().unwrap_or(0);
        &mut self.scopes.scopes[place]
    }

    fn open(&mut self, kind: Kind, at: usize) {
        let parent = self.open.last().copied().unwrap_or(0);
        let place = self.scopes.scopes.len();
        self.scopes.scopes.push(Scope::new(kind, parent));
        self.open.push(place);
        self.scopes.changes.push((at, place));
    }

    /// Closes the innermost scope of a kind, and those that were left open within it. Does nothing if there is none.
    fn close_through(&mut self, kind: Kind, at: usize) {
        // Many brackets that close nothing must not each look through a deep nesting.
        let mut innermost = self.open.iter().rev().take(MAX_DEPTH);
        if let Some(depth) = innermost.position(|&place| self.scopes.scopes[place].kind == kind) {
            for _ in 0..=depth {
                self.close(at);
            }
        }
    }

    /// Closes the innermost scope. The names in it are in the one around, too.
    fn close(&mut self, at: usize) {
        if self.open.len() < 2 {
            return;
        }
        let inner = self.open.pop().unwrap_or(0);
        let last_name = self.scopes.scopes[inner].last_name;
        let outer = self.scope();
        outer.last_name = outer.last_name.max(last_name);
        let place = self.open.last().copied().unwrap_or(0);
        self.scopes.changes.push((at, place));
    }

    fn finish(mut self) -> Scopes {
        while self.open.len() > 1 {
            self.scope().is_cut = true;
            self.close(usize::MAX);
        }
        self.scopes
    }
}

fn is_in_name(c: char) -> bool {
    is_in_word(c) || c == '\\'
}

/// Returns whether a quote behind this text begins a string. Elsewhere it may be an apostrophe.
fn begins_string(before: &str) -> bool {
    // Python writes `b'…'` for bytes.
    let before = before.trim_end_matches(['b', 'r', 'u']).trim_end();
    before.ends_with([':', '=', ',', '(', '[', '{']) || before.ends_with("=>")
}

/// At most this number of scopes is looked through. Beyond, a value is hidden.
const MAX_DEPTH: usize = 64;
