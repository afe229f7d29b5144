use std::any::type_name;
use std::error::Error;
use std::fmt::{self, Debug, Display};

use crate::span::ErrorLike;

/// An error of any type, by its `Debug` form.
pub(super) struct DebugText<'a, E>(pub(super) &'a E);

/// An error of any type, by its `Display` form.
pub(super) struct DisplayText<'a, E>(pub(super) &'a E);

impl<E: Debug> Display for DebugText<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.0, f)
    }
}

impl<E: Display> Display for DisplayText<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self.0, f)
    }
}

// Numbers of their own, so that these never overlap with the forms of ordinary errors.
impl<E: Debug> ErrorLike<3> for DebugText<'_, E> {
    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        None
    }

    fn kind(&self) -> Option<&'static str> {
        Some(type_name::<E>())
    }
}

impl<E: Display> ErrorLike<4> for DisplayText<'_, E> {
    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        None
    }

    fn kind(&self) -> Option<&'static str> {
        Some(type_name::<E>())
    }
}
