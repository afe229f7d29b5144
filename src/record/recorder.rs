use std::sync::Arc;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::record::limits::Limits;
use crate::record::store::Store;

/// What it takes to fill and finish a span; one for each tracer. Nothing in it is the user's own code.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) store: Arc<Store>,
}
