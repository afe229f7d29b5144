use std::fmt;
use std::io::{IsTerminal, Write, stdout};
use std::net::SocketAddr;

use crate::dev::options::{DevOptions, Waterfall};
use crate::dev::store::DevTotals;
use crate::model::TraceId;
use crate::panics::caught;
use crate::view::Trace;
use crate::view::waterfall::{Style, draw};

/// Draws traces and writes them to standard output or a writer.
pub(crate) struct Printer {
    to: To,
    color: bool,
    columns: Option<usize>,
    details: bool,
}

enum To {
    Stdout,
    Writer(Box<dyn Write + Send>),
}

impl Printer {
    /// Returns the printer that the options ask for, or `None` if nothing should be printed.
    pub(crate) fn new(options: &mut DevOptions) -> Option<Self> {
        let to = match (options.writer.take(), options.waterfall) {
            (Some(writer), _) => To::Writer(writer),
            (None, Waterfall::Always) => To::Stdout,
            (None, Waterfall::OnTerminal) if stdout().is_terminal() => To::Stdout,
            (None, _) => return None,
        };
        Some(Self {
            to,
            color: options.color,
            columns: options.columns,
            details: options.details,
        })
    }

    /// Returns a printer that writes ASCII to a writer.
    pub(crate) fn to_writer(
        writer: Box<dyn Write + Send>,
        columns: Option<usize>,
        details: bool,
    ) -> Self {
        Self {
            to: To::Writer(writer),
            color: false,
            columns,
            details,
        }
    }

    /// Prints a trace. Errors of the output are ignored: its reader may have gone.
    pub(crate) fn print(&mut self, trace: &Trace, footer: &Footer) {
        let style = self.style();
        let mut text = draw(trace, &style);
        footer.write(&mut text, trace.trace_id, style.unicode);
        text.push('\n');
        self.write(&text);
    }

    /// Prints how many traces have been skipped.
    pub(crate) fn print_skipped(&mut self, skipped: u64) {
        match skipped {
            0 => {}
            1 => self.write("(1 more trace was not printed)\n\n"),
            n => self.write(&format!("({n} more traces were not printed)\n\n")),
        }
    }

    fn write(&mut self, text: &str) {
        let write = |to: &mut dyn Write| to.write_all(text.as_bytes()).and_then(|()| to.flush());
        // The writer is user code: if it panics, only this picture is lost.
        caught(|| match &mut self.to {
            To::Stdout => write(&mut stdout().lock()),
            To::Writer(writer) => write(writer),
        });
    }

    fn style(&self) -> Style {
        Style {
            details: self.details,
            ..self.surface()
        }
    }

    fn surface(&self) -> Style {
        let is_terminal = matches!(self.to, To::Stdout) && stdout().is_terminal();
        if !is_terminal {
            return Style::plain(self.columns.unwrap_or(DEFAULT_COLUMNS));
        }
        let columns = self.columns.or_else(|| {
            let (width, _) = terminal_size::terminal_size()?;
            Some(width.0.into())
        });
        Style::terminal(columns.unwrap_or(DEFAULT_COLUMNS), self.color)
    }
}

impl fmt::Debug for Printer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.to {
            To::Stdout => "Printer(stdout)",
            To::Writer(_) => "Printer(writer)",
        })
    }
}

/// The line under a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footer {
    /// Where the trace can be read; `None` once the server stops.
    pub(crate) query: Option<SocketAddr>,
    pub(crate) totals: DevTotals,
}

impl Footer {
    fn write(&self, out: &mut String, trace_id: TraceId, unicode: bool) {
        use std::fmt::Write as _;

        if let Some(query) = self.query {
            let dots = if unicode { "…" } else { "..." };
            let _ = write!(
                out,
                "view: http://{query}/trace/{trace_id}   json: {dots}?format=jaeger   ",
            );
        }
        let DevTotals {
            received,
            dropped,
            lost_by_clients,
            ..
        } = self.totals;
        let dropped = dropped.saturating_add(lost_by_clients);
        let _ = writeln!(out, "(received {received}, dropped {dropped})");
    }
}

const DEFAULT_COLUMNS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printer_survives_a_writer_that_panics_or_fails() {
        struct Panics;
        impl Write for Panics {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                panic!("writer")
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
        }
        let mut output = Printer::to_writer(Box::new(Panics), None, false);
        output.print_skipped(1);
        output.print_skipped(2);
    }
}
