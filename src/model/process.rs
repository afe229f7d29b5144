use crate::model::Tag;

/// The sender of spans: a service name, and tags that hold for all of its spans.
///
/// A tracer adds the tag `jaeger.version`, and `hostname`, `ip` and `client-uuid` unless the user has set them.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::model::TagValue;
/// use tracehound::reporter::NullReporter;
///
/// let tracer = JaegerTracer::builder("shop")
///     .tag("zone", "eu-1")
///     .reporter(NullReporter::new())
///     .build()?;
/// let process = tracer.process().expect("it is on");
/// assert_eq!(process.service_name, "shop");
/// let zone = process.tags.iter().find(|tag| tag.key == "zone").expect("as set above");
/// assert_eq!(zone.value, TagValue::from("eu-1"));
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
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
