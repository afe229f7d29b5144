//! Imports between files: each path is followed through the re-exports of `mod.rs` files to the file that defines it.

use std::collections::{HashMap, HashSet};

use super::paths::{Token, is_word, tokens};

/// A use of one file's name in another file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Import {
    pub(crate) from: String,
    pub(crate) line: usize,
    pub(crate) to: String,
}

/// Returns every import of `sources` (path under `src/` and text), except for those of tests and `lib.rs` and for
/// re-exports (`pub use`).
pub(crate) fn imports(sources: &[(String, String)]) -> Vec<Import> {
    let tests: Vec<_> = sources
        .iter()
        .flat_map(|(file, text)| test_modules(file, text))
        .collect();
    let paths: Vec<_> = sources
        .iter()
        .filter(|(file, _)| !tests.iter().any(|test| module(file).starts_with(test)))
        .map(|(file, text)| (file.as_str(), paths(file, text)))
        .collect();
    let house = House::new(&paths);
    let mut found = Vec::new();
    for (file, paths) in paths.iter().filter(|(file, _)| *file != "lib.rs") {
        for path in paths
            .iter()
            .filter(|path| !path.is_in_tests && path.hands_on.is_none())
        {
            let Some(to) = house.file_of(&path.names, 0) else {
                continue;
            };
            if to != *file && to != "lib.rs" {
                found.push(Import {
                    from: (*file).to_owned(),
                    line: path.line,
                    to: to.to_owned(),
                });
            }
        }
    }
    found
}

/// Returns the files of one circle of imports, in order, if there is a circle.
pub(crate) fn circle(imports: &[Import]) -> Option<Vec<String>> {
    let mut targets: HashMap<&str, Vec<&str>> = HashMap::new();
    for import in imports {
        targets.entry(&import.from).or_default().push(&import.to);
    }
    let mut files: Vec<_> = targets.keys().copied().collect();
    files.sort_unstable();
    let mut done = HashSet::new();
    for file in files {
        let mut way = Vec::new();
        if let Some(circle) = walk(file, &targets, &mut way, &mut done) {
            return Some(circle);
        }
    }
    None
}

fn walk<'a>(
    file: &'a str,
    targets: &HashMap<&'a str, Vec<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut HashSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(start) = way.iter().position(|known| *known == file) {
        return Some(way[start..].iter().map(|file| (*file).to_owned()).collect());
    }
    if !done.insert(file) {
        return None;
    }
    way.push(file);
    let next = targets.get(file).into_iter().flatten();
    let found = next
        .copied()
        .find_map(|next| walk(next, targets, way, done));
    way.pop();
    found
}

/// A path that a file names, in full.
#[derive(Debug)]
struct NamedPath {
    line: usize,
    /// From the crate's root: `["record", "open", "SpanSlot"]`.
    names: Vec<String>,
    is_in_tests: bool,
    /// The name under which a `pub use` re-exports it.
    hands_on: Option<String>,
}

/// The tables that lead from a path to its file.
struct House<'a> {
    /// The files by the names of their modules: `["record", "open"]`.
    modules: HashMap<Vec<String>, &'a str>,
    /// Re-exports of modules: `(["record"], "SpanSlot")` leads to `["record", "open", "slot", "SpanSlot"]`.
    handed_on: HashMap<(Vec<String>, String), Vec<String>>,
}

