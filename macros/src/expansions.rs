//! Tests of the expansion of functions, in the form in which `cargo expand` shows it.
//!
//! A file of `macros/expansions/` has a function, a line of dashes, and its expansion.

use proc_macro2::TokenStream;

use crate::item::expand;

/// Returns the expansion of an item that begins with `#[traced(…)]`.
fn expanded(source: &str) -> String {
    let item: TokenStream = source.parse().expect("tokens");
    let mut tokens = item.into_iter().skip(1);
    let attribute = match tokens.next() {
        Some(proc_macro2::TokenTree::Group(attribute)) => attribute.stream(),
        other => panic!("no attribute: {other:?}"),
    };
    let options = attribute.into_iter().find_map(|token| match token {
        proc_macro2::TokenTree::Group(options) => Some(options.stream()),
        _ => None,
    });
    let expanded = expand(options.unwrap_or_default(), tokens.collect());
    prettyplease::unparse(&syn::parse2(expanded).expect("items"))
}

macro_rules! expansions {
    ($($claim:ident: $file:literal;)*) => {$(
        #[test]
        fn $claim() {
            let text = include_str!(concat!("../expansions/", $file));
            let (source, expected) = text.split_once("\n----\n\n").expect("a line of dashes");
            let expanded = expanded(source);
            assert!(expanded == expected, "{}:\n{expanded}", $file);
        }
    )*};
}

expansions! {
    a_function_gets_one_line: "function.rs.txt";
    a_function_that_logs_errors_is_one_expression: "err.rs.txt";
    an_async_function_awaits_one_future: "async.rs.txt";
    an_async_block_is_traced_inside_its_box: "block.rs.txt";
    a_returned_future_is_wrapped: "future.rs.txt";
    a_boxed_future_is_wrapped_in_a_box: "boxed.rs.txt";
    options_are_calls_that_a_program_could_write: "options.rs.txt";
    functions_of_a_block_are_traced_one_by_one: "impl.rs.txt";
}
