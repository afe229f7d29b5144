//! Rows and cells of the tables in Markdown.

use std::fmt::Write;

use crate::digits::{grouped, number};
use crate::figure::Quantity;
use crate::note::NOTES;
use crate::task::Task;

/// Adds a row of a table.
pub fn row(text: &mut String, name: &str, cells: impl IntoIterator<Item = String>) {
    let cells: Vec<String> = cells.into_iter().collect();
    let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
}

/// The numbers of the notes about a figure, as a superscript.
pub fn marks(contender: &str, task: Task, quantity: Quantity) -> String {
    let marks = (1..)
        .zip(&NOTES)
        .filter(|(_, note)| note.is_about(contender, task, quantity));
    let marks: Vec<String> = marks.map(|(number, _)| number.to_string()).collect();
    if marks.is_empty() {
        String::new()
    } else {
        format!(" <sup>{}</sup>", marks.join(","))
    }
}

/// Prints a figure as its quantity is read.
pub fn print(quantity: Quantity, value: f64) -> String {
    match quantity {
        Quantity::Cpu | Quantity::BackgroundCpu | Quantity::Delivered => format!("{value:.2}"),
        Quantity::Made
        | Quantity::Arrived
        | Quantity::Sent
        | Quantity::Dropped
        | Quantity::KernelDrops => grouped(value as u64),
        Quantity::Missing if value.abs() < 0.0005 => "0 %".to_owned(),
        Quantity::Missing => format!("{:.1} %", value * 100.0),
        _ => number(value),
    }
}
