//! The program `tracehound`, run as a user runs it.

mod decode;
mod doctor;
mod files;
mod server;
mod support;
