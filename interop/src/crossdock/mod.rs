//! The crossdock: services of several languages that call each other in every order.
//!
//! `CROSSDOCK.md` beside the sources of this crate is the page to begin with.

mod protocol;

pub use protocol::{Answer, BAGGAGE_KEY, Downstream, JoinTrace, Observed, StartTrace, Transport};
