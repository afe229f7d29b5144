//! The attribute `#[traced]` of the crate `tracehound`. Use it from there, with the feature `macros`.
