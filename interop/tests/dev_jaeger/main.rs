//! The embedded agent in the place of a Jaeger: published clients send to it and to two real Jaegers at once, and what
//! they show is compared.
//!
//! | module | it shows that |
//! |---|---|
//! | `clients` | traces of published clients of Go, Java, Node, Python and of OpenTelemetry for Go are shown alike |
//! | `library` | so are spans over all parts of this library's API, by every way |
//! | `recordings` | so are the recorded datagrams and requests of other clients |
//! | `documents` | so are hand-made documents of OTLP in JSON and of Zipkin, with all that their formats hold |
//! | `requests` | requests to the query API, right and wrong ones, have answers of one status and shape |
//!
//! [`tee`] gives every message to all three. [`alike`] compares each field, and has the table of those in which the two
//! Jaegers differ.

mod alike;
mod clients;
mod documents;
mod library;
#[path = "../support/maker.rs"]
mod maker;
mod recordings;
mod requests;
#[path = "../support/scenes.rs"]
mod scenes;
#[path = "../support/senders.rs"]
mod senders;
mod shown;
mod tee;
#[path = "../vectors/mod.rs"]
mod vectors;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
