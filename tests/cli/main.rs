//! The program `tracehound`, run as a user runs it.
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]

mod decode;
mod doctor;
mod files;
mod server;
mod support;
