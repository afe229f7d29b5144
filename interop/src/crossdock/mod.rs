//! The crossdock: services of several languages that call each other in every order.
//!
//! The page `CROSSDOCK.md` of this crate describes the protocol and how to add a language.
//!
//! | item | what it is |
//! |---|---|
//! | [`Peer`], [`PUBLISHED`] | a language, and the table of all published clients |
//! | [`Service`] | a running service |
//! | [`Chain`] | one trace through services that call each other |
//! | [`Run`] | one trace through three services |
//! | [`Matrix`] | all runs over one start of the services |
//! | [`Report`] | the counts of these runs |
//! | [`Lack`], [`LACKS`] | what is lost because a client cannot do better |

mod chain;
mod driver;
mod lacks;
mod matrix;
mod orders;
mod peers;
mod protocol;
pub(crate) mod recipe;
mod report;
mod service;
mod setup;
mod stored;

pub use chain::Chain;
pub use driver::{Run, Seen};
pub use lacks::{Aspect, Hop, LACKS, Lack};
pub use matrix::{Matrix, Outcome};
pub use orders::Orders;
pub use peers::{
    AXE, GO_DECISIONS, GO_DRIVER, JAVA_DECISIONS, MCP_CLIENT, NATS_SERVER, ON_NATS, OTEL_SAMPLING,
    PUBLISHED, PYTHON_GRPC_STREAMS, PYTHON_WITH_GRPC, Peer,
};
pub use protocol::{
    Answer, BAGGAGE_KEY, Downstream, JoinTrace, Observed, RAW_KEYS, RAW_VALUE, StartTrace,
    Transport,
};
pub use report::Report;
pub use service::Service;
pub(crate) use service::free_address;
pub use setup::{Alphabet, Format, Setup};
