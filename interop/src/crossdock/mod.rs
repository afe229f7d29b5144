//! The crossdock: services of several languages that call each other in every order.
//!
//! The page `CROSSDOCK.md` of this crate describes the protocol and how to add a language.
//!
//! | item | what it is |
//! |---|---|
//! | [`Peer`], [`PUBLISHED`] | a language, and the table of all published clients |
//! | [`Service`] | a running service |
//! | [`Run`] | one trace through three services |
//! | [`Report`] | the outcome of all runs over an order of services |
//! | [`Lack`], [`LACKS`] | what is lost because a client cannot do better |

mod driver;
mod lacks;
mod matrix;
mod peers;
mod protocol;
mod recipe;
mod service;
mod setup;
mod stored;

pub use driver::{Run, Seen, answer};
pub use lacks::{Aspect, Hop, LACKS, Lack};
pub use matrix::{Orders, Report};
pub use peers::{GO_DRIVER, PUBLISHED, Peer};
pub use protocol::{Answer, BAGGAGE_KEY, Downstream, JoinTrace, Observed, StartTrace, Transport};
pub use service::Service;
pub use setup::{Alphabet, Format, Setup};
