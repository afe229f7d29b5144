mod compare;
mod difference;
mod matching;
mod span_shape;
mod text;

pub use difference::Difference;
pub use span_shape::{SpanShape, span};

use crate::reporter::OwnedSpan;
use crate::testkit::attached::attach;
use crate::testkit::shape::compare::compare;
use crate::testkit::shape::text::shapes;

/// Checks the shape of traces: which spans there are, and which are below which.
///
/// The shape is a tree of names as [`InMemoryReporter::tree`](crate::reporter::InMemoryReporter::tree) draws it, or
/// made of [`span`]s, which can ask for tags, services and more. Spans with one parent may come in any order. There
/// must be no other spans, and spans fail only where the shape says so.
///
/// # Panics
///
/// If the shape differs. The message names each difference and shows both trees:
///
/// ```text
/// the spans differ from the expected shape:
///   checkout > pay: the tag `cents` is 42 instead of 4200
///   checkout > pay: no span `card`
///   checkout: an unexpected span `refund`
///
/// expected:
///     checkout
///       list
///   ~   pay [cents=4200]
///   -     card
///
/// found:
///     checkout
///       list
///   ~   pay
///   +   refund
/// ```
///
/// The traces are kept, too: as a page, which a browser opens without a server, and in the JSON that Jaeger's user
/// interface opens. The last lines of the message say where: in `target/tracehound/`, in files with the name of the test,
/// which its next failure replaces. The environment variable `TRACEHOUND_TRACES_DIR` names another directory; `off`
/// keeps nothing. At most 8 traces are kept.
///
/// ```text
/// the traces as a page: /home/me/shop/target/tracehound/it.checkout.a_cart_is_paid.html
/// for Jaeger's user interface: /home/me/shop/target/tracehound/it.checkout.a_cart_is_paid.json
/// ```
///
/// # Examples
///
/// ```
/// use tracehound::prelude::*;
/// use tracehound::testkit::{TestTracer, assert_trace, span};
///
/// let tracer = TestTracer::new("shop");
/// let checkout = tracer.start_active_span("checkout");
/// tracer.start_span("list").finish();
/// tracer.build_span("pay").tag("cents", 4_200).start().finish();
/// checkout.finish();
///
/// assert_trace(
///     &tracer.spans(),
///     "checkout
///        pay
///        list",
/// );
/// // Or with more to ask for:
/// assert_trace(
///     &tracer.spans(),
///     span("checkout").child("list").child(span("pay").tag("cents", 4_200)),
/// );
/// ```
#[track_caller]
#[expect(clippy::panic, reason = "an assertion")]
pub fn assert_trace(spans: &[OwnedSpan], shape: impl Into<TraceShape>) {
    if let Err(difference) = shape.into().compare(spans) {
        panic!("{difference}{}", attach(spans));
    }
}

/// The shape of traces: what their roots, and the spans below them, must be like.
///
/// A root is a span without a parent, or one whose parent is not among the spans. A shape is made from text, from a
/// [`SpanShape`], or from several.
///
/// ```
/// use tracehound::testkit::{TraceShape, span};
///
/// let text = TraceShape::from("
///     checkout
///       list
///       pay !
/// ");
/// assert_eq!(text, TraceShape::from(span("checkout").child("list").child(span("pay").failed())));
/// let two_roots = TraceShape::from([span("checkout"), span("refund")]);
/// # let _ = two_roots;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a shape checks nothing before it is compared"]
pub struct TraceShape {
    roots: Vec<SpanShape>,
}

impl TraceShape {
    /// Compares spans with this shape, without a panic: for waiting until a trace is whole.
    ///
    /// # Errors
    ///
    /// Returns the [`Difference`] if there is one.
    ///
    /// ```
    /// use tracehound::testkit::TraceShape;
    ///
    /// let difference = TraceShape::from("checkout").compare(&[]).expect_err("no spans");
    /// assert!(difference.to_string().contains("no span `checkout`"));
    /// ```
    pub fn compare(&self, spans: &[OwnedSpan]) -> Result<(), Difference> {
        compare(&self.roots, spans)
    }
}

impl From<&str> for TraceShape {
    /// Reads a tree of names as [`InMemoryReporter::tree`](crate::reporter::InMemoryReporter::tree) draws it: a line
    /// for each span, indented more than its parent, with ` !` at the end if it has failed. Empty lines and a common
    /// indentation do not count.
    fn from(tree: &str) -> Self {
        let roots = shapes(tree);
        Self { roots }
    }
}

impl From<SpanShape> for TraceShape {
    fn from(root: SpanShape) -> Self {
        let roots = vec![root];
        Self { roots }
    }
}

impl<const N: usize> From<[SpanShape; N]> for TraceShape {
    fn from(roots: [SpanShape; N]) -> Self {
        let roots = roots.into();
        Self { roots }
    }
}

impl From<Vec<SpanShape>> for TraceShape {
    fn from(roots: Vec<SpanShape>) -> Self {
        Self { roots }
    }
}
