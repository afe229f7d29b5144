//! Behaviour of the crate as its users see it.

mod contexts;
mod differential;
mod propagation;
mod spans;
mod support;
