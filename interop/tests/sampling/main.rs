//! Programs that are sampled by a real backend.
//!
//! | module | it shows that |
//! |---|---|
//! | `file` | a program follows a strategy file that is rewritten while it runs, over each way to ask for strategies |
//!
//! What the file says is compared with what the program kept and with what the backend has stored, and the two with
//! each other.

mod expected;
mod file;
mod program;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
