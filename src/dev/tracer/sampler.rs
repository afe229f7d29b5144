use std::sync::Arc;

use crate::clock::system_time_now;
use crate::dev::server::state::ServerState;
use crate::model::{SpanId, TagRef, Timestamp};
use crate::sampler::{Interests, Sampler, SamplingDecision, SpanView};
use crate::services::Services;
use crate::sync::generation;
use crate::view::OpenSpan;

/// A sampler that tells the embedded agent which kept traces begin in this process.
///
/// Such a trace is at rest only after its root has come.
pub(crate) struct DevSampler {
    sampler: Box<dyn Sampler>,
    /// Not the server itself, which a span that is still open would keep running.
    state: Arc<ServerState>,
    /// The generation of the process that the server is in.
    generation: u32,
    service_name: String,
}

impl DevSampler {
    pub(crate) fn new(
        sampler: Box<dyn Sampler>,
        state: Arc<ServerState>,
        service_name: String,
    ) -> Self {
        Self {
            sampler,
            state,
            generation: generation(),
            service_name,
        }
    }

    /// Tells the agent of a local root that has just been kept.
    fn note(&self, decision: SamplingDecision, span: &SpanView<'_>) -> SamplingDecision {
        // A root's span id is the low half of its trace id. A local root with a remote parent is decided already, so
        // the sampler is not asked. A forked child must not wait for the server's lock.
        if matches!(decision, SamplingDecision::Sample(_))
            && span.is_local_root
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
        decision
    }
}

impl Sampler for DevSampler {
    fn attach(&mut self, services: &Services) {
        self.sampler.attach(services);
    }

    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.note(self.sampler.on_create_span(span), span)
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.note(self.sampler.on_set_operation_name(span), span)
    }

    fn on_set_tag(&self, span: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        self.sampler.on_set_tag(span, key, value)
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.sampler.on_finish_span(span)
    }

    fn depends_on_operation_name(&self) -> bool {
        self.sampler.depends_on_operation_name()
    }

    fn interests(&self) -> Interests {
        self.sampler.interests()
    }

    fn weighs_dropped_traces(&self) -> bool {
        self.sampler.weighs_dropped_traces()
    }

    // No constant decision: a trace that is always kept has to be told of, too.

    fn description(&self) -> String {
        self.sampler.description()
    }

    fn close(&self) {
        self.sampler.close();
    }

    fn explain(&self, operation_name: &str) -> String {
        self.sampler.explain(operation_name)
    }
}
