//! The behaviour of tracehound as its users see it.
#![allow(clippy::disallowed_methods, reason = "tests keep deadlines")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod behaviour;
mod delayed_sampling;
mod documents;
mod floors;
mod references;
mod scopes;
mod spans;
mod support;
mod worker;
