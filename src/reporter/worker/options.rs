use std::sync::Arc;
use std::time::Duration;

use crate::metrics::MetricsFactory;
use crate::record::SpanQueue;
use crate::services::Services;

/// The parts of a tracer that its worker uses.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOptions {
    pub(crate) queue: Arc<SpanQueue>,
    pub(crate) services: Services,
    /// The user has set the tag `client-uuid`, so a forked child keeps it.
    pub(crate) keeps_uuid: bool,
    pub(crate) flush_interval: Duration,
    /// The factory that takes the tracer's metrics.
    pub(crate) factory: Option<Arc<dyn MetricsFactory>>,
}
