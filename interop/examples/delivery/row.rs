use std::fmt;

use tracehound_interop::{Delivered, LoadReport};

/// A measured cell.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) report: LoadReport,
    pub(crate) delivered: Delivered,
}

impl Row {
    pub(crate) const HEADER: &str = "\
| row | reached/s | made | told sent | told lost | stored | kernel drops | lost inside | lost % | |
|---|--:|--:|--:|---|--:|--:|--:|--:|---|";

    /// Returns the share of made spans that are not stored.
    pub(crate) fn lost_percent(&self) -> f64 {
        let made = self.report.finished;
        let lost = made.saturating_sub(self.delivered.stored);
        100.0 * lost as f64 / made.max(1) as f64
    }

    /// Returns whether the client reports as many spans as sent as are stored.
    pub(crate) fn is_told_right(&self) -> bool {
        self.delivered.stored == self.report.sent
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            report,
            delivered,
        } = self;
        let made = report.finished;
        let mut marks = Vec::new();
        if !self.is_told_right() {
            marks.push("≠");
        }
        if !report.adds_up() {
            marks.push("ledger");
        }
        let inside = match delivered.datagrams_lost_inside {
            0 => delivered.lost_inside.to_string(),
            datagrams => format!("{} and {datagrams} datagrams", delivered.lost_inside),
        };
        write!(
            f,
            "| {name} | {:.0} | {made} | {} | {} | {} | {} | {inside} | {:.1} | {} |",
            report.rate(),
            report.sent,
            report.losses(),
            delivered.stored,
            delivered.kernel_drops,
            self.lost_percent(),
            marks.join(" ")
        )
    }
}
