use std::fmt::{self, Write as _};

use crate::diagnostics::write_to_stderr;
use crate::record::FinishedSpan;
use crate::reporter::{MakeReporter, Reporter};

/// Writes a line for each span, to standard error or to a handler:
///
/// ```text
/// Span reported: 5b2b4e1f9d3a7c60:6ad04c2b18e7f935:0:1 - checkout
/// ```
///
/// That is `{trace-id}:{span-id}:{parent-id}:{flags} - {operation name}` as the Java client writes it: ids with
/// 16 digits (32 where the trace id has an upper half), the parent of a root as a single `0`. Control characters
/// in the name are escaped.
///
/// ```
/// use tracehound::model::{SpanId, TraceId};
/// use tracehound::reporter::{LoggingReporter, OwnedSpan, Reporter};
///
/// let mut reporter = LoggingReporter::with_handler(|line| {
///     assert_eq!(line, "Span reported: 0000000000000001:0000000000000002:0:1 - checkout");
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
    /// Writes to standard error.
    pub fn new() -> Self {
        Self {
            writes_to_stderr: true,
            ..Self::with_handler(write_to_stderr)
        }
    }

    /// Hands the lines to `handler`, on the worker's thread. In the child of a `fork` nobody gets them.
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

    fn for_child(&self) -> Option<MakeReporter> {
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
    for character in span.operation_name().chars() {
        if character.is_control() {
            write!(line, "{}", character.escape_default())?;
        } else {
            line.push(character);
        }
    }
    Ok(())
}

impl fmt::Debug for LoggingReporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoggingReporter")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::model::{Flags, SpanId, TraceId};
    use crate::reporter::OwnedSpan;

    #[test]
    fn ids_are_padded_as_the_java_client_pads_them() {
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
        let expected = rows.map(|row| format!("Span reported: {}", row.4));
        assert_eq!(*lines.lock().expect("not poisoned"), expected);
    }
}
