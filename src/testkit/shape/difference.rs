use std::error::Error;
use std::fmt;

/// The differences between spans and their expected shape. Its text names each of them and draws both trees.
///
/// ```
/// use tracehound::testkit::TraceShape;
///
/// let difference = TraceShape::from("checkout\n  pay").compare(&[]).expect_err("no spans");
/// assert_eq!(difference.lines(), ["no span `checkout`"]);
/// assert!(difference.to_string().contains("- checkout\n  -   pay\n"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub(super) lines: Vec<String>,
    pub(super) expected: Vec<DrawnSpan>,
    pub(super) found: Vec<DrawnSpan>,
}

/// A line of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DrawnSpan {
    pub(super) mark: Mark,
    pub(super) depth: usize,
    pub(super) text: String,
}

/// A difference of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Right,
    Different,
    Missing,
    Unexpected,
}

impl Difference {
    /// Returns the differences, each with the path of its span, such as ``checkout > pay: it has failed``.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the spans differ from the expected shape:\n")?;
        for line in &self.lines {
            writeln!(f, "  {line}")?;
        }
        for (title, tree) in [("expected", &self.expected), ("found", &self.found)] {
            writeln!(f, "\n{title}:")?;
            if tree.is_empty() {
                f.write_str("    nothing\n")?;
            }
            for span in tree {
                let mark = match span.mark {
                    Mark::Right => ' ',
                    Mark::Different => '~',
                    Mark::Missing => '-',
                    Mark::Unexpected => '+',
                };
                let indentation = 2 * span.depth;
                writeln!(f, "  {mark} {:indentation$}{}", "", span.text)?;
            }
        }
        Ok(())
    }
}

impl Error for Difference {}
