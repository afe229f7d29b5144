//! The bytes of tags, log records and references, in Thrift's compact protocol.
//!
//! A thread that sets a tag writes the tag's final bytes at once, into the buffer of the span. Finishing copies these
//! bytes into a frame, and sending copies them into a packet, so no later step formats a value again. Reporters that
//! need values read the bytes back.
//!
//! ```text
//! set_tag ─► short_tag ─────────────────► buffer of the span ─► frame ─► packet
//!                │ long or of a rare type      ▲                  │
//!                └─► truncate ─► encode ───────┘                  └─► decode ─► reporter
//!                    (limits)    (codes)
//! ```
//!
//! `short_tag` and `encode` write through an `appender`. `repeated_keys` takes note of each key. `sampler_tags` keeps
//! the bytes of a sampler's tags, and `truncated_keys` lists the binary values that were cut. `decode` has its `text`
//! proven to be text.
//!
//! In memory, a buffer is a row of structs and reserved room behind them ([`codes`] explains a struct byte by byte):
//!
//! ```text
//!              ┌─────┬─────┬─────┬ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┐
//! tags         │ tag │ tag │ tag │     reserved room
//!              └─────┴─────┴─────┴ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┘
//!                                len                     capacity
//!
//! tag          18 │ length │ key │ 15 00 18 │ length │ text │ 00           text
//!              18 │ length │ key │ 15 06 46 │ number │ 00                  integer
//! log record   16 │ time │ 19 │ count │ tag │ tag │ … │ 00
//! reference    15 │ kind │ 16 │ low half of trace id │ 16 │ high half │ 16 │ span id │ 00
//! ```
//!
//! Invariants:
//!
//! - A buffer holds whole structs only. `decode` reads what this module wrote, and nothing else.
//! - `short_tag` and `encode` write equal bytes for equal tags.
//! - User code has already run: values arrive here as data.
//! - An `Appender` writes into reserved room only. What it wrote counts once it is finished.
//! - Limits and cuts apply before a value is encoded, never to encoded bytes.

#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod appender;
pub(crate) mod codes;
pub(crate) mod decode;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod encode;
pub(crate) mod limits;
pub(crate) mod repeated_keys;
pub(crate) mod sampler_tags;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod short_tag;
#[expect(unsafe_code, reason = "block by block, each with its invariant")]
pub(crate) mod text;
pub(crate) mod truncate;
pub(crate) mod truncated_keys;
