use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Result, Signature, Token, Type, Visibility};

use crate::body::Body;
use crate::options::{Err, ErrForm, Options};
use crate::returns::{Returns, ungrouped, without_impl};

/// A function or method with a body.
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    visibility: Visibility,
    pub(crate) signature: Signature,
    braces: Group,
}

impl Function {
    /// Returns the function with a span around its body. `owner` is the type or the trait that it belongs to, if the
    /// attribute is on that.
    pub(crate) fn traced(&self, options: &Options, owner: Option<&str>) -> Result<TokenStream> {
        options.check_for_function()?;
        self.check_const("")?;
        for tag in options.tags.iter().flat_map(|tags| &tags.tags) {
            tag.check(&self.signature)?;
        }
        let returns = Returns::of(&self.signature);
        if let Some(err) = options.err {
            self.check_err(err, &returns)?;
        }
        let body = self.body(options, owner, &returns)?;
        let (attributes, visibility, signature) =
            (&self.attributes, &self.visibility, &self.signature);
        Ok(quote!(#(#attributes)* #visibility #signature #body))
    }

    /// Refuses a `const fn`, with a hint at the end of the message.
    pub(crate) fn check_const(&self, hint: &str) -> Result<()> {
        let Some(constant) = &self.signature.constness else {
            return Ok(());
        };
        let message =
            "a `const fn` cannot be traced, because it may run while the program is compiled";
        Err(Error::new(constant.span(), format!("{message}{hint}")))
    }

    fn body(
        &self,
        options: &Options,
        owner: Option<&str>,
        returns: &Returns<'_>,
    ) -> Result<TokenStream> {
        let site = Span::mixed_site();
        let call = self.call(options, owner);
        // What is wrong with the type of the value is told where the return type stands.
        let value_site = returns
            .value()
            .map_or(site, |ty| site.located_at(ty.span()));
        let finish = |method: &str, arguments: TokenStream| {
            let method = Ident::new(method, value_site);
            quote_spanned!(site=> #call.#method(#arguments))
        };
        let awaited = quote_spanned!(value_site=> .await);
        let mut body = Body::new(self.braces.clone())?;
        if self.signature.asyncness.is_some() {
            let future = body.rest_after(typed(returns.value()));
            let call = finish("future", quote_spanned!(site=> async move #future));
            let value = quote_spanned!(site=> #call #awaited);
            return Ok(body.with(match returns.is_never() {
                true => value, // a `return` of it would be unreachable
                false => returning(&value),
            }));
        }
        if let Some(block) = body.async_block() {
            // The outer block owns what the inner one uses, and what only tags use.
            let inner = block.to_token_stream();
            block.attrs.clear();
            block.capture = Some(Token![move](site));
            let call = finish("future", inner);
            block.block.stmts = syn::parse_quote_spanned!(site=> #call #awaited);
            let only = body.only();
            return Ok(body.with(only));
        }
        let inner = body.rest_after(TokenStream::new());
        Ok(match returns {
            Returns::Value(Some(ty)) if options.err.is_some() => {
                let ty = without_impl(ty);
                let run = finish("run", quote_spanned!(site=> move || -> #ty #inner));
                body.with(returning(&run))
            }
            Returns::Value(_) => {
                let guard = quote_spanned!(site=> let _traced = #call.enter(););
                body.with(body.open_rest_after(guard))
            }
            Returns::Future(_) => {
                let returned = finish("returned", quote_spanned!(site=> move || #inner));
                body.with(returning(&returned))
            }
            Returns::Boxed(_) => {
                let ty = &self.signature.output;
                let arguments = quote_spanned! {site=>
                    move || #ty #inner, |future| ::std::boxed::Box::pin(future)
                };
                body.with(returning(&finish("boxed", arguments)))
            }
        })
    }

    /// Returns an expression for the call: its span has started and has its tags, and the body has not begun.
    fn call(&self, options: &Options, owner: Option<&str>) -> TokenStream {
        let site = Span::mixed_site();
        let krate = options.krate();
        let place = self.place(options, owner, &krate);
        let start = match started(options, &krate) {
            Some(started) => quote_spanned!(site=> start_with(#place, #started)),
            None => quote_spanned!(site=> start(#place)),
        };
        let span = Ident::new("span", site);
        let tags = options.tags.as_ref().map(|tags| {
            let set = tags.tags.iter().map(|tag| tag.set(&krate, &span));
            quote_spanned!(site=> .tags(|#span| { #(#set)* }))
        });
        let err = options.err.map(|err| {
            let site = site.located_at(err.option);
            match err.form {
                ErrForm::Error => quote_spanned!(site=> .log_error()),
                ErrForm::Debug => quote_spanned!(site=> .log_debug()),
                ErrForm::Display => quote_spanned!(site=> .log_display()),
            }
        });
        quote_spanned!(site=> #krate::traced::#start #tags #err)
    }

    fn place(&self, options: &Options, owner: Option<&str>, krate: &TokenStream) -> TokenStream {
        let site = Span::mixed_site();
        let mut function = self.signature.ident.unraw().to_string();
        if let Some(owner) = owner {
            function = format!("{owner}::{function}");
        }
        let name = match &options.name {
            Some(name) => name.to_token_stream(),
            None => function.to_token_stream(),
        };
        // The line of the function's name, and not that of the attribute.
        let line = quote_spanned!(self.signature.ident.span()=> ::core::line!());
        quote_spanned! {site=> {
            static PLACE: #krate::traced::Place = #krate::traced::Place::new(
                #name, ::core::module_path!(), #function, ::core::file!(), #line,
            );
            &PLACE
        }}
    }

    /// Checks as much of `err` as the signature tells. The compiler knows the rest.
    fn check_err(&self, err: Err, returns: &Returns<'_>) -> Result<()> {
        let what = match returns {
            Returns::Value(None) => "nothing",
            Returns::Value(Some(_)) if returns.is_never() => "`!`",
            _ => return Ok(()),
        };
        let message = format!(
            "`err` needs a function that returns a `Result`, and `{}` returns {what}",
            self.signature.ident
        );
        Err(Error::new(err.option, message))
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature: Signature = input.parse()?;
        let token: TokenTree = input.parse()?;
        let span = token.span();
        let Some(braces) = braces(token) else {
            let message = "a function without a body cannot be traced";
            return Err(Error::new(span, message));
        };
        Ok(Self {
            attributes,
            visibility,
            signature,
            braces,
        })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for attribute in &self.attributes {
            attribute.to_tokens(tokens);
        }
        self.visibility.to_tokens(tokens);
        self.signature.to_tokens(tokens);
        self.braces.to_tokens(tokens);
    }
}

/// Returns the braces of a body, also out of the invisible ones that `macro_rules!` puts around a fragment.
fn braces(token: TokenTree) -> Option<Group> {
    match token {
        TokenTree::Group(group) => match group.delimiter() {
            Delimiter::Brace => Some(group),
            Delimiter::None => braces(group.stream().into_iter().next()?),
            _ => None,
        },
        _ => None,
    }
}

/// Returns a closure that starts the span, if that takes more than a name and the global tracer.
fn started(options: &Options, krate: &TokenStream) -> Option<TokenStream> {
    let site = Span::mixed_site();
    let mut settings = TokenStream::new();
    let references = [
        ("child_of", &options.parent),
        ("follows_from", &options.follows),
    ];
    for (setter, context) in references {
        if let Some(context) = context {
            let setter = Ident::new(setter, site.located_at(context.span()));
            settings.extend(quote_spanned!(site=> .#setter(&(#context))));
        }
    }
    if options.root.is_some() {
        settings.extend(quote_spanned!(site=> .new_trace()));
    }
    if let Some(kind) = &options.kind {
        settings.extend(quote_spanned!(site=> .tag("span.kind", #kind)));
    }
    let tracer = match &options.tracer {
        Some(tracer) => quote_spanned!(site.located_at(tracer.span())=> &(#tracer)),
        None if settings.is_empty() => return None,
        None => quote_spanned!(site=> #krate::tracer::tracer()),
    };
    Some(match settings.is_empty() {
        true => quote_spanned! {site=>
            |name| #krate::tracer::TracerExt::start_span(#tracer, name)
        },
        false => quote_spanned! {site=>
            |name| #krate::tracer::TracerExt::build_span(#tracer, name) #settings.start()
        },
    })
}

/// Returns the last statement of a function. An expression alone would do, but then the lint `clippy::implicit_return`
/// finds fault with the attribute, where a program cannot add the `return`.
fn returning(value: &TokenStream) -> TokenStream {
    quote_spanned!(Span::mixed_site()=> return #value;)
}

/// Returns a statement that tells the compiler the type of an async block, which has no place for it. Without it
/// coercions and `?` in the body lack a type, and errors point at the attribute.
fn typed(ty: Option<&Type>) -> TokenStream {
    let mut site = Span::mixed_site();
    if let Some(ty) = ty {
        site = site.located_at(ty.span());
    }
    let ty = match ty.map(ungrouped) {
        Some(Type::Never(_)) => return TokenStream::new(),
        Some(ty) => without_impl(ty).into_token_stream(),
        None => quote_spanned!(site=> ()),
    };
    quote_spanned! {site=>
        if let ::core::option::Option::Some(never) = ::core::option::Option::None::<#ty> {
            return never;
        }
    }
}
