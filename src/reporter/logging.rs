use std::fmt::{self, Write as _};

use crate::diagnostics::{escaped, write_to_stderr};
use crate::record::FinishedSpan;
use crate::reporter::{MakeReporter, Reporter};

/// A reporter that writes one line for each span, to standard error or to a handler:
///
/// ```text
/// Span reported: 5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:1 - checkout 59.812ms items=3 card="4 digits"
/// ```
///
/// The line begins with `{trace-id}:{span-id}:{parent-id}:{flags} - {operation name}` as the Java client writes it: ids
/// with 16 digits (32 if the trace id has an upper half), the parent of a root as a single `0`. The duration and the
/// tags follow. Text that contains a blank is quoted, characters that are not seen are escaped, and values are cut after 100
/// characters.
///
/// ```
/// use tracehound::model::{SpanId, TraceId};
/// use tracehound::reporter::{LoggingReporter, OwnedSpan, Reporter};
///
/// let mut reporter = LoggingReporter::with_handler(|line| {
///     assert_eq!(line, "Span reported: 0000000000000001:0000000000000002:0:1 - checkout 1µs");
/// });
/// let (trace_id, span_id) = (TraceId::new(0, 1).expect("not 0"), SpanId::new(2).expect("not 0"));
/// OwnedSpan::new(trace_id, span_id, "checkout").view(|span| reporter.report(span));
/// ```
pub struct LoggingReporter {
    handler: Box<dyn FnMut(&str) + Send>,
    writes_to_stderr: bool,
    line: String,
}

impl LoggingReporter {
    /// Returns a reporter that writes to standard error.
    pub fn new() -> Self {
        Self {
            writes_to_stderr: true,
            ..Self::with_handler(write_to_stderr)
        }
    }

    /// Returns a reporter that calls `handler` with each line, on the worker's thread. A forked child does not call it.
    pub fn with_handler(handler: impl FnMut(&str) + Send + 'static) -> Self {
        Self {
            handler: Box::new(handler),
            writes_to_stderr: false,
            line: String::new(),
        }
    }
}

impl Default for LoggingReporter {
    fn default() -> Self {
        Self::new()
    }
}

impl Reporter for LoggingReporter {
    fn report(&mut self, span: &FinishedSpan<'_>) {
        self.line.clear();
        let written = write_line(&mut self.line, span);
        written.expect("writing to a string does not fail");
        (self.handler)(&self.line);
    }

    fn after_fork(&self) -> Option<MakeReporter> {
        self.writes_to_stderr
            .then(|| -> MakeReporter { Box::new(|| Box::new(Self::new())) })
    }
}

fn write_line(line: &mut String, span: &FinishedSpan<'_>) -> fmt::Result {
    write!(
        line,
        "Span reported: {}:{}:",
        span.trace_id(),
        span.span_id()
    )?;
    match span.parent_id() {
        Some(parent_id) => write!(line, "{parent_id}")?,
        None => line.push('0'),
    }
    write!(line, ":{:x} - ", span.flags().bits())?;
    line.extend(escaped(span.operation_name().chars()));
    write!(line, " {:?}", span.duration())?;
    for (key, value) in span.tags() {
        line.push(' ');
        line.extend(escaped(key.chars()));
        line.push('=');
        let text = value.to_string();
        let cut = text.char_indices().nth(LONGEST_VALUE).map(|(at, _)| at);
        let shown = cut.and_then(|at| text.get(..at)).unwrap_or(&text);
        if shown.is_empty() || shown.contains(|it: char| it.is_whitespace() || it == '"') {
            write!(line, "{shown:?}")?;
        } else {
            line.extend(escaped(shown.chars()));
        }
        if cut.is_some() {
            line.push('…');
        }
    }
    Ok(())
}

/// How many characters of a value are written.
const LONGEST_VALUE: usize = 100;

impl fmt::Debug for LoggingReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoggingReporter")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;
    use crate::model::{Flags, SpanId, Tag, TraceId};
    use crate::reporter::OwnedSpan;

    #[test]
    fn ids_are_padded_like_those_of_the_java_client() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let mut reporter = LoggingReporter::with_handler(move |line| {
            sink.lock().expect("not poisoned").push(line.to_owned());
        });
        let rows = [
            (0, None, 1, "a", "000000000000000c:000000000000000d:0:1 - a"),
            (
                10,
                SpanId::new(11),
                0x8b,
                "GET /é",
                "000000000000000a000000000000000c:000000000000000d:000000000000000b:8b - GET /é",
            ),
            (
                0,
                None,
                0,
                "a\nb",
                "000000000000000c:000000000000000d:0:0 - a\\nb",
            ),
        ];
        for (high, parent_id, flags, name, _) in rows {
            let trace_id = TraceId::new(high, 12).expect("not zero");
            let mut span = OwnedSpan::new(trace_id, SpanId::new(13).expect("not zero"), name);
            span.parent_id = parent_id;
            span.flags = Flags::from_bits(flags);
            span.view(|span| reporter.report(span));
        }
        let expected = rows.map(|row| format!("Span reported: {} 1µs", row.4));
        assert_eq!(*lines.lock().expect("not poisoned"), expected);
    }

    #[test]
    fn a_line_tells_the_duration_and_the_tags() {
        let mut span = OwnedSpan::new(
            TraceId::new(0, 12).expect("not zero"),
            SpanId::new(13).expect("not zero"),
            "checkout",
        );
        span.duration = Duration::from_micros(1_500);
        let long = "x".repeat(LONGEST_VALUE + 1);
        span.tags = vec![
            Tag::new("items", 3),
            Tag::new("sql", "SELECT 1\n"),
            Tag::new("quote", "\""),
            Tag::new("empty", ""),
            Tag::new("bell\u{7}", "\u{7}é"),
            Tag::new("long", long.clone()),
        ];
        let mut line = String::new();
        span.view(|span| write_line(&mut line, span))
            .expect("writing to a string does not fail");
        let expected = format!(
            "Span reported: 000000000000000c:000000000000000d:0:1 - checkout 1.5ms items=3 sql=\"SELECT 1\\n\" \
             quote=\"\\\"\" empty=\"\" bell\\u{{7}}=\\u{{7}}é long={}…",
            &long[1..]
        );
        assert_eq!(line, expected);
    }
}
