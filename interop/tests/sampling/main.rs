//! Programs that are sampled by a real backend.
//!
//! | module | it shows that |
//! |---|---|
//! | `file` | a program follows a strategy file that is rewritten while it runs, over each way to ask for strategies |
//! | `environment` | nothing but `JAEGER_*` variables is needed for that |
//! | `adaptive` | a backend that adapts its strategies keeps each operation at its target |
//!
//! Each test compares the file, the traces that the program kept and those that the backend has stored with
//! each other.

mod adaptive;
mod environment;
mod expected;
mod file;
mod program;
mod roots;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
