//! Watching spans while the program runs: which ones are open, and which ones have lost their trace.
//!
//! [`OpenSpans`] and [`Orphans`] are [observers](crate::observer): add them to a tracer by
//! [`TracerBuilder::observer`](crate::tracer::TracerBuilder::observer) or
//! [`Config::observer`](crate::Config::observer). A tracer without them pays nothing for them.
//! Whether a future works or waits is told by
//! [`with_poll_times`](crate::scope::Instrumented::with_poll_times).
//!
//! # Which request hangs?
//!
//! A span is sent when it ends, so a request that hangs is in no trace. [`OpenSpans`] lists it while it hangs, and a
//! line says so once it has taken longer than a limit:
//!
//! ```
//! use std::time::Duration;
//! use tracehound::JaegerTracer;
//! use tracehound::prelude::*;
//! use tracehound::watch::OpenSpans;
//!
//! let open = OpenSpans::new().limit(Duration::from_secs(30));
//! let tracer = JaegerTracer::builder("shop").observer(open.clone()).build()?;
//! let _checkout = tracer.start_active_span("checkout");
//! let _charge = tracer.start_span("charge");
//!
//! // For a page of your service that only its operators can reach:
//! for span in open.list() {
//!     // "checkout" for 31.2s, started at src/shop.rs:12 on main, trace 5b2b…, span 6ad0…
//!     println!("{span}");
//! }
//! assert_eq!(open.list().len(), 2);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Why is this span not in its trace?
//!
//! Threads and tasks do not inherit the active span; [`scope`](crate::scope) hands it over. Where that was forgotten,
//! work starts traces of its own. [`Orphans`] names the place at which the work was spawned:
//!
//! ```
//! use tracehound::JaegerTracer;
//! use tracehound::diagnostics::Diagnostics;
//! use tracehound::prelude::*;
//! use tracehound::watch::Orphans;
//!
//! let orphans = Orphans::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .diagnostics(Diagnostics::with_handler(|line| println!("{line}")))
//!     .observer(orphans.clone())
//!     .build()?;
//! let _checkout = tracer.start_active_span("checkout");
//! let in_thread = tracer.clone();
//! let work = orphans.watched(move || in_thread.start_span("charge").finish());
//! // "charge" at src/shop.rs:9 starts a trace of its own: its work was spawned at
//! // src/shop.rs:9 while "checkout" was active, and no context is active in it now; hand it
//! // over there (in_active_span), or …
//! std::thread::spawn(work).join().expect("no panic");
//! assert_eq!(orphans.proven(), 1);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```
//!
//! # Which one do I want?
//!
//! | part | answers |
//! |---|---|
//! | [`OpenSpans`] | Which spans are open now, since when, and where did they start? Which ones are open too long? |
//! | [`Orphans`] | Which spans have lost their trace on the way to a thread or a task, and where? |

mod open_spans;
mod orphans;

pub use open_spans::{OpenSpanInfo, OpenSpans};
#[cfg(all(feature = "tokio", tokio_unstable))]
pub use orphans::TaskHooks;
pub use orphans::{Orphan, Orphans, WatchedFuture};
