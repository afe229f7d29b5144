//! Pictures of traces on a terminal: when each is drawn, and where to.

pub(crate) mod printer;
pub(crate) mod schedule;
