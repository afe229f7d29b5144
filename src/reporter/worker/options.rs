use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::diagnostics::Diagnostics;
use crate::metrics::Metrics;
use crate::model::Process;
use crate::record::SpanQueue;

/// The parts of a tracer that its worker uses.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOptions {
    pub(crate) queue: Arc<SpanQueue>,
    pub(crate) clock: Clock,
    pub(crate) process: Arc<Process>,
    /// The user has set the tag `client-uuid`, so a forked child keeps it.
    pub(crate) keeps_uuid: bool,
    pub(crate) metrics: Metrics,
    pub(crate) diagnostics: Diagnostics,
    pub(crate) flush_interval: Duration,
}
