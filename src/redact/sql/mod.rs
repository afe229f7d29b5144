//! Hides the data in SQL, and in what a database says about it.
//!
//! [`scrubbed`] replaces the literals of a statement by `?` and leaves its shape. It knows no server, only that quoting
//! differs from one to the next: a backslash escapes a quote or does not, `#` begins a comment or is an operator, `[`
//! opens a name or an array. So one rule decides: as soon as two readings of the text disagree on where a literal ends,
//! the rest is hidden, and `…` replaces it.
//!
//! | statement | scrubbed |
//! |---|---|
//! | `SELECT * FROM t WHERE a = 'x' AND b IN (1, 2, 3) -- c` | `SELECT * FROM t WHERE a = ? AND b IN (?)` |
//! | `INSERT INTO t VALUES ($1, $2), ($3, $4)` | `INSERT INTO t VALUES (?)` |
//! | `SELECT 'a\' OR b = 'c'` (ends at the second quote, or at the third) | `SELECT …` |
//! | `SET PASSWORD = x` (a value may stand there without quotes) | `SET …` |
//!
//! Comments are left out, because tools put data into them. Names of tables and columns stay.

mod error;
mod literal;
mod scrubber;
mod summary;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use error::error_text;
pub(crate) use literal::Dialect;
pub(crate) use scrubber::scrubbed;
pub(crate) use summary::summary;
pub(crate) use words::{holds_secret, verb};
