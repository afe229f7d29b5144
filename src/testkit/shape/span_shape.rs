use std::fmt;

use crate::model::{ReferenceType, TagValue, tags};
use crate::reporter::OwnedSpan;

/// Makes the shape of a span with this name.
///
/// ```
/// use tracehound::testkit::span;
///
/// let shape = span("checkout").service("shop").child("list").child("pay");
/// # let _ = shape;
/// ```
pub fn span(operation_name: impl Into<String>) -> SpanShape {
    SpanShape {
        operation_name: operation_name.into(),
        service: None,
        is_error: false,
        reference: None,
        tags: Vec::new(),
        events: Vec::new(),
        children: Vec::new(),
        is_ordered: false,
        is_open: false,
    }
}

/// The expected shape of a span and of the spans below it, made by [`span`](fn@span).
///
/// ```
/// use tracehound::testkit::span;
///
/// let shape = span("checkout")
///     .service("shop")
///     .child(span("pay").tag("cents", 4_200).failed().event("error"))
///     .child("list")
///     .in_order();
/// # let _ = shape;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a shape checks nothing before it is given to `assert_trace`"]
pub struct SpanShape {
    pub(super) operation_name: String,
    service: Option<String>,
    is_error: bool,
    reference: Option<ReferenceType>,
    /// Keys, each with its value; none if any will do.
    tags: Vec<(String, ExpectedTag)>,
    events: Vec<String>,
    pub(super) children: Vec<Self>,
    pub(super) is_ordered: bool,
    pub(super) is_open: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum ExpectedTag {
    Value(TagValue),
    AnyValue,
    Absent,
}

impl SpanShape {
    /// Asks for this service. By default any will do.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("checkout").service("shop");
    /// # let _ = shape;
    /// ```
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    /// Asks for a span that has [failed](OwnedSpan::is_error). By default it must not have.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("pay").failed();
    /// # let _ = shape;
    /// ```
    pub fn failed(mut self) -> Self {
        self.is_error = true;
        self
    }

    /// Asks for a tag with this value and its type.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("pay").tag("cents", 4_200).tag("currency", "EUR");
    /// # let _ = shape;
    /// ```
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<TagValue>) -> Self {
        let value = ExpectedTag::Value(value.into());
        self.tags.push((key.into(), value));
        self
    }

    /// Asks for a tag with any value.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("pay").has_tag("receipt");
    /// # let _ = shape;
    /// ```
    pub fn has_tag(mut self, key: impl Into<String>) -> Self {
        self.tags.push((key.into(), ExpectedTag::AnyValue));
        self
    }

    /// Asks that there be no tag with this key.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("pay").has_no_tag("card.number");
    /// # let _ = shape;
    /// ```
    pub fn has_no_tag(mut self, key: impl Into<String>) -> Self {
        self.tags.push((key.into(), ExpectedTag::Absent));
        self
    }

    /// Asks for a log record whose field `event` has this value.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("pay").event("retry");
    /// # let _ = shape;
    /// ```
    pub fn event(mut self, name: impl Into<String>) -> Self {
        self.events.push(name.into());
        self
    }

    /// Asks for a span that refers to its parent as `FollowsFrom`. By default any reference will do.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("order").child(span("send receipt").follows_from());
    /// # let _ = shape;
    /// ```
    pub fn follows_from(mut self) -> Self {
        self.reference = Some(ReferenceType::FollowsFrom);
        self
    }

    /// Asks for a span below this one.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("checkout").child("list").child(span("pay").failed());
    /// # let _ = shape;
    /// ```
    pub fn child(mut self, child: impl Into<Self>) -> Self {
        self.children.push(child.into());
        self
    }

    /// Asks for spans below this one.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("checkout").children(["list", "pay"]);
    /// # let _ = shape;
    /// ```
    pub fn children(mut self, children: impl IntoIterator<Item = impl Into<Self>>) -> Self {
        self.children.extend(children.into_iter().map(Into::into));
        self
    }

