//! Rows and cells of the tables in Markdown.

use std::fmt::Write;

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

/// Prints three digits, as far as they mean anything; long numbers have a gap at the thousands.
pub fn number(number: f64) -> String {
    match number {
        ..10.0 => format!("{number:.1}"),
        ..9_999.5 => format!("{number:.0}"),
        _ => grouped(number.round() as u64),
    }
}

/// Prints how many times the floor something is.
pub fn times(ratio: f64) -> String {
    format!("{ratio:.2} ×")
}

fn grouped(number: u64) -> String {
    match number {
        ..1_000 => number.to_string(),
        _ => format!("{}\u{a0}{:03}", grouped(number / 1_000), number % 1_000),
    }
}
