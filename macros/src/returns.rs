use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, Path, PathArguments, PathSegment, ReturnType, Signature, Type, TypeParamBound,
    parse_quote,
};

/// The return type of a function, as far as the expansion depends on it.
pub(crate) enum Returns<'a> {
    /// A value. `None` stands for a function without an arrow.
    Value(Option<&'a Type>),
    /// `impl Future`.
    Future(Option<&'a Type>),
    /// A boxed future.
    Boxed(Option<&'a Type>),
}

impl<'a> Returns<'a> {
    pub(crate) fn of(signature: &'a Signature) -> Self {
        let ReturnType::Type(_, returned) = &signature.output else {
            return Self::Value(None);
        };
        if signature.asyncness.is_some() {
            return Self::Value(Some(returned));
        }
        match ungrouped(returned) {
            Type::ImplTrait(ty) => match future_in(&ty.bounds) {
                Some(future) => Self::Future(output(future)),
                None => Self::Value(Some(returned)),
            },
            Type::Path(ty) => boxed(&ty.path).unwrap_or(Self::Value(Some(returned))),
            _ => Self::Value(Some(returned)),
        }
    }

    /// Returns the type of the value in the end, if the signature tells: that of a future's output.
    pub(crate) fn value(&self) -> Option<&'a Type> {
        match self {
            Self::Value(value) | Self::Future(value) | Self::Boxed(value) => *value,
        }
    }

    /// Returns whether the function never returns.
    pub(crate) fn is_never(&self) -> bool {
        matches!(self.value().map(ungrouped), Some(Type::Never(_)))
    }

    /// Returns whether the value in the end has a type that is named `Result`, or `…Result`.
    pub(crate) fn is_named_result(&self) -> bool {
        let last = match self.value().map(ungrouped) {
            Some(Type::Path(ty)) => ty.path.segments.last(),
            _ => None,
        };
        last.is_some_and(|last| last.ident.to_string().ends_with("Result"))
    }
}

/// Returns a type in which `_` stands for each `impl Trait`, because no annotation may have one.
pub(crate) fn without_impl(ty: &Type) -> Type {
    let mut ty = ty.clone();
    Eraser.visit_type_mut(&mut ty);
    ty
}

struct Eraser;

impl VisitMut for Eraser {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        match ty {
            Type::ImplTrait(_) => *ty = parse_quote!(_),
            _ => visit_mut::visit_type_mut(self, ty),
        }
    }
}

/// Recognizes `Pin<Box<dyn Future>>` and the aliases of the crate `futures`.
fn boxed(path: &Path) -> Option<Returns<'_>> {
    let last = path.segments.last()?;
    if last.ident == "BoxFuture" || last.ident == "LocalBoxFuture" {
        return Some(Returns::Boxed(types(last).next()));
    }
    if last.ident != "Pin" {
        return None;
    }
    let Type::Path(inside) = types(last).next()? else {
        return None;
    };
    let inside = inside.path.segments.last()?;
    let Type::TraitObject(object) = ungrouped(types(inside).next()?) else {
        return None;
    };
    match inside.ident == "Box" {
        true => future_in(&object.bounds).map(|future| Returns::Boxed(output(future))),
        false => None,
    }
}

fn future_in<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>) -> Option<&'a PathSegment> {
    let mut traits = bounds.into_iter().filter_map(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    });
    traits.find(|last| last.ident == "Future")
}

/// Returns `T` of `Future<Output = T>`.
fn output(future: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &future.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(ty) if ty.ident == "Output" => Some(&ty.ty),
        _ => None,
    })
}

/// Returns the types among the generic arguments.
fn types(segment: &PathSegment) -> impl Iterator<Item = &Type> {
    let arguments = match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments
        .into_iter()
        .flatten()
        .filter_map(|argument| match argument {
            GenericArgument::Type(ty) => Some(ty),
            _ => None,
        })
}

/// Returns the type without parentheses, and without the invisible ones that `macro_rules!` puts around a fragment.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        _ => ty,
    }
}
