//! The style of a picture, and the forms of its texts.

use std::time::Duration;

/// The style of a picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// The width in columns.
    pub(crate) width: usize,
    /// Whether lines and letters beyond ASCII are allowed.
    pub(crate) unicode: bool,
    /// Whether each service has a colour.
    pub(crate) color: bool,
    /// Whether the critical path is bold.
    pub(crate) bold: bool,
    /// The most spans that are drawn.
    pub(crate) rows: usize,
    /// Whether the tags and logs of each span are below its row.
    pub(crate) details: bool,
}

impl Style {
    /// Returns the style for a file or a pipe: only ASCII.
    pub(crate) const fn plain(width: usize) -> Self {
        Self {
            width,
            unicode: false,
            color: false,
            bold: false,
            rows: ROWS,
            details: false,
        }
    }

    /// Returns the style for a terminal.
    pub(crate) const fn terminal(width: usize, color: bool) -> Self {
        Self {
            width,
            unicode: true,
            color,
            bold: true,
            rows: ROWS,
            details: false,
        }
    }
}

/// Returns a duration with three or four digits: `950us`, `31.0ms`, `1.50s`, `2m03s`.
pub(crate) fn duration_text(duration: Duration, unicode: bool) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 if unicode => format!("{micros}µs"),
        0..1_000 => format!("{micros}us"),
        // Truncated, not rounded: 999.96 ms must not become 1000.0ms.
        1_000..1_000_000 => format!("{}.{}ms", micros / 1_000, micros % 1_000 / 100),
        1_000_000..60_000_000 => {
            format!("{}.{:02}s", micros / 1_000_000, micros % 1_000_000 / 10_000)
        }
        60_000_000..3_600_000_000 => {
            let seconds = micros / 1_000_000;
            format!("{}m{:02}s", seconds / 60, seconds % 60)
        }
        _ => {
            let minutes = micros / 60_000_000;
            format!("{}h{:02}m", minutes / 60, minutes % 60)
        }
    }
}

/// Returns a length of time from microseconds, none below zero.
pub(crate) fn micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// Writes blanks.
pub(super) fn pad(out: &mut String, columns: usize) {
    out.extend(std::iter::repeat_n(' ', columns));
}

/// The most spans of a picture.
pub(super) const ROWS: usize = 60;
