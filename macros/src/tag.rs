use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Expr, LitStr, PatIdent, Result, Signature, Token, parse_quote};

/// A tag in the option `tags`: `order_id`, `user = user.id`, `"http.url" = %url` or `filter = ?filter`.
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) span: Span,
    value: Expr,
    form: Form,
    /// The argument, if the tag is only its name.
    argument: Option<Ident>,
}

/// The way from a value to that of a tag.
enum Form {
    /// By its type.
    Value,
    Debug,
    Display,
}

impl Tag {
    /// Checks that a tag which is only a name is the name of an argument.
    pub(crate) fn check(&self, signature: &Signature) -> Result<()> {
        let Some(argument) = &self.argument else {
            return Ok(());
        };
        let mut arguments = Names::default();
        arguments.visit_signature_mut(&mut signature.clone());
        if arguments.0.contains(argument) {
            return Ok(());
        }
        let message = format!(
            "`{}` has no argument `{argument}`; the value of a tag follows its key: `{argument} = …`",
            signature.ident
        );
        Err(Error::new(argument.span(), message))
    }

    /// Returns a statement that sets the tag on `span`.
    pub(crate) fn set(&self, krate: &TokenStream, span: &Ident) -> TokenStream {
        let (key, value) = (&self.key, &self.value);
        // An error about the type of the value should point at the value.
        let site = Span::mixed_site().located_at(value.span());
        match self.form {
            Form::Value => quote_spanned! {site=> {
                let value = &(#value);
                {
                    use #krate::traced::tag_of::*;
                    (&&&&&TagOf(value)).set(#span, #key);
                }
            }},
            Form::Debug => quote_spanned! {site=>
                #span.set_tag(#key, ::core::format_args!("{:?}", &(#value)));
            },
            Form::Display => quote_spanned! {site=>
                #span.set_tag(#key, ::core::format_args!("{}", &(#value)));
            },
        }
    }
}

impl Parse for Tag {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            let key: LitStr = input.parse()?;
            return Self::parse_value(input, key.value(), key.span());
        }
        let form = input.call(Form::parse)?;
        let first = input.call(Ident::parse_any)?;
        let mut key = first.unraw().to_string();
        let mut is_argument = true;
        while input.peek(Token![.]) {
            input.parse::<Token![.]>()?;
            key.push('.');
            key.push_str(&input.call(Ident::parse_any)?.unraw().to_string());
            is_argument = false;
        }
        if input.peek(Token![=]) && matches!(form, Form::Value) {
            return Self::parse_value(input, key, first.span());
        }
        if !is_argument {
            let message = format!("the tag `{key}` needs a value: `{key} = …`");
            return Err(Error::new(first.span(), message));
        }
        check_key(&key, first.span())?;
        Ok(Self {
            key,
            span: first.span(),
            value: parse_quote!(#first),
            form,
            argument: Some(first),
        })
    }
}

impl Tag {
    fn parse_value(input: ParseStream<'_>, key: String, span: Span) -> Result<Self> {
        check_key(&key, span)?;
        input.parse::<Token![=]>()?;
        Ok(Self {
            key,
            span,
            form: input.call(Form::parse)?,
            value: input.parse()?,
            argument: None,
        })
    }
}

/// Refuses the tag that decides about the trace: when tags are set, the sampler has decided.
fn check_key(key: &str, span: Span) -> Result<()> {
    if key != "sampling.priority" {
        return Ok(());
    }
    let message = "these tags are not set while a trace is not sampled; to sample it, call \
        `active_span().set_tag(\"sampling.priority\", 1)` in the body";
    Err(Error::new(span, message))
}

impl Form {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(if input.parse::<Option<Token![?]>>()?.is_some() {
            Self::Debug
        } else if input.parse::<Option<Token![%]>>()?.is_some() {
            Self::Display
        } else {
            Self::Value
        })
    }
}

/// The names that a signature binds, without `self`.
#[derive(Default)]
struct Names(Vec<Ident>);

impl VisitMut for Names {
    fn visit_pat_ident_mut(&mut self, pattern: &mut PatIdent) {
        self.0.push(pattern.ident.clone());
        visit_mut::visit_pat_ident_mut(self, pattern);
    }
}
