use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, LitStr, Path, Result, Token, parenthesized};

use crate::tag::Tag;

/// The options in the parentheses of the attribute.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<Expr>,
    pub(crate) kind: Option<LitStr>,
    pub(crate) tags: Option<Tags>,
    pub(crate) err: Option<Err>,
    pub(crate) parent: Option<Expr>,
    pub(crate) follows: Option<Expr>,
    pub(crate) tracer: Option<Expr>,
    pub(crate) krate: Option<Path>,
    pub(crate) root: Option<Span>,
    pub(crate) skip: Option<Span>,
}

/// The option `tags`.
pub(crate) struct Tags {
    pub(crate) option: Span,
    pub(crate) tags: Vec<Tag>,
}

/// The option `err`.
#[derive(Clone, Copy)]
pub(crate) struct Err {
    pub(crate) option: Span,
    pub(crate) form: ErrForm,
}

/// The form in which an error is logged.
#[derive(Clone, Copy)]
pub(crate) enum ErrForm {
    Error,
    Debug,
    Display,
}

impl Options {
    /// Returns the path of the crate `tracehound`.
    pub(crate) fn krate(&self) -> TokenStream {
        match &self.krate {
            Some(path) => path.to_token_stream(),
            None => quote_spanned!(Span::mixed_site()=> ::tracehound),
        }
    }

    /// Adds what the attribute of the surrounding block says. Only a function whose return type is named `…Result`
    /// takes over `err`.
    pub(crate) fn inherit(&mut self, block: &Self, returns_result: bool) {
        self.kind = self.kind.take().or_else(|| block.kind.clone());
        self.tracer = self.tracer.take().or_else(|| block.tracer.clone());
        self.krate = self.krate.take().or_else(|| block.krate.clone());
        if returns_result {
            self.err = self.err.or(block.err);
        }
    }

    /// Checks the options of the attribute on an `impl` block or a trait.
    pub(crate) fn check_for_block(&self) -> Result<()> {
        let of_functions = [
            ("name", self.name.as_ref().map(first_span)),
            ("parent", self.parent.as_ref().map(first_span)),
            ("follows", self.follows.as_ref().map(first_span)),
            ("tags", self.tags.as_ref().map(|tags| tags.option)),
            ("root", self.root),
            ("skip", self.skip),
        ];
        for (name, span) in of_functions {
            if let Some(span) = span {
                let message = format!("`{name}` is an option of a function, and not of a block");
                return Err(Error::new(span, message));
            }
        }
        Ok(())
    }

    /// Checks the options of the attribute on a function.
    pub(crate) fn check_for_function(&self) -> Result<()> {
        if let Some(span) = self.skip {
            let message = "`skip` leaves a function out of an `impl` block or a trait that has `#[traced]`, \
                and this function is in none";
            return Err(Error::new(span, message));
        }
        match (&self.parent, self.root) {
            (Some(_), Some(root)) => Err(Error::new(root, "a `root` has no `parent`")),
            _ => Ok(()),
        }
    }
}

impl Parse for Options {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut options = Self::default();
        while !input.is_empty() {
            options.parse_option(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(options)
    }
}

impl Options {
    fn parse_option(&mut self, input: ParseStream<'_>) -> Result<()> {
        let option = input.call(Ident::parse_any)?;
        match option.to_string().as_str() {
            "name" => once(&mut self.name, &option, || name(input)),
            "kind" => once(&mut self.kind, &option, || kind(input)),
            "tags" => once(&mut self.tags, &option, || tags(input, &option)),
            "err" => once(&mut self.err, &option, || err(input, &option)),
            "parent" => once(&mut self.parent, &option, || value(input)),
            "follows" => once(&mut self.follows, &option, || value(input)),
            "tracer" => once(&mut self.tracer, &option, || value(input)),
            "crate" => once(&mut self.krate, &option, || krate(input)),
            "root" => once(&mut self.root, &option, || Ok(option.span())),
            "skip" => once(&mut self.skip, &option, || Ok(option.span())),
            _ => Err(Error::new(
                option.span(),
                format!("no such option: `{option}`; there are {OPTIONS}"),
            )),
        }
    }
}

const OPTIONS: &str =
    "`name`, `kind`, `tags`, `err`, `parent`, `follows`, `root`, `tracer`, `skip` and `crate`";

const KINDS: [&str; 4] = ["server", "client", "producer", "consumer"];

fn once<T>(place: &mut Option<T>, option: &Ident, parse: impl FnOnce() -> Result<T>) -> Result<()> {
    if place.is_some() {
        let message = format!("the option `{option}` is given twice");
        return Err(Error::new(option.span(), message));
    }
    *place = Some(parse()?);
    Ok(())
}

fn value<T: Parse>(input: ParseStream<'_>) -> Result<T> {
    input.parse::<Token![=]>()?;
    input.parse()
}

fn name(input: ParseStream<'_>) -> Result<Expr> {
    let name: Expr = value(input)?;
    match &name {
        Expr::Lit(ExprLit {
            lit: Lit::Str(_), ..
        }) => Ok(name),
        Expr::Lit(_) => Err(Error::new_spanned(
            name,
            "a name is a string: `name = \"…\"`",
        )),
        _ => Ok(name),
    }
}

fn kind(input: ParseStream<'_>) -> Result<LitStr> {
    let kind: LitStr = value(input)?;
    if KINDS.contains(&kind.value().as_str()) {
        return Ok(kind);
    }
    let message = format!("no such kind of span; there are {}", KINDS.join(", "));
    Err(Error::new(kind.span(), message))
}

fn tags(input: ParseStream<'_>, option: &Ident) -> Result<Tags> {
    let content;
    parenthesized!(content in input);
    let tags: Vec<Tag> = Punctuated::<Tag, Token![,]>::parse_terminated(&content)?
        .into_iter()
        .collect();
    for (i, tag) in tags.iter().enumerate() {
        if tags[..i].iter().any(|other| other.key == tag.key) {
            let message = format!("the tag `{}` is given twice", tag.key);
            return Err(Error::new(tag.span, message));
        }
    }
    Ok(Tags {
        option: option.span(),
        tags,
    })
}

fn err(input: ParseStream<'_>, option: &Ident) -> Result<Err> {
    let mut form = ErrForm::Error;
    if input.peek(syn::token::Paren) {
        let content;
        parenthesized!(content in input);
        let word: Ident = content.parse()?;
        form = match word.to_string().as_str() {
            "Debug" => ErrForm::Debug,
            "Display" => ErrForm::Display,
            _ => {
                let message = "an error is logged by `err`, `err(Debug)` or `err(Display)`";
                return Err(Error::new(word.span(), message));
            }
        };
        if !content.is_empty() {
            return Err(content.error("expected `)`"));
        }
    }
    Ok(Err {
        option: option.span(),
        form,
    })
}

/// Parses a path, in quotes or without.
fn krate(input: ParseStream<'_>) -> Result<Path> {
    input.parse::<Token![=]>()?;
    match input.peek(LitStr) {
        true => input.parse::<LitStr>()?.parse_with(Path::parse_mod_style),
        false => input.call(Path::parse_mod_style),
    }
}

/// Returns the place of an expression.
fn first_span(expr: &Expr) -> Span {
    syn::spanned::Spanned::span(expr)
}
