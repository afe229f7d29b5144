use crate::model::Tag;

/// Who sends: the service name and the tags that hold for all of its spans.
///
/// A tracer adds `jaeger.version`, and `hostname`, `ip` and `client-uuid` unless the user has set them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Process {
    /// The service's name, never empty.
    pub service_name: String,
    /// One tag a key.
    pub tags: Vec<Tag>,
}

impl Process {
    /// Joins a name and tags.
    pub fn new(service_name: impl Into<String>, tags: Vec<Tag>) -> Self {
        Self {
            service_name: service_name.into(),
            tags,
        }
    }
}