impl<'a> House<'a> {
    fn new(paths: &[(&'a str, Vec<NamedPath>)]) -> Self {
        let modules = paths
            .iter()
            .map(|(file, _)| (module(file), *file))
            .collect();
        let mut handed_on = HashMap::new();
        for (file, paths) in paths {
            for path in paths {
                if let Some(name) = &path.hands_on {
                    handed_on.insert((module(file), name.clone()), path.names.clone());
                }
            }
        }
        Self { modules, handed_on }
    }

    /// Returns the file that defines the target of a path.
    fn file_of(&self, names: &[String], depth: usize) -> Option<&'a str> {
        // A name may be re-exported several times; the bound ends a circle of re-exports.
        if depth > 8 {
            return None;
        }
        let longest = (0..=names.len())
            .rev()
            .find(|length| self.modules.contains_key(&names[..*length]))?;
        let file = self.modules[&names[..longest]];
        let Some(next) = names.get(longest) else {
            return Some(file);
        };
        match self
            .handed_on
            .get(&(names[..longest].to_vec(), next.clone()))
        {
            Some(further) => self.file_of(further, depth + 1),
            None => Some(file),
        }
    }
}

/// Returns the names of a file's module: none for `lib.rs`.
fn module(file: &str) -> Vec<String> {
    let parts = file.trim_end_matches(".rs").split('/').map(str::to_owned);
    parts
        .filter(|part| part != "mod" && part != "lib")
        .collect()
}

/// Returns the modules with files of their own that a file declares under `#[cfg(test)]`.
fn test_modules(file: &str, text: &str) -> Vec<Vec<String>> {
    let tokens: Vec<_> = tokens(text).into_iter().map(|token| token.text).collect();
    let declarations = (0..tokens.len())
        .filter(|at| tokens[*at] == "mod" && tokens.get(at + 2).is_some_and(|after| after == ";"));
    let tests = declarations.filter(|at| {
        // The attributes stand between the end of the item before and the declaration.
        let before = tokens[..*at].iter().rev();
        let attributes = before.take_while(|token| ![";", "}"].contains(&token.as_str()));
        attributes.clone().any(|token| token == "test") && attributes.clone().any(|it| it == "cfg")
    });
    tests
        .map(|at| [module(file), vec![tokens[at + 1].clone()]].concat())
        .collect()
}

/// Returns every path that begins at `crate`, `self`, `super` or, in a `use`, at a module of its file.
fn paths(file: &str, text: &str) -> Vec<NamedPath> {
    let tokens = tokens(text);
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let is_all = |at: usize, texts: &[&str]| (at..).zip(texts).all(|(at, text)| is(at, text));
    let own_modules: HashSet<&str> = (1..tokens.len())
        .filter(|at| is(at - 1, "mod"))
        .map(|at| tokens[at].text.as_str())
        .collect();
    let mut found = Vec::new();
    let mut test_item: Option<usize> = None;
    // The name of the module that each open brace begins.
    let mut braces: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let mut tree = None;
        match token.text.as_str() {
            "{" => braces.push((at >= 2 && is(at - 2, "mod")).then(|| tokens[at - 1].text.clone())),
            "}" => {
                braces.pop();
                test_item = test_item.filter(|depth| *depth != braces.len());
            }
            ";" => test_item = test_item.filter(|depth| *depth != braces.len()),
            "#" if is_all(at, &["#", "[", "cfg", "("]) => {
                let condition = tokens[at..].iter().take_while(|token| token.text != "]");
                if condition.clone().any(|token| token.text == "test") {
                    test_item = test_item.or(Some(braces.len()));
                }
                at += condition.count();
                continue;
            }
            "use" => tree = Some((at + 1, is_public(&tokens, at))),
            "crate" | "super" | "self" if is_all(at + 1, &[":", ":"]) => tree = Some((at, false)),
            _ => {}
        }
        let Some((start, is_public)) = tree else {
            at += 1;
            continue;
        };
        let inner = braces.iter().flatten().cloned();
        let here: Vec<_> = module(file).into_iter().chain(inner).collect();
        let (leaves, end) = leaves(&tokens, start);
        for (names, alias) in leaves {
            let first = names.first().map(String::as_str).unwrap_or_default();
            let Some(names) = absolute(&here, first, &names, &own_modules) else {
                continue;
            };
            let name = alias.or_else(|| names.last().cloned()).unwrap_or_default();
            found.push(NamedPath {
                line: token.line,
                names,
                is_in_tests: test_item.is_some(),
                hands_on: is_public.then_some(name),
            });
        }
        at = end.max(at + 1);
    }
    found
}

/// Returns whether the `use` at `at` has a visibility.
fn is_public(tokens: &[Token], at: usize) -> bool {
    let before = tokens[..at].iter().rev();
    let before: Vec<_> = before.take(6).map(|token| token.text.as_str()).collect();
    match before.as_slice() {
        ["pub", ..] => true,
        [")", ..] => before.contains(&"pub"),
        _ => false,
    }
}

/// Returns the path from the root, or `None` if it leads out of the crate.
fn absolute(
    here: &[String],
    first: &str,
    names: &[String],
    own_modules: &HashSet<&str>,
) -> Option<Vec<String>> {
    match first {
        "crate" => Some(names[1..].to_vec()),
        "self" => Some([here, &names[1..]].concat()),
        "super" => {
            let ups = names.iter().take_while(|name| *name == "super").count();
            let above = here.len().checked_sub(ups)?;
            Some([&here[..above], &names[ups..]].concat())
        }
        _ if own_modules.contains(first) => Some([here, names].concat()),
        _ => None,
    }
}

type Leaf = (Vec<String>, Option<String>);

/// Returns the paths of the tree that begins at `at`, each with its `as` name, and where the tree ends.
fn leaves(tokens: &[Token], mut at: usize) -> (Vec<Leaf>, usize) {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let mut names = Vec::new();
    loop {
        match text(at) {
            "{" => {
                let mut all = Vec::new();
                at += 1;
                while !["}", ""].contains(&text(at)) {
                    let (inner, end) = leaves(tokens, at);
                    all.extend(inner.into_iter().map(|(more, alias)| {
                        let is_self = more.first().is_some_and(|name| name == "self");
                        let more = if is_self { &more[1..] } else { &more[..] };
                        ([&names[..], more].concat(), alias)
                    }));
                    at = end.max(at + 1);
                    if text(at) == "," {
                        at += 1;
                    }
                }
                return (all, at + 1);
            }
            word if word.starts_with(is_word) => {
                names.push(word.to_owned());
                at += 1;
            }
            _ => return (vec![(names, None)], at),
        }
        if text(at) == "as" {
            return (vec![(names, Some(text(at + 1).to_owned()))], at + 2);
        }
        if text(at) == ":" && text(at + 1) == ":" {
            at += 2;
        } else {
            return (vec![(names, None)], at);
        }
    }
}
