use std::fmt;

use tracehound_interop::{Delivered, LoadReport};

/// A cell and what came of it.
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
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            report,
            delivered,
        } = self;
        let made = report.finished;
        let lost = made.saturating_sub(delivered.stored) as f64 / made.max(1) as f64;
        let mut marks = Vec::new();
        if delivered.stored != report.sent {
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
            lost * 100.0,
            marks.join(" ")
        )
    }
}
