//! The program `tracehound`, run as a user runs it.
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]

#[path = "../support/closed_port.rs"]
mod closed_port;
mod decode;
mod doctor;
mod files;
mod server;
mod support;
