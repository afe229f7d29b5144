//! Numbers as the tables show them.

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

/// Prints a whole number with a gap at each thousand.
pub fn grouped(number: u64) -> String {
    match number {
        ..1_000 => number.to_string(),
        _ => format!("{}\u{a0}{:03}", grouped(number / 1_000), number % 1_000),
    }
}
