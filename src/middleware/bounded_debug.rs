use std::fmt::Debug;

use crate::bounded_text::BoundedText;

/// Returns the `Debug` text of a value, or the first `most` bytes of a longer one with `…` behind.
pub(crate) fn bounded_debug<T: Debug + ?Sized>(value: &T, most: usize) -> String {
    BoundedText::of(most, format_args!("{value:?}")).finish(str::len)
}
