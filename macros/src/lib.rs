//! The attribute `#[traced]` of the crate `tracehound`. Use it from there, with the feature `macros`.

mod block;
mod body;
#[cfg(test)]
mod expansions;
mod function;
mod item;
mod options;
mod returns;
mod tag;

use proc_macro::TokenStream;

/// Makes each call of a function a span, which is active while the body runs. Stands on a function, a method, an `impl`
/// block or a trait.
///
/// ```
/// use tracehound::traced;
///
/// #[traced(kind = "client", tags(order_id, items = items.len()), err)]
/// async fn pay(order_id: u64, items: &[u32]) -> Result<u32, std::fmt::Error> {
///     Ok(items.iter().sum())
/// }
/// ```
///
/// | option | says |
/// |---|---|
/// | `name = "get_account"` | the operation name: a string or a constant. Defaults to the name of the function; `Type::method`, if the attribute is on the `impl` block or the trait |
/// | `kind = "client"` | the tag `span.kind`: `server`, `client`, `producer` or `consumer` |
/// | `tags(order_id, user = user.id)` | tags: arguments by their names, or `key = expression`. The expressions borrow, run before the body, and run only if the span records |
/// | `err` | an `Err` that the body returns is logged on the span, which is marked as failed. For errors that are no `std::error::Error`: `err(Debug)`, `err(Display)` |
/// | `parent = expression` | the span is a child of this span or context. Defaults to the active span |
/// | `follows = expression` | the span follows from this span or context |
/// | `root` | the span begins a new trace, even if a span is active |
/// | `tracer = expression` | the tracer. Defaults to the global one |
/// | `skip` | in a traced `impl` block or trait: this function is not traced |
/// | `crate = "path"` | where the crate `tracehound` is found. Defaults to `::tracehound` |
///
/// A key is a name, a name with dots, or a string: `tags(db.user = name, "http.url" = url)`. A value keeps its type if
/// a tag can have that type: numbers, `bool`, text, bytes, and `Option` of them. Other values go by their `Display`
/// form, and by their `Debug` form with a question mark: `tags(?filter, range = ?(from..to))`. A `%` asks for the
/// `Display` form.
///
/// The options of an `impl` block or a trait hold for all its functions: `tracer`, `kind`, `crate`, and `err` for those
/// whose return type has a name that ends in `Result`. A function may have `#[traced(…)]` with options of its own.
///
/// The module `tracehound::traced` has more: which functions can be traced, what they cost, and how they are switched
/// off at run time.
///
/// # Errors
///
/// The attribute does not compile on a `const fn`, or with an option that makes no sense. A tag that is only a name
/// must be the name of an argument:
///
/// ```compile_fail
/// #[tracehound::traced(tags(order))]
/// fn pay(order_id: u64) {}
/// ```
#[proc_macro_attribute]
pub fn traced(options: TokenStream, item: TokenStream) -> TokenStream {
    item::expand(options.into(), item.into()).into()
}