    /// Asks that the spans below this one have started in the order in which the shape names them. By default any order
    /// will do.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("checkout").children(["list", "pay"]).in_order();
    /// # let _ = shape;
    /// ```
    pub fn in_order(mut self) -> Self {
        self.is_ordered = true;
        self
    }

    /// Allows other spans right below this one.
    ///
    /// ```
    /// use tracehound::testkit::span;
    ///
    /// let shape = span("checkout").child("pay").and_others();
    /// # let _ = shape;
    /// ```
    pub fn and_others(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// Returns what differs between a span and this shape, apart from the spans below.
    pub(super) fn differences(&self, span: &OwnedSpan) -> Vec<String> {
        let mut found = Vec::new();
        if span.operation_name != self.operation_name {
            found.push(format!("the name is `{}`", span.operation_name));
        }
        if let Some(service) = &self.service
            && span.service_name() != service
        {
            let name = span.service_name();
            found.push(format!("the service is `{name}` instead of `{service}`"));
        }
        match (span.is_error(), self.is_error) {
            (true, false) => found.push("it has failed".to_owned()),
            (false, true) => found.push("it has not failed".to_owned()),
            _ => {}
        }
        if let Some(kind) = self.reference
            && !span.references.iter().any(|reference| {
                reference.kind == kind && Some(reference.span_id) == span.parent_id
            })
        {
            found.push(format!("it refers to its parent not as {kind:?}"));
        }
        for (key, expected) in &self.tags {
            let tag = span.tags.iter().find(|tag| tag.key == *key);
            let value = tag.map(|tag| &tag.value);
            match (value, expected) {
                (Some(value), ExpectedTag::Value(expected)) if value != expected => {
                    let (value, expected) = (typed(value), typed(expected));
                    found.push(format!("the tag `{key}` is {value} instead of {expected}"));
                }
                (Some(value), ExpectedTag::Absent) => {
                    found.push(format!("it has the tag `{key}`: {}", typed(value)));
                }
                (None, ExpectedTag::Value(_) | ExpectedTag::AnyValue) => {
                    found.push(format!("it has no tag `{key}`"));
                }
                _ => {}
            }
        }
        for event in &self.events {
            let mut fields = span.logs.iter().flat_map(|log| &log.fields);
            if !fields.any(|field| field.key == tags::EVENT && field.value.to_string() == *event) {
                found.push(format!("it has no log with the event `{event}`"));
            }
        }
        found
    }
}

impl From<&str> for SpanShape {
    fn from(operation_name: &str) -> Self {
        span(operation_name)
    }
}

impl From<String> for SpanShape {
    fn from(operation_name: String) -> Self {
        span(operation_name)
    }
}

/// The shape with all that is asked for, on one line without the spans below.
impl fmt::Display for SpanShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.operation_name)?;
        if self.is_error {
            f.write_str(" !")?;
        }
        let mut asked = Vec::new();
        asked.extend(self.service.as_ref().map(|name| format!("service={name}")));
        asked.extend(self.reference.map(|kind| format!("{kind:?}")));
        for (key, expected) in &self.tags {
            asked.push(match expected {
                ExpectedTag::Value(value) => format!("{key}={value}"),
                ExpectedTag::AnyValue => key.clone(),
                ExpectedTag::Absent => format!("no {key}"),
            });
        }
        asked.extend(self.events.iter().map(|event| format!("event={event}")));
        if self.is_ordered {
            asked.push("in order".to_owned());
        }
        if self.is_open {
            asked.push("and others".to_owned());
        }
        match asked.is_empty() {
            true => Ok(()),
            false => write!(f, " [{}]", asked.join(", ")),
        }
    }
}

/// Shows a value so that text can be told from a number.
fn typed(value: &TagValue) -> String {
    match value {
        TagValue::String(text) => format!("{text:?}"),
        other => other.to_string(),
    }
}
