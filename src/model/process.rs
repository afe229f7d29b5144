use crate::model::Tag;

/// The sender of spans: a service name, and tags that hold for all of its spans.
///
/// A tracer adds the tag `jaeger.version`, and `hostname`, `ip` and `client-uuid` unless the user has set them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Process {
    /// The name of the service, never empty.
    pub service_name: String,
    /// The tags; no two have the same key.
    pub tags: Vec<Tag>,
}

impl Process {
    /// Makes a process from the service's name and tags.
    ///
    /// ```
    /// use tracehound::model::{Process, Tag};
    ///
    /// let process = Process::new("shop", vec![Tag::new("zone", "eu-1")]);
    /// assert_eq!(process.service_name, "shop");
    /// ```
    pub fn new(service_name: impl Into<String>, tags: Vec<Tag>) -> Self {
        Self {
            service_name: service_name.into(),
            tags,
        }
    }
}
