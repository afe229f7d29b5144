//! Watching spans while the program runs: which ones are open, and which ones have lost their trace.
//!
//! | part | answers |
//! |---|---|
//! | [`OpenSpans`] | Which spans are open now, since when, and where did they start? Which ones are open too long? |
//!
//! It is an [observer](crate::observer): add it to a tracer by
//! [`TracerBuilder::observer`](crate::tracer::TracerBuilder::observer). A tracer without it pays nothing for it.
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
//!     println!("{span}"); // "checkout" for 31.2s, started at src/shop.rs:12 on main, trace 5b2b…, span 6ad0…
//! }
//! assert_eq!(open.list().len(), 2);
//! # Ok::<(), tracehound::tracer::BuildError>(())
//! ```

mod open_spans;

pub use open_spans::{OpenSpanInfo, OpenSpans};
