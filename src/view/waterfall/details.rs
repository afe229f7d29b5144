//! The tags and logs of a span, in lines below its row.

use crate::model::{Tag, TagValue};
use crate::view::ReceivedSpan;
use crate::view::text::{columns, fit};
use crate::view::waterfall::style::{Style, duration_text, micros, pad};

/// Writes the tags and logs of a span: `key=value`, wrapped at the width, and logs with their times since the start.
///
/// ```text
/// pay     \ Charge/Do               |=========================| ! 120.1ms declined
///           span.kind=client error=true card="visa gold"
///           +20.0ms event=error message=declined
/// ```
pub(super) fn details(out: &mut String, span: &ReceivedSpan, indent: usize, style: &Style) {
    let lines = Lines { indent, style };
    lines.wrap(out, String::new(), &span.span.tags);
    for log in span.span.logs.iter().take(MAX_LOGS) {
        let start = span.span.start.as_micros();
        let since = log.timestamp.as_micros().saturating_sub(start);
        let since = match since {
            0.. => format!("+{}", duration_text(micros(since), style.unicode)),
            _ => format!(
                "-{}",
                duration_text(micros(since.saturating_neg()), style.unicode)
            ),
        };
        lines.wrap(out, since, &log.fields);
    }
    let more = span.span.logs.len().saturating_sub(MAX_LOGS);
    if more > 0 {
        lines.line(out, &format!("({more} more logs)"));
    }
}

struct Lines<'a> {
    indent: usize,
    style: &'a Style,
}

impl Lines<'_> {
    /// Writes a first word, if there is one, and tags, in as many lines as they need.
    fn wrap(&self, out: &mut String, mut line: String, tags: &[Tag]) {
        let width = self.width();
        for tag in tags {
            let word = fit(&word(tag), width, self.style.unicode);
            if !line.is_empty() && columns(&line) + 1 + columns(&word) > width {
                self.line(out, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        if !line.is_empty() {
            self.line(out, &line);
        }
    }

    fn line(&self, out: &mut String, line: &str) {
        pad(out, self.indent);
        out.push_str(&fit(line, self.width(), self.style.unicode));
        out.push('\n');
    }

    fn width(&self) -> usize {
        self.style.width.saturating_sub(self.indent).max(20)
    }
}

/// Returns `key=value`, with quotes around a text that has blanks.
fn word(tag: &Tag) -> String {
    match &tag.value {
        TagValue::String(text) if text.is_empty() || text.contains([' ', '=', '"']) => {
            format!("{}=\"{text}\"", tag.key)
        }
        value => format!("{}={value}", tag.key),
    }
}

const MAX_LOGS: usize = 20;
