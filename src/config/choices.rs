//! What the code gives beside values: a reporter, and changes to the builder.

use std::fmt;

use crate::reporter::Reporter;
use crate::sampler::short_type_name;
use crate::tracer::TracerBuilder;

/// A change to the builder after all settings.
pub(super) type Customize = Box<dyn FnOnce(TracerBuilder) -> TracerBuilder + Send + Sync>;

/// A reporter that the code gives, and the name of its type.
pub(super) struct ReporterChoice {
    pub(super) reporter: Box<dyn Reporter>,
    pub(super) name: &'static str,
}

impl ReporterChoice {
    pub(super) fn new<R: Reporter + 'static>(reporter: R) -> Self {
        Self {
            reporter: Box::new(reporter),
            name: short_type_name::<R>(),
        }
    }
}

impl fmt::Debug for ReporterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
