//! The embedded agent in the place of a Jaeger: it and two real Jaegers are sent the same at once, and what they show is
//! compared.
//!
//! | module | it shows that |
//! |---|---|
//! | `library` | spans over all parts of this library's API are shown alike, by every way of requests |
//! | `clients` | so are the traces of published clients that run, by every way that each of them has |
//! | `recordings` | so are the recorded datagrams and requests of published clients |
//! | `documents` | so are hand-made documents of OTLP in JSON and of Zipkin, with all that their formats hold |
//! | `zipkin` | so are recorded bodies of clients of Zipkin, in each form |
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
mod zipkin;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;
