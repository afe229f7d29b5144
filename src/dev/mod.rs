//! An agent, a collector and a viewer inside the program: see traces with nothing else installed.
//!
//! One line is enough. [`tracehound::dev`](crate::dev()) returns a tracer that keeps every trace; its spans go
//! by UDP, as to any agent, to a server on threads of its own, and when a trace has come to rest it is drawn in
//! the terminal:
//!
//! ```text
//! checkout  trace 7f3c..a91e   182.4ms   3 services  depth 3  5 spans  2 errors
//! shop  checkout       |---------==---------------------------------------------==| 182.4ms
//! shop   \ GET /cart   |--------=| 31.0ms
//! cart    \ GET /cart  |========| 27.2ms
//! shop   \ charge                 |==--------------------------------------=====| ! 140.9ms
//! pay     \ Charge/Do               |======================================| ! 120.1ms declined
//! view: http://127.0.0.1:16699/trace/7f3c00000000a91e   json: ...?format=jaeger   (received 5, dropped 0)
//! ```
//!
//! `!` is an error, `~` a span that is still open, `>` one that follows another without being waited for, `?`
//! one whose parent has not been received. `=` (bold on a terminal, which also gets colours and finer lines) is
//! the critical path: to be faster, begin there. A name that is too long is cut, and of a large trace the 60
//! spans are drawn that tell the most.
//!
//! A trace is at rest when no span of it has come for 200 ms and none is known to be open; a parent that is
//! missing is waited for two seconds. At most two traces are printed a second, a few more wait for their turn,
//! and the others are counted. Where standard output is no terminal nothing is printed unless
//! [`Waterfall::Always`] asks for it. What is left is printed when the last tracer of the server is dropped or
//! closed, so a program that keeps its tracer in a `static` has to close it.
//!
//! Other processes show up too, in whatever language: the server listens where a Jaeger client sends to.
//!
//! | port | takes |
//! |---|---|
//! | 6831 UDP | Thrift, compact protocol: Go, Java, Python, C++, this crate |
//! | 6832 UDP | Thrift, binary protocol: Node |
//! | 14268 TCP | Thrift by HTTP: `POST /api/traces` |
//! | 5778 TCP | questions for a sampling strategy; the answer is to keep everything |
//! | 16699 TCP | a browser; see [`DevServer::query_address`] |
//!
//! A port that is taken, likely by a real Jaeger, is left alone: another one is used, and a line says which.
//!
//! It is for development: it listens on the loopback interface alone and answers only to loopback names, holds
//! a bounded number of traces, and treats what comes in as hostile: a datagram that makes no sense costs a count.
//! Everything can be chosen with [`DevOptions`]:
//!
//! ```
//! use std::time::Duration;
//! use tracehound::dev::{DevOptions, DevServer, Waterfall};
//! use tracehound::prelude::*;
//!
//! let server = DevServer::start(DevOptions::new().any_ports().waterfall(Waterfall::Never))?;
//! let (shop, pay) = (server.tracer("shop")?, server.tracer("pay")?);
//!
//! let checkout = shop.start_span("checkout");
//! pay.build_span("charge").child_of(&checkout).start().finish();
//! checkout.finish();
//! shop.flush(Duration::from_secs(5));
//! pay.flush(Duration::from_secs(5));
//!
//! let trace = server.traces().remove(0);
//! assert_eq!(trace.services(), ["pay", "shop"]);
//! assert!(trace.waterfall(100).contains("charge"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod collector;
mod error;
mod http;
mod json;
mod listener;
mod open_spans;
mod options;
mod ports;
mod printer;
mod reporter;
#[cfg(test)]
mod sample;
mod sampler;
mod shared;
mod store;
mod text;
mod trace;
mod tracer;
mod tree;
mod waterfall;

pub use collector::DevServer;
pub use error::DevError;
pub use options::{DevOptions, Waterfall};
pub use store::DevTotals;
#[cfg(tracehound_fuzz)]
pub(crate) use trace::from_wire;
pub use trace::{OpenSpan, ReceivedSpan, Trace};
pub(crate) use tracer::tracer;
#[cfg(tracehound_fuzz)]
pub(crate) use waterfall::{Style, draw};
