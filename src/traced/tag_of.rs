//! Tags of values by their type. For the expansion of the attribute only.

use std::fmt::Display;

use crate::span::{IntoTag, Span};

/// A tag's value, borrowed. A call of `set` on `&&&&&TagOf(&value)` takes the first of five ways that the value's type
/// has, because the compiler looks for a method on the type itself before it takes a reference away:
///
/// | way | the value |
/// |---|---|
/// | [`ByCopy`] | it is an [`IntoTag`] that can be copied, as is a number whose type the compiler has yet to choose |
/// | [`ByReference`] | its reference is an `IntoTag` |
/// | [`ByClone`] | it is an `IntoTag` that can be cloned |
/// | [`ByCloneBehind`] | it is a reference to such a value |
/// | [`ByDisplay`] | everything else, as text |
#[derive(Debug)]
pub struct TagOf<'v, T: ?Sized>(pub &'v T);

/// The first way.
pub trait ByCopy {
    /// Sets the tag.
    fn set(&self, span: &Span, key: &str);
}

impl<T: IntoTag + Copy> ByCopy for &&&&TagOf<'_, T> {
    fn set(&self, span: &Span, key: &str) {
        span.set_tag(key, *self.0);
    }
}

/// The second way.
pub trait ByReference {
    /// Sets the tag.
    fn set(&self, span: &Span, key: &str);
}

impl<'v, T: ?Sized> ByReference for &&&TagOf<'v, T>
where
    &'v T: IntoTag,
{
    fn set(&self, span: &Span, key: &str) {
        span.set_tag(key, self.0);
    }
}

/// The third way.
pub trait ByClone {
    /// Sets the tag.
    fn set(&self, span: &Span, key: &str);
}

impl<T: IntoTag + Clone> ByClone for &&TagOf<'_, T> {
    fn set(&self, span: &Span, key: &str) {
        span.set_tag(key, self.0.clone());
    }
}

/// The fourth way.
pub trait ByCloneBehind {
    /// Sets the tag.
    fn set(&self, span: &Span, key: &str);
}

impl<T: IntoTag + Clone> ByCloneBehind for &TagOf<'_, &T> {
    fn set(&self, span: &Span, key: &str) {
        span.set_tag(key, (*self.0).clone());
    }
}

/// The last way. The bound is on the method, so that the compiler names it when it is not met.
pub trait ByDisplay<T: ?Sized> {
    /// Sets the tag.
    fn set(&self, span: &Span, key: &str)
    where
        T: Display;
}

impl<T: ?Sized> ByDisplay<T> for TagOf<'_, T> {
    fn set(&self, span: &Span, key: &str)
    where
        T: Display,
    {
        span.set_tag(key, format_args!("{}", self.0));
    }
}
