//! Paths in a source file that lead through the root of the crate.

/// A path to something in a room, or to what the root re-exports.
#[derive(Debug)]
pub(crate) struct CratePath {
    pub(crate) line: usize,
    /// The part after `crate::`; `*` or `self` for everything.
    pub(crate) name: String,
    /// The path is under `#[cfg(test)]`.
    pub(crate) is_in_tests: bool,
}

/// Returns every `crate::name` in `text`, members of groups one by one, and every chain of `super::` up to the root.
///
/// `file` is the path under `src/`.
pub(crate) fn crate_paths(file: &str, text: &str) -> Vec<CratePath> {
    let tokens = tokens(text);
    let is = |at: usize, text: &str| tokens.get(at).is_some_and(|token| token.text == text);
    let is_all = |at: usize, texts: &[&str]| (at..).zip(texts).all(|(at, text)| is(at, text));
    let mut found = Vec::new();
    // For each open brace: does it open a module?
    let mut braces: Vec<bool> = Vec::new();
    let mut test_item: Option<usize> = None;
    for at in 0..tokens.len() {
        let mut root = None;
        match tokens[at].text.as_str() {
            "{" => braces.push(at >= 2 && is(at - 2, "mod")),
            "}" => {
                braces.pop();
                test_item = test_item.filter(|depth| *depth != braces.len());
            }
            ";" => test_item = test_item.filter(|depth| *depth != braces.len()),
            "#" if is_all(at, &["#", "[", "cfg", "(", "test", ")", "]"]) => {
                test_item = test_item.or(Some(braces.len()));
            }
            "crate" if is_all(at + 1, &[":", ":"]) => root = Some(at + 3),
            "super" if at < 3 || !is_all(at - 3, &["super", ":", ":"]) => {
                let above = braces.iter().filter(|is_module| **is_module).count();
                let levels = depth(file) + above;
                let is_chain = (0..levels).all(|n| is_all(at + 3 * n, &["super", ":", ":"]));
                root = is_chain.then_some(at + 3 * levels);
            }
            _ => {}
        }
        let names = root.map_or_else(Vec::new, |root| members(&tokens, root));
        found.extend(names.into_iter().map(|token| CratePath {
            line: token.line,
            name: token.text.clone(),
            is_in_tests: test_item.is_some(),
        }));
    }
    found
}

/// Returns the re-exports of `lib.rs`: each name with its room.
pub(crate) fn re_exports(text: &str) -> Vec<(String, String)> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, t)| t.text == "use") {
        let statement: Vec<_> = tokens[at + 1..]
            .iter()
            .take_while(|token| token.text != ";")
            .collect();
        let Some(room) = statement.first() else {
            continue;
        };
        for (n, token) in statement.iter().enumerate().skip(1) {
            let is_last = statement
                .get(n + 1)
                .is_none_or(|next| [",", "}"].contains(&next.text.as_str()));
            if is_last && token.text.starts_with(is_word) {
                found.push((token.text.clone(), room.text.clone()));
            }
        }
    }
    found
}

/// Returns how many modules a file is below the root: 1 for `clock.rs` and `span/mod.rs`.
fn depth(file: &str) -> usize {
    file.split('/').filter(|part| *part != "mod.rs").count()
}

/// Returns the first names of the path at `at`: one name, or those of a group.
fn members(tokens: &[Token], at: usize) -> Vec<&Token> {
    let Some(first) = tokens.get(at) else {
        return Vec::new();
    };
    if first.text != "{" {
        return vec![first];
    }
    let mut names = Vec::new();
    let mut depth = 0;
    let mut is_first = false;
    for token in &tokens[at..] {
        match token.text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if is_first => names.push(token),
            _ => {}
        }
        is_first = depth == 1 && ["{", ","].contains(&token.text.as_str());
        if depth == 0 {
            break;
        }
    }
    names
}

/// A word, or one character of punctuation.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// Returns the tokens of `text` without comments, strings, characters and the quotes of lifetimes.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = literal(rest) {
            length
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let text = rest[..length].to_owned();
            tokens.push(Token { text, line });
            length
        } else {
            if !first.is_whitespace() && first != '\'' {
                let text = first.to_string();
                tokens.push(Token { text, line });
            }
            first.len_utf8()
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Returns the length of the comment at the start of `text`; comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let two = text.get(at..at + 2);
        match two {
            Some("/*") => depth += 1,
            Some("*/") => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

/// Returns the length of the string or character at the start of `text`.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r"]
        .into_iter()
        .find(|prefix| text.starts_with(prefix))
        .unwrap_or_default();
    let body = &text[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    if prefix.ends_with('r') && body[hashes..].starts_with('"') {
        let end = format!("\"{}", &body[..hashes]);
        let start = prefix.len() + hashes + 1;
        let length = text[start..].find(&end);
        return Some(length.map_or(text.len(), |length| start + length + end.len()));
    }
    let quote = body.chars().next()?;
    match quote {
        '"' => Some(prefix.len() + quoted(body, '"')),
        // A lifetime has no second quote after one character.
        '\'' if body[1..].starts_with('\\') || body.chars().nth(2) == Some('\'') => {
            Some(prefix.len() + quoted(body, '\''))
        }
        _ => None,
    }
}

/// Returns the length of a quoted text with escapes.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}
