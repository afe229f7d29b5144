//! Traces as people and programs read them: a picture in text, a page for a browser, and Jaeger's JSON.
//!
//! The module is there with the feature `dev`, whose server shows traces in these forms, and with `testkit`, which
//! keeps the traces of a failed assertion in them. [`Trace::of`] makes traces of any spans:
//!
//! ```
//! use tracehound::prelude::*;
//! use tracehound::reporter::InMemoryReporter;
//! use tracehound::sampler::ConstSampler;
//! use tracehound::view::Trace;
//!
//! let spans = InMemoryReporter::new();
//! let tracer = JaegerTracer::builder("shop")
//!     .sampler(ConstSampler::new(true))
//!     .reporter(spans.clone())
//!     .build()?;
//! tracer.start_span("checkout").finish();
//!
//! let trace = Trace::of(spans.spans()).remove(0);
//! assert!(trace.waterfall(100).contains("checkout"));
//! let path = std::env::temp_dir().join(format!("tracehound-page-{}.html", std::process::id()));
//! trace.write_html(&path)?; // One file, which needs no server: open it in a browser.
//! # std::fs::remove_file(path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is on the page?
//!
//! The page has a timeline with the critical path, a flame graph, and a table of operations. A press on a row, or
//! Enter, shows the tags, the process, the logs, warnings and references of its span. The keys are those of Jaeger's
//! user interface; `?` lists them. One field finds in all three views. It loads nothing from anywhere, its policy (`Content-Security-Policy`) lets only its
//! own script run, and whatever a span says is shown as text.

pub(crate) mod color;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod json;
mod micros;
pub(crate) mod page;
mod read_json;
mod shared_ids;
mod svg;
mod text;
mod trace;
pub(crate) mod tree;
pub(crate) mod waterfall;

pub use read_json::InvalidTraceJson;
#[cfg(feature = "dev")]
pub(crate) use trace::size_of_tags;
pub use trace::{OpenSpan, ReceivedSpan, Trace};
