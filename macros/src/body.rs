use proc_macro2::{Delimiter, Group, TokenStream};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Block, Expr, ExprAsync, Result, Stmt};

/// The body of a function, in the parts between which the attribute adds tokens.
pub(crate) struct Body {
    braces: Group,
    /// Attributes inside the braces, and the items that stand before the first statement.
    head: TokenStream,
    rest: TokenStream,
    /// The only statement after the head, if it is an expression.
    only: Option<Expr>,
}

impl Body {
    pub(crate) fn new(braces: Group) -> Result<Self> {
        let split = |input: ParseStream<'_>| {
            let attributes = input.call(Attribute::parse_inner)?;
            Ok((attributes, input.parse::<TokenStream>()?))
        };
        let (attributes, mut rest) = split.parse2(braces.stream())?;
        let mut head = TokenStream::new();
        head.append_all(&attributes);
        let mut only = None;
        // Syntax that is too new for the parser goes on as it is.
        if let Ok(statements) = Block::parse_within.parse2(rest.clone()) {
            let items = statements.iter().take_while(|s| matches!(s, Stmt::Item(_)));
            let (items, statements) = statements.split_at(items.count());
            head.append_all(items);
            rest = TokenStream::new();
            rest.append_all(statements);
            if let [Stmt::Expr(expr, None)] = statements {
                only = Some(expr.clone());
            }
        }
        Ok(Self {
            braces,
            head,
            rest,
            only,
        })
    }

    /// Returns the async block, if that is the whole body, in `Box::pin` or not.
    pub(crate) fn async_block(&mut self) -> Option<&mut ExprAsync> {
        async_block(self.only.as_mut()?)
    }

    /// Returns the only expression of the body.
    pub(crate) fn only(&self) -> TokenStream {
        self.only.to_token_stream()
    }

    /// Returns the head and then `tokens`, in the braces of the function.
    pub(crate) fn with(&self, tokens: TokenStream) -> TokenStream {
        let mut all = self.head.clone();
        all.extend(tokens);
        self.braced(all)
    }

    /// Returns `first` and the rest of the body, in braces.
    pub(crate) fn rest_after(&self, first: TokenStream) -> TokenStream {
        let mut all = first;
        all.extend(self.rest.clone());
        self.braced(all)
    }

    /// Returns `first` and the rest of the body, without braces.
    pub(crate) fn open_rest_after(&self, first: TokenStream) -> TokenStream {
        let mut all = first;
        all.extend(self.rest.clone());
        all
    }

    /// Puts tokens in braces at the place of those of the function, to which errors about the value point.
    fn braced(&self, tokens: TokenStream) -> TokenStream {
        let mut group = Group::new(Delimiter::Brace, tokens);
        group.set_span(self.braces.span());
        group.into_token_stream()
    }
}

fn async_block(expr: &mut Expr) -> Option<&mut ExprAsync> {
    match expr {
        Expr::Async(block) => Some(block),
        Expr::Group(group) => async_block(&mut group.expr),
        Expr::Paren(paren) => async_block(&mut paren.expr),
        Expr::Call(call) if call.args.len() == 1 && is_box_pin(&call.func) => {
            async_block(call.args.first_mut()?)
        }
        _ => None,
    }
}

fn is_box_pin(function: &Expr) -> bool {
    let Expr::Path(function) = function else {
        return false;
    };
    let mut names = function.path.segments.iter().rev();
    let mut next_is = |name| names.next().is_some_and(|segment| segment.ident == name);
    next_is("pin") && next_is("Box")
}
