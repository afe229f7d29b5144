use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// A function that [`#[traced]`](macro@crate::traced) marks: its name, where it stands, and whether it is switched on.
///
/// Each place is a static that the attribute makes. [`places`](crate::traced::places) lists those that have been
/// called. A generic function is one place for all its types.
///
/// ```
/// use tracehound::traced;
/// use tracehound::traced::places;
///
/// #[traced(name = "price")]
/// fn price_of(items: u64) -> u64 {
///     items * 5
/// }
///
/// price_of(3);
/// let place = places().into_iter().find(|place| place.name() == "price").expect("it was called");
/// assert_eq!(place.function(), "price_of");
/// println!("{}, in {} at {}:{}", place, place.module(), place.file(), place.line());
/// place.set_enabled(false); // no spans from the next call on
/// assert!(!place.is_enabled());
/// ```
pub struct Place {
    name: &'static str,
    module: &'static str,
    function: &'static str,
    file: &'static str,
    line: u32,
    /// `NEW`, `ON` or `OFF`.
    state: AtomicU8,
}

/// The first call has not come yet, so the place is not registered and no rule has been applied to it.
pub(super) const NEW: u8 = 0;
pub(super) const ON: u8 = 1;
pub(super) const OFF: u8 = 2;

impl Place {
    /// Returns a place that registers itself at its first call. For the expansion of the attribute only.
    #[doc(hidden)]
    pub const fn new(
        name: &'static str,
        module: &'static str,
        function: &'static str,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            name,
            module,
            function,
            file,
            line,
            state: AtomicU8::new(NEW),
        }
    }

    /// Returns the operation name of its spans.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the path of the module: `shop::db`.
    pub const fn module(&self) -> &'static str {
        self.module
    }

    /// Returns the name of the function in its module: `load`, or `Cart::add` if the attribute is on an `impl` or a
    /// trait.
    pub const fn function(&self) -> &'static str {
        self.function
    }

    /// Returns the source file.
    pub const fn file(&self) -> &'static str {
        self.file
    }

    /// Returns the line of the function's name, counted from 1.
    pub const fn line(&self) -> u32 {
        self.line
    }

    /// Returns whether `path` is this place, its type, its module, or a module around it. The empty path is around all.
    pub(super) fn is_in(&self, path: &str) -> bool {
        let in_module = path
            .strip_prefix(self.module)
            .and_then(|rest| rest.strip_prefix("::"))
            .filter(|path| !path.is_empty());
        is_around(path, self.module) || in_module.is_some_and(|path| is_around(path, self.function))
    }

    #[inline]
    pub(super) fn state(&self) -> u8 {
        // Relaxed: nothing else is read on the strength of the state.
        self.state.load(Ordering::Relaxed)
    }

    pub(super) fn switch(&self, is_enabled: bool) {
        let state = if is_enabled { ON } else { OFF };
        self.state.store(state, Ordering::Relaxed);
    }
}

/// Returns whether everything below the path `inner` is below `outer`, too.
pub(super) fn is_around(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    outer.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Writes the path: `shop::db::load`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.module, self.function)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self} at {}:{})", self.file, self.line)
    }
}
