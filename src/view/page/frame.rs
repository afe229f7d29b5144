//! The frame of all pages: style, script, and the policy that lets nothing else run.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The parts around the content of a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The view of the server that the page is; `None` in a file.
    view: Option<View>,
}

/// A view of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "dev"), expect(dead_code, reason = "without a server"))]
pub(crate) enum View {
    Search,
    Live,
    Graph,
    Compare,
    Open,
    Trace,
}

impl Frame {
    /// The frame of a page in a file.
    pub(crate) const fn file() -> Self {
        Self { view: None }
    }

    /// The frame of a page of the server.
    #[cfg(feature = "dev")]
    pub(crate) const fn served(view: View) -> Self {
        Self { view: Some(view) }
    }

    pub(crate) fn is_served(self) -> bool {
        self.view.is_some()
    }

    /// Returns the views that the head of a page links to: address, title, and whether it is this one.
    pub(crate) fn views(self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        VIEWS
            .into_iter()
            .map(move |(view, href, title)| (href, title, self.view == Some(view)))
    }

    pub(crate) fn style(self) -> &'static str {
        &self.assets().style
    }

    pub(crate) fn script(self) -> &'static str {
        &self.assets().script
    }

    /// Returns the policy (`Content-Security-Policy`) of the page.
    pub(crate) fn policy(self) -> &'static str {
        &self.assets().policy
    }

    fn assets(self) -> &'static Assets {
        match self.is_served() {
            true => &SERVED,
            false => &FILE,
        }
    }
}

struct Assets {
    style: String,
    script: String,
    policy: String,
}

impl Assets {
    /// Makes the assets of the sources, with a policy that allows these and `more`.
    fn new(styles: &[&str], scripts: &[&str], more: &str) -> Self {
        let style = lean(&styles.concat());
        let script = format!("\"use strict\";(()=>{{\n{}}})();", lean(&scripts.concat()));
        let (style_hash, script_hash) = (hash(&style), hash(&script));
        let policy = format!(
            "default-src 'none'; script-src '{script_hash}'; style-src '{style_hash}'; img-src data:; \
             base-uri 'none'; {more}"
        );
        Self {
            style,
            script,
            policy,
        }
    }

    /// Returns those of a file, which has nothing of the other pages of a server.
    fn file() -> Self {
        Self::new(&[STYLE], &[SCRIPT, MAIN], "form-action 'none'")
    }

    fn served() -> Self {
        let more = "connect-src 'self'; form-action 'self'";
        Self::new(&[STYLE, SERVED_STYLE], &[SCRIPT, LIVE, MAIN], more)
    }
}

/// Returns the text of a source without indentation, empty lines, and lines that are comments.
fn lean(source: &str) -> String {
    let lines = source.lines().map(str::trim);
    let is_code =
        |line: &&str| !line.is_empty() && !line.starts_with("//") && !line.starts_with("/*");
    lines
        .filter(is_code)
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Returns the hash by which a policy names a text.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

static FILE: LazyLock<Assets> = LazyLock::new(Assets::file);
static SERVED: LazyLock<Assets> = LazyLock::new(Assets::served);

/// The views in the head of each page of the server.
const VIEWS: [(View, &str, &str); 5] = [
    (View::Search, "/", "Search"),
    (View::Live, "/live", "Live"),
    (View::Graph, "/graph", "Service graph"),
    (View::Compare, "/compare", "Compare"),
    (View::Open, "/open-spans", "Open spans"),
];

const STYLE: &str = include_str!("style.css");
const SERVED_STYLE: &str = include_str!("served.css");
/// The parts of the script, each of which needs those before it.
const SCRIPT: &str = concat!(
    include_str!("script/base.js"),
    include_str!("script/trace.js"),
    include_str!("script/minimap.js"),
    include_str!("script/detail.js"),
    include_str!("script/row.js"),
    include_str!("script/splitter.js"),
    include_str!("script/timeline.js"),
    include_str!("script/flame.js"),
    include_str!("script/table.js"),
    include_str!("script/search.js"),
    include_str!("script/viewer.js"),
);
const LIVE: &str = include_str!("script/live.js");
const MAIN: &str = include_str!("script/main.js");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_and_the_style_cannot_end_their_elements() {
        for Assets { style, script, .. } in [Assets::file(), Assets::served()] {
            for text in [&style, &script] {
                let text = text.to_ascii_lowercase();
                for end in ["</script", "<script", "</style", "<!--"] {
                    assert!(!text.contains(end), "{end}");
                }
            }
        }
    }

    #[test]
    fn the_script_builds_pages_from_text_alone() {
        for way in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "srcdoc",
            "DOMParser",
            "createContextualFragment",
        ] {
            for script in [SCRIPT, LIVE, MAIN] {
                assert!(!script.contains(way), "{way}");
            }
        }
    }

    #[test]
    fn comments_and_indentation_are_not_sent() {
        assert_eq!(
            lean("// Why.\nlet a = 1;\n\n    a += 1; // there\n/* css */\n"),
            "let a = 1;\na += 1; // there\n"
        );
    }

    #[test]
    fn the_hash_is_that_of_the_standard() {
        // The digest of the empty text, as FIPS 180 has it.
        assert_eq!(
            hash(""),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }
}
