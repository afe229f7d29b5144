//! What the code gives beside values: a reporter, and changes to the builder.

use std::fmt;

use crate::reporter::sender::Sender;
use crate::reporter::{RemoteReporter, Reporter};
use crate::sampler::{Sampler, short_type_name};
use crate::tracer::TracerBuilder;

/// A change to the builder after all settings.
pub(super) type Customize = Box<dyn FnOnce(TracerBuilder) -> TracerBuilder + Send + Sync>;

/// A change to the sampler of the settings.
pub(super) type WrapSampler = Box<dyn FnOnce(Box<dyn Sampler>) -> Box<dyn Sampler> + Send + Sync>;

/// A reporter that the code gives, and the name of its type.
pub(super) struct ReporterChoice {
    pub(super) reporter: Box<dyn Reporter>,
    pub(super) name: &'static str,
    /// The setter that was called.
    pub(super) setter: &'static str,
    /// The destination of spans, in words.
    pub(super) destination: String,
}

impl ReporterChoice {
    pub(super) fn new<R: Reporter + 'static>(reporter: R) -> Self {
        Self {
            reporter: Box::new(reporter),
            name: short_type_name::<R>(),
            setter: "reporter",
            destination: short_type_name::<R>().to_owned(),
        }
    }

    pub(super) fn of_sender<S: Sender + 'static>(sender: S) -> Self {
        Self {
            name: short_type_name::<S>(),
            setter: "sender",
            destination: sender.destination(),
            reporter: Box::new(RemoteReporter::new(sender)),
        }
    }
}

impl fmt::Debug for ReporterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
