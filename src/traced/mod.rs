//! Functions that are spans: the attribute [`#[traced]`](macro@crate::traced), and switches for the functions that have
//! it.
//!
//! ```
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::tracer::set_tracer;
//! use tracehound::traced;
//!
//! #[traced(tags(order_id))]
//! async fn check_out(order_id: u64) -> Result<(), std::num::ParseIntError> {
//!     let cents = price("4 200")?; // a child of this span
//!     active_span().set_tag("cents", cents);
//!     Ok(())
//! }
//!
//! #[traced(err)]
//! fn price(text: &str) -> Result<u32, std::num::ParseIntError> {
//!     text.parse()
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! set_tracer(tracer)?;
//!
//! assert!(check_out(7).await.is_err());
//! assert_eq!(spans.tree(), "check_out\n  price !");
//! assert_eq!(spans.spans()[1].tag_text("order_id"), "7");
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All methods of a type, but for one:
//!
//! ```
//! use tracehound::prelude::*;
//! use tracehound::traced;
//!
//! struct Store {
//!     tracer: JaegerTracer,
//! }
//!
//! #[traced(tracer = self.tracer, kind = "client", err)]
//! impl Store {
//!     /// The span `Store::load`, with the error if there is one.
//!     async fn load(&self, id: u64) -> Result<String, std::fmt::Error> {
//!         (id > 0).then(|| format!("order {id}")).ok_or(std::fmt::Error)
//!     }
//!
//!     #[traced(name = "get_item", tags(id, place = id + 1))]
//!     fn item(&self, id: u64) -> Option<u64> {
//!         self.len().checked_sub(id)
//!     }
//!
//!     #[traced(skip)]
//!     fn len(&self) -> u64 {
//!         3
//!     }
//! }
//! # let tracer = JaegerTracer::disabled();
//! # assert_eq!(Store { tracer }.item(1), Some(2));
//! ```
//!
//! # Which functions can be traced?
//!
//! | function | its span begins | and ends |
//! |---|---|---|
//! | `fn` | with the call | when the function returns or panics |
//! | `async fn`, also in a trait and with `#[async_trait]` | in the first poll | with the future |
//! | `fn` whose body is one `async` block, in `Box::pin` or not | in the first poll | with the future |
//! | another `fn` that returns `impl Future`, `Pin<Box<dyn Future>>` or a `BoxFuture` | with the call | with the future |
//!
//! In short: a span begins when the body begins. It is active while the body runs, in every poll of a future, and while
//! the future is dropped. A panic marks it as [failed](crate::Span), and a future that is dropped before its end leaves
//! a log record `event=cancelled`. Methods, generic functions, `unsafe fn`, `extern fn` and functions that a macro
//! makes can all be traced. A `const fn` cannot. A function that returns a future under another name (`->
//! Self::Future`) and does more than the `async` block is a span until it returns; [`InSpan`](crate::InSpan) traces its
//! future.
//!
//! On an `impl` block or a trait the attribute traces each function that has a body. `#[traced(skip)]` leaves one out,
//! `#[traced(…)]` gives one options of its own. The options `tracer`, `kind`, `err` and `crate` of the block hold for
//! all its functions; `err` for those whose return type has a name that ends in `Result`.
//!
//! # What is the name?
//!
//! The name of the function: `check_out`. If the attribute is on the `impl` block or the trait, then also the name of
//! the type: `Store::load`. On a method alone the attribute sees no type, so give it a `name` if `load` says too
//! little. A name stands for a class of spans, so it cannot hold an argument; tags are for those.
//!
//! # What does it cost?
//!
//! A function that is [switched off](set_enabled) costs one load and a branch. Nothing is allocated and no option is
//! evaluated, except that a returned future still checks for a span in each poll. A function that is switched on costs
//! what [`start_active_span`](crate::TracerExt::start_active_span) does, and its tags. A boxed future that is not made
//! by one `async` block is boxed once more. Tags are evaluated only if the span
//! [records](crate::Span::is_recording).
//!
//! ```
//! use tracehound::traced::{places, set_enabled};
//! # mod db {
//! #     #[tracehound::traced]
//! #     pub(super) fn load() {}
//! # }
//!
//! set_enabled(concat!(module_path!(), "::db"), false);
//! db::load(); // no span
//! let place = places().remove(0);
//! assert_eq!(place.name(), "load");
//! assert!(!place.is_enabled());
//! ```

mod call;
mod error_text;
mod outcome;
mod place;
mod registry;
#[doc(hidden)]
pub mod tag_of;

pub use place::Place;
pub use registry::{places, set_enabled};

// Called by the expansion of the attribute, and not by programs.
#[doc(hidden)]
pub use call::{Call, Entered, start, start_with};
#[doc(hidden)]
pub use outcome::{Fallible, Ignored, LogDebug, LogDisplay, LogError, Noted, Outcome};
