//! Functions with `#[traced]`: what is a span, with which name, parent and tags, and how it ends.

mod blocks;
mod errors;
mod forms;
mod futures;
mod options;
mod strict;
mod switches;
mod tags;
