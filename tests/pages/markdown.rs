//! The parts of a page in Markdown.

use std::collections::HashMap;

use crate::sources::{file, files};

/// A page of the repository.
pub(crate) struct Page {
    pub(crate) path: String,
    text: String,
}

/// A block of code.
pub(crate) struct Block {
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
    /// The words behind the fence, such as `rust` and `no_run`.
    pub(crate) words: Vec<String>,
    pub(crate) text: String,
}

/// Returns all pages.
pub(crate) fn pages() -> Vec<Page> {
    let pages = files("", ".md");
    assert!(pages.len() > 20, "only {} pages", pages.len());
    pages
        .into_iter()
        .map(|(path, text)| Page { path, text })
        .collect()
}

impl Page {
    /// Returns the page at a path from the root.
    pub(crate) fn at(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: file(path),
        }
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        self.split(|_| {}, |block| blocks.push(block));
        blocks
    }

    /// Returns the page without blocks of code and comments.
    pub(crate) fn prose(&self) -> String {
        let mut prose = String::new();
        self.split(
            |line| {
                prose += line;
                prose.push('\n');
            },
            |_| {},
        );
        while let Some((before, rest)) = prose.split_once("<!--") {
            let (_, after) = rest.split_once("-->").expect("a comment that ends");
            prose = format!("{before}{after}");
        }
        prose
    }

    fn split(&self, mut on_line: impl FnMut(&str), mut on_block: impl FnMut(Block)) {
        let mut open: Option<(Block, usize)> = None;
        for (number, line) in self.text.lines().enumerate() {
            let marker = line.trim_start();
            let ticks = marker.len() - marker.trim_start_matches('`').len();
            match open.take() {
                Some((block, width)) if ticks >= width && marker.trim_end().len() == ticks => {
                    on_block(block);
                }
                Some((mut block, width)) => {
                    block.text += line;
                    block.text.push('\n');
                    open = Some((block, width));
                }
                None if ticks >= 3 => {
                    let words = marker[ticks..].split([',', ' ']).map(str::trim);
                    let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
                    let block = Block {
                        line: number + 1,
                        words: words.collect(),
                        text: String::new(),
                    };
                    open = Some((block, ticks));
                }
                None => on_line(line),
            }
        }
        assert!(open.is_none(), "{}: a block of code has no end", self.path);
    }

    /// Returns the anchors that GitHub gives the headings.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut counts = HashMap::new();
        let prose = self.prose();
        let headings = prose.lines().filter_map(|line| {
            let text = line.trim_start_matches('#');
            let depth = line.len() - text.len();
            ((1..=6).contains(&depth) && text.starts_with(' ')).then_some(text.trim())
        });
        headings
            .map(|heading| {
                let slug = slug(heading);
                let count: &mut usize = counts.entry(slug.clone()).or_default();
                *count += 1;
                match *count {
                    1 => slug,
                    n => format!("{slug}-{}", n - 1),
                }
            })
            .collect()
    }

    /// Returns the targets of all links and pictures.
    pub(crate) fn links(&self) -> Vec<String> {
        let prose = without_code(&self.prose());
        let mut links = Vec::new();
        for (start, end) in [
            ("](", ')'),
            ("src=\"", '"'),
            ("srcset=\"", '"'),
            ("href=\"", '"'),
        ] {
            links.extend(prose.split(start).skip(1).filter_map(|rest| {
                let target = rest.split(end).next()?;
                target.split_whitespace().next().map(str::to_owned)
            }));
        }
        links
    }

    /// Returns the cells of the rows of each table whose first heading is `heading`.
    pub(crate) fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let prose = self.prose();
        let mut rows = Vec::new();
        let mut is_wanted = false;
        let mut is_before_rows = true;
        for line in prose.lines() {
            if !line.starts_with('|') {
                is_wanted = false;
                is_before_rows = true;
            } else if is_before_rows {
                is_wanted = cells(line).first().is_some_and(|cell| cell == heading);
                is_before_rows = false;
            } else if is_wanted && !line.starts_with("|-") {
                rows.push(cells(line));
            }
        }
        assert!(!rows.is_empty(), "{}: no table of {heading:?}", self.path);
        rows
    }
}

/// Returns the cells of a row. A bar in a cell is written `\|`.
fn cells(row: &str) -> Vec<String> {
    let row = row.replace(r"\|", "\u{1}");
    let row = row.trim().trim_matches('|');
    row.split('|')
        .map(|cell| cell.trim().replace('\u{1}', "|"))
        .collect()
}

/// Returns the pieces of a text that stand in backticks.
pub(crate) fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns paragraphs without what stands in backticks.
fn without_code(prose: &str) -> String {
    let paragraphs = prose.split("\n\n").map(|paragraph| {
        let pieces = paragraph.split('`').step_by(2);
        pieces.collect::<String>()
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

/// Returns the anchor of a heading: its letters, digits, hyphens and underscores in lower case, and hyphens for spaces.
fn slug(heading: &str) -> String {
    let mut text = String::new();
    for piece in heading.split("](") {
        // Behind the text of a link is its target.
        let piece = match text.is_empty() {
            true => piece,
            false => piece.split_once(')').map_or(piece, |(_, rest)| rest),
        };
        text += piece;
    }
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase)
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

#[test]
fn anchors_are_those_of_github() {
    for (heading, anchor) in [
        ("From Jaeger's Go client", "from-jaegers-go-client"),
        (
            "`close`, and what it waits for",
            "close-and-what-it-waits-for",
        ),
        ("SIGTERM & systemd", "sigterm--systemd"),
        (
            "Back to [the guide](README.md) again",
            "back-to-the-guide-again",
        ),
    ] {
        assert_eq!(slug(heading), anchor);
    }
}
