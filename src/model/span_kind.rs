use std::fmt;

use crate::model::tags;

/// The side of a call or message that a span stands for, as the tag [`span.kind`](tags::SPAN_KIND) names it.
///
/// ```
/// use tracehound::model::SpanKind;
///
/// assert_eq!(SpanKind::of_tag("server"), Some(SpanKind::Server));
/// assert_eq!(SpanKind::of_tag("internal"), None);
/// assert_eq!(SpanKind::Server.to_string(), "server");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SpanKind {
    /// The caller of a remote procedure.
    Client,
    /// The callee of a remote procedure.
    Server,
    /// The sender of a message.
    Producer,
    /// The receiver of a message.
    Consumer,
}

impl SpanKind {
    /// Every kind. A later version may have more.
    ///
    /// ```
    /// use tracehound::model::SpanKind;
    ///
    /// let names: Vec<_> = SpanKind::ALL.iter().map(|kind| kind.name()).collect();
    /// assert_eq!(names, ["client", "server", "producer", "consumer"]);
    /// ```
    pub const ALL: &'static [Self] = &[Self::Client, Self::Server, Self::Producer, Self::Consumer];

    /// Returns the kind that a value of the tag names, or `None` for any other text.
    pub fn of_tag(value: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == value)
    }

    /// Returns the value of the tag.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => tags::SPAN_KIND_CLIENT,
            Self::Server => tags::SPAN_KIND_SERVER,
            Self::Producer => tags::SPAN_KIND_PRODUCER,
            Self::Consumer => tags::SPAN_KIND_CONSUMER,
        }
    }
}

impl fmt::Display for SpanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
