use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, ImplItem, ItemImpl, ItemTrait, Meta, Result, TraitItem, Type, TypeParamBound,
};

use crate::function::Function;
use crate::options::Options;
use crate::returns::{Returns, ungrouped};

/// Returns an `impl` block in which every function is traced that is not left out.
pub(crate) fn traced_impl(options: &Options, mut block: ItemImpl) -> Result<TokenStream> {
    options.check_for_block()?;
    let owner = type_name(&block.self_ty);
    let mut functions = Functions::new(options, owner);
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item
            && let Some(traced) = functions.traced(&function.attrs, &function.to_token_stream())
        {
            *item = ImplItem::Verbatim(traced);
        }
    }
    functions.check("this `impl` has no function to trace", || {
        block.self_ty.span()
    })?;
    Ok(block.into_token_stream())
}

/// Returns a trait in which every function that has a body is traced, if it is not left out.
pub(crate) fn traced_trait(options: &Options, mut block: ItemTrait) -> Result<TokenStream> {
    options.check_for_block()?;
    let mut functions = Functions::new(options, Some(block.ident.to_string()));
    for item in &mut block.items {
        if let TraitItem::Fn(function) = item
            && function.default.is_some()
            && let Some(traced) = functions.traced(&function.attrs, &function.to_token_stream())
        {
            *item = TraitItem::Verbatim(traced);
        }
    }
    functions.check("no function of this trait has a body", || {
        block.ident.span()
    })?;
    Ok(block.into_token_stream())
}

/// Removes the attribute from functions in an item that is left as it is after an error, so that the error stands
/// alone.
pub(crate) fn without_own_attributes(item: &mut syn::Item) {
    let functions: Vec<&mut Vec<Attribute>> = match item {
        syn::Item::Impl(block) => block
            .items
            .iter_mut()
            .filter_map(|item| match item {
                ImplItem::Fn(function) => Some(&mut function.attrs),
                _ => None,
            })
            .collect(),
        syn::Item::Trait(block) => block
            .items
            .iter_mut()
            .filter_map(|item| match item {
                TraitItem::Fn(function) => Some(&mut function.attrs),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    for attributes in functions {
        attributes.retain(|attribute| !is_own(attribute));
    }
}

/// The functions of a block, one after the other.
struct Functions<'a> {
    options: &'a Options,
    owner: Option<String>,
    count: usize,
    errors: Option<Error>,
}

impl<'a> Functions<'a> {
    fn new(options: &'a Options, owner: Option<String>) -> Self {
        Self {
            options,
            owner,
            count: 0,
            errors: None,
        }
    }

    /// Returns the function traced, or without its own attribute if that says so. Keeps an error for
    /// [`check`](Self::check).
    fn traced(&mut self, attributes: &[Attribute], function: &TokenStream) -> Option<TokenStream> {
        self.count += 1;
        match self.try_traced(attributes, function) {
            Ok(traced) => Some(traced),
            Err(error) => {
                match &mut self.errors {
                    Some(errors) => errors.combine(error),
                    None => self.errors = Some(error),
                }
                None
            }
        }
    }

    fn try_traced(&self, attributes: &[Attribute], function: &TokenStream) -> Result<TokenStream> {
        let mut function: Function = syn::parse2(function.clone())?;
        let mut options = Options::default();
        let mut own = attributes.iter().filter(|attribute| is_own(attribute));
        if let Some(attribute) = own.next() {
            options = own_options(attribute)?;
        }
        if let Some(second) = own.next() {
            return Err(Error::new_spanned(second, "a function is traced once"));
        }
        function.attributes.retain(|attribute| !is_own(attribute));
        if options.skip.is_some() {
            return Ok(function.into_token_stream());
        }
        let returns_result = Returns::of(&function.signature).is_named_result();
        options.inherit(self.options, returns_result);
        function.check_const("; `#[traced(skip)]` leaves it out")?;
        function.traced(&options, self.owner.as_deref())
    }

    fn check(self, if_none: &str, block: impl FnOnce() -> proc_macro2::Span) -> Result<()> {
        match self.errors {
            Some(errors) => Err(errors),
            None if self.count == 0 => Err(Error::new(block(), if_none)),
            None => Ok(()),
        }
    }
}

fn is_own(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|last| last.ident == "traced")
}

fn own_options(attribute: &Attribute) -> Result<Options> {
    match &attribute.meta {
        Meta::Path(_) => Ok(Options::default()),
        Meta::List(list) => syn::parse2(list.tokens.clone()),
        Meta::NameValue(value) => Err(Error::new(value.eq_token.span(), "expected `(`")),
    }
}

/// Returns the last name of a type, which stands before the names of its functions.
fn type_name(ty: &Type) -> Option<String> {
    let last = match ungrouped(ty) {
        Type::Path(ty) => ty.path.segments.last(),
        Type::Reference(reference) => return type_name(&reference.elem),
        Type::TraitObject(object) => object.bounds.iter().find_map(|bound| match bound {
            TypeParamBound::Trait(bound) => bound.path.segments.last(),
            _ => None,
        }),
        _ => None,
    };
    last.map(|last| last.ident.to_string())
}
