use std::sync::Arc;

use crate::clock::system_time_now;
use crate::dev::server::state::ServerState;
use crate::dev::store::trace::OpenSpan;
use crate::model::{SpanId, Timestamp};
use crate::sampler::{ConstSampler, Sampler, SamplingDecision, SpanView};
use crate::sync::generation;

/// A sampler that keeps every trace and tells the embedded agent which ones begin in this process.
///
/// Such a trace is at rest only after its root has come.
#[derive(Debug)]
pub(crate) struct DevSampler {
    keep: ConstSampler,
    /// Not the server itself, which a span that is still open would keep running.
    state: Arc<ServerState>,
    /// The generation of the process that the server is in.
    generation: u32,
    service_name: String,
}

impl DevSampler {
    pub(crate) fn new(state: Arc<ServerState>, service_name: String) -> Self {
        Self {
            keep: ConstSampler::new(true),
            state,
            generation: generation(),
            service_name,
        }
    }
}

impl Sampler for DevSampler {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        // A root's span id is the low half of its trace id. A local root with a remote parent is decided already, so
        // the sampler is not asked. A forked child must not wait for the server's lock.
        if span.is_local_root
            && self.generation == generation()
            && let Some(span_id) = SpanId::new(span.trace_id.low())
        {
            self.state.note_open(OpenSpan {
                trace_id: span.trace_id,
                span_id,
                operation_name: span.operation_name.to_owned(),
                service_name: self.service_name.clone(),
                start: Timestamp::from(system_time_now()),
            });
        }
        self.keep.on_create_span(span)
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.keep.on_create_span(span)
    }

    fn explain(&self, operation_name: &str) -> String {
        self.keep.explain(operation_name)
    }
}
