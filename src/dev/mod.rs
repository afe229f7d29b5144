//! An agent, a collector and a viewer inside the program: see traces with nothing else installed.
//!
//! One line is enough. [`tracehound::dev`](crate::dev()) returns a tracer that keeps every trace. Its spans go by UDP,
//! as to any agent, to a server on threads of its own, which draws each trace in the terminal:
//!
//! ```no_run
//! use tracehound::prelude::*;
//!
//! let tracer = tracehound::dev("shop");
//! let checkout = tracer.start_active_span("checkout");
//! tracer.start_span("charge").set_tag("error", true);
//! drop(checkout);
//! ```
//!
//! ```text
//! checkout  trace 7f3c..a91e   182.4ms   3 services  depth 3  5 spans  2 errors
//! shop  checkout       |---------==---------------------------------------------==| 182.4ms
//! shop   \ GET /cart   |--------=| 31.0ms
//! cart    \ GET /cart  |========| 27.2ms
//! shop   \ charge                 |==--------------------------------------=====| ! 140.9ms
//! pay     \ Charge/Do               |======================================| ! 120.1ms declined
//! view: http://127.0.0.1:16699/trace/7f3c..a91e json: ...?format=jaeger (received 5, dropped 0)
//! ```
//!
//! # How do I read the picture?
//!
//! `!` marks an error, `~` a span that is still open, `>` a span that follows another which does not wait for it, and
//! `?` a span whose parent is missing. `=` marks the critical path: to be faster, begin there. Terminals and browsers
//! get finer lines, with `━` for the critical path. Names that are too long are cut. A large trace shows
//! only 60 of its spans: errors first, then the critical path, then the first ones.
//!
//! # When is a trace drawn?
//!
//! A trace is drawn when it is at rest: no span of it has come for 200 ms, and its root is not known to be open. If a
//! parent is missing, the agent waits two seconds for it. At most two traces are drawn a second; a few more wait for
//! their turn, and the others are counted. If standard output is no terminal, nothing is drawn unless
//! [`Waterfall::Always`] asks for it. The remaining traces are drawn when the last tracer of the server is dropped or
//! closed, so a program that keeps its tracer in a `static` has to close it.
//!
//! # What does the viewer show?
//!
//! The line under the picture has the address of a page about the trace: [`view`](crate::view) says what the page
//! shows. It needs no network, and [`Trace::write_html`](crate::view::Trace::write_html) writes it to a file. Clients
//! other than browsers, such as `curl`, get the picture as text.
//!
//! The viewer's front page searches all traces that the agent holds. Its other views:
//!
//! | view | shows |
//! |---|---|
//! | `/` | traces by service, operation, tags, duration and errors, with a plot of their durations |
//! | `/live` | the traces that such a search would find, as they come |
//! | `/trace/{id}` | a trace: timeline, flame graph, table |
//! | `/compare` | two traces, with the spans that were added, removed or took longer |
//! | `/graph` | which services call which: rates, errors, durations |
//! | `/open-spans` | the spans that are open now |
//!
//! A language model reads traces by tools with the names of Jaeger's: `/api/ai/mcp/` speaks the Model Context Protocol.
//! `docs/guide/agents.md` in the repository lists them.
//!
//! # What can other programs send to it?
//!
//! Other processes show up too, in any language: the server listens on the ports that Jaeger clients send to.
//!
//! | port | takes |
//! |---|---|
//! | 6831 UDP | Thrift, compact protocol: Go, Java, Python, C++, this crate |
//! | 6832 UDP | Thrift, binary protocol: Node |
//! | 14268 TCP | Thrift by HTTP: `POST /api/traces`; also OTLP and Zipkin, see [`DevOptions::zipkin_port`] |
//! | 5778 TCP | requests for a sampling strategy: one that keeps everything, that of a [file](DevOptions::strategies_file), or one that [follows the traffic](DevOptions::adaptive_sampling) |
//! | 16699 TCP | a browser; see [`DevServer::query_address`] |
//!
//! Bodies may be packed with gzip, deflate or zstd. A program in a browser may send OTLP and Zipkin's JSON, if its page
//! comes from this machine, for example from `http://localhost:3000`.
//!
//! The viewer also lists the spans that are open now, of the tracers of this program, with the place where each
//! started: `/open-spans`, and as JSON `/api/open-spans`. See [`OpenSpans`](crate::watch::OpenSpans) for other
//! programs.
//!
//! If an embedded agent runs already at the viewer's port, in another program, then [`tracehound::dev`](crate::dev())
//! sends the spans there, and a line says so. Programs that call each other make one trace, in one picture, whichever
//! starts first. If something else has one of the ports, likely a real Jaeger, the agent uses a free port in its
//! place, and a line says which.
//!
//! # Can Jaeger's own user interface read from it?
//!
//! The viewer's port answers Jaeger's query API: give the user interface of Jaeger, or a data source of Grafana, the
//! address of the viewer as that of the Jaeger. They have to run on this host, or behind a proxy that asks for
//! `localhost`. Neither is part of the tests; their requests are, and answers are compared with those of real Jaegers.
//!
//! | asked for by | paths |
//! |---|---|
//! | Jaeger 1 and 2, Grafana | `/api/services`, `/api/operations`, `/api/traces`, `/api/dependencies`, `/api/transform` |
//! | newer versions of both | `/api/v3/capabilities`, `/api/v3/services`, `/api/v3/operations`, `/api/v3/trace-summaries`, `/api/v3/traces`, `/api/v3/dependencies` |
//! | the tab "Monitor" | `/api/metrics`: it has no metrics, as a Jaeger without a store for them |
//!
//! # What about production?
//!
//! In production spans go to a real agent. [`Config::dev`](crate::Config::dev), or `TRACEHOUND_DEV=1` in the
//! environment, puts the embedded one in its place without a change of the code.
//!
//! The module is for development. It listens on the loopback interface alone, answers only requests for loopback names,
//! holds a bounded number of traces, and trusts no input: a datagram that makes no sense is counted and ignored.
//!
//! # Which choices are there?
//!
//! [`DevOptions`] holds every choice:
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

mod error;
mod options;
pub(crate) mod otlp_file;
mod printing;
pub(crate) mod server;
pub(crate) mod store;
pub(crate) mod strategies;
mod tracer;

pub use error::DevError;
pub use options::{DevOptions, Waterfall};
pub use otlp_file::InvalidOtlpJson;
pub use server::DevServer;
pub use store::DevTotals;
pub(crate) use tracer::{FLUSH_INTERVAL, parts, tracer};
