use std::any::type_name;
use std::error::Error;
use std::fmt;

/// An error that [`Span::log_error`](crate::Span::log_error) takes, in one of three forms that the compiler tells
/// apart:
///
/// | form | what it is |
/// |---|---|
/// | 0 | everything that is an [`Error`], also behind a reference |
/// | 1 | `Box<dyn Error>`, with `Send` and `Sync` or without, which is no `Error` itself |
/// | 2 | the reports of `anyhow` and `eyre`, which lend their error by [`AsRef`] |
///
/// ```
/// use std::error::Error;
/// use tracehound::Span;
///
/// fn port(text: &str) -> Result<u16, Box<dyn Error>> {
///     Ok(text.parse()?)
/// }
///
/// let span = Span::noop();
/// let _ = port("x").inspect_err(|error| span.log_error(error));
/// let _ = "x".parse::<u16>().inspect_err(|error| span.log_error(error));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no error that a span can log",
    note = "an error behind a pointer of another kind is lent by `&**error`"
)]
pub trait ErrorLike<const FORM: u8>: fmt::Display {
    /// Returns the error that caused this one.
    fn cause(&self) -> Option<&(dyn Error + 'static)>;

    /// Returns the name of the error's type, if the compiler knows it. By default `None`.
    ///
    /// ```
    /// use tracehound::span::ErrorLike;
    ///
    /// let error = std::fmt::Error;
    /// assert!(error.cause().is_none());
    /// assert!(error.kind().is_some_and(|kind| kind.ends_with("Error")));
    /// ```
    fn kind(&self) -> Option<&'static str> {
        None
    }
}

impl<E: Error + ?Sized> ErrorLike<0> for E {
    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.source()
    }

    fn kind(&self) -> Option<&'static str> {
        let mut name = type_name::<E>();
        while let Some((pointer, rest)) = POINTERS
            .iter()
            .find_map(|pointer| Some((pointer, name.strip_prefix(pointer)?)))
        {
            // A smart pointer closes what it opens.
            name = match pointer.ends_with('<') {
                true => rest.strip_suffix('>').unwrap_or(rest),
                false => rest,
            };
        }
        (!name.starts_with("dyn ")).then_some(name)
    }
}

/// The prefixes of names of pointer types. A pointer to an error is an error, and its own name says little.
const POINTERS: [&str; 5] = [
    "&",
    "mut ",
    "alloc::boxed::Box<",
    "alloc::rc::Rc<",
    "alloc::sync::Arc<",
];

macro_rules! boxed {
    ($($ty:ty)*) => {$(
        impl ErrorLike<1> for Box<$ty> {
            fn cause(&self) -> Option<&(dyn Error + 'static)> {
                (**self).source()
            }
        }
    )*};
}

boxed! {
    dyn Error
    dyn Error + Send
    dyn Error + Sync
    dyn Error + Send + Sync
}

// No pointer of the standard library has both, so this overlaps with no other form.
impl<T> ErrorLike<2> for T
where
    T: AsRef<dyn Error> + AsRef<dyn Error + Send + Sync> + fmt::Display,
{
    fn cause(&self) -> Option<&(dyn Error + 'static)> {
        AsRef::<dyn Error>::as_ref(self).source()
    }
}
