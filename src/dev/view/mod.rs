//! Traces as people and programs read them: pictures, and the JSON of Jaeger's query API.

pub(crate) mod json;
pub(crate) mod open_json;
pub(crate) mod printer;
pub(crate) mod schedule;
mod text;
pub(crate) mod tree;
pub(crate) mod waterfall;
