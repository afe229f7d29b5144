use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Error, Item, Result, Signature, Visibility};

use crate::block::{traced_impl, traced_trait, without_own_attributes};
use crate::function::Function;
use crate::options::Options;

/// Returns what stands in place of the attribute and its item. After an error that is the item as it was, so that the
/// compiler does not miss it as well.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    match try_expand(options, item.clone()) {
        Ok(expanded) => expanded,
        Err(error) => {
            let mut tokens = error.into_compile_error();
            match syn::parse2::<Item>(item.clone()) {
                Ok(mut parsed) => {
                    without_own_attributes(&mut parsed);
                    parsed.to_tokens(&mut tokens);
                }
                Err(_) => tokens.extend(item),
            }
            tokens
        }
    }
}

fn try_expand(options: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options: Options = syn::parse2(options)?;
    match syn::parse2(item)? {
        Traceable::Function(function) => function.traced(&options, None),
        Traceable::Impl(block) => traced_impl(&options, block),
        Traceable::Trait(block) => traced_trait(&options, block),
    }
}

/// An item that the attribute may stand on.
enum Traceable {
    Function(Function),
    Impl(syn::ItemImpl),
    Trait(syn::ItemTrait),
}

impl Parse for Traceable {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if is_function(&input.fork()) {
            return input.parse().map(Self::Function);
        }
        match input.parse()? {
            Item::Impl(block) => Ok(Self::Impl(block)),
            Item::Trait(block) => Ok(Self::Trait(block)),
            other => Err(Error::new_spanned(
                other,
                "`#[traced]` stands on a function, a method, an `impl` block or a trait",
            )),
        }
    }
}

fn is_function(input: ParseStream<'_>) -> bool {
    input.call(Attribute::parse_outer).is_ok()
        && input.parse::<Visibility>().is_ok()
        && input.parse::<Signature>().is_ok()
}
