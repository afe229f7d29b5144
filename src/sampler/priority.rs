use std::fmt;

use crate::model::TagRef;
use crate::sampler::{Interests, Sampler, SamplingDecision, SpanView};
use crate::services::Services;

/// A sampler that asks others in turn: the first one that keeps a trace decides.
///
/// A sampler that drops a trace is not asked about it again. The trace is dropped when all have dropped it, and
/// undecided while any of them is. There is one exception: when the local root of an undecided trace gets another name,
/// a sampler that [depends](Sampler::depends_on_operation_name) on the name is asked once more.
///
/// Usually the first one waits for something special, and the last one samples the rest. The spans of a trace that the
/// last one drops are then recorded and wait for the first one: see [`TagMatchingSampler`](super::TagMatchingSampler).
/// Such a trace is sent to other services as not sampled until a sampler keeps it.
///
/// ```
/// use tracehound::JaegerTracer;
/// use tracehound::prelude::*;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::{
///     ProbabilisticSampler, PrioritySampler, SamplingRate, TagMatchingSampler,
/// };
///
/// let sampler = PrioritySampler::new(TagMatchingSampler::new("tenant").value("acme"))
///     .then(ProbabilisticSampler::new(SamplingRate::ZERO));
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(sampler)
///     .reporter(spans.clone())
///     .build()?;
/// for tenant in ["acme", "other"] {
///     let root = tracer.start_span("checkout");
///     tracer.build_span("read cart").child_of(&root).start().finish();
///     root.set_tag("tenant", tenant);
/// }
/// assert_eq!(spans.spans().len(), 2); // both spans of one trace
/// assert_eq!(tracer.report().dropped.total(), 0); // the other one is no loss
/// # Ok::<(), tracehound::tracer::BuildError>(())
/// ```
pub struct PrioritySampler {
    samplers: Vec<Box<dyn Sampler>>,
}

impl PrioritySampler {
    /// Makes a sampler that asks `first` before all others.
    pub fn new(first: impl Sampler + 'static) -> Self {
        Self {
            samplers: vec![Box::new(first)],
        }
    }

    /// Adds a sampler that is asked after those before it.
    ///
    /// What a sampler has answered about an undecided trace is remembered for the first 32 samplers.
    #[must_use]
    pub fn then(mut self, next: impl Sampler + 'static) -> Self {
        self.samplers.push(Box::new(next));
        self
    }

    /// Asks each sampler that has not dropped the trace. With `asks_again`, also one that has.
    fn ask(
        &self,
        span: &SpanView<'_>,
        asks_again: impl Fn(&dyn Sampler) -> bool,
        question: impl Fn(&dyn Sampler, &SpanView<'_>) -> SamplingDecision,
    ) -> SamplingDecision {
        let notes = span.notes();
        let count = self.samplers.len() as u32;
        let mut is_dropped_by_all = true;
        for (at, sampler) in (0..).zip(&self.samplers) {
            let sampler = &**sampler;
            let has_dropped = notes.has(at);
            let is_asked = sampler.weighs_dropped_traces() || !span.is_dropped_by_caller;
            if !is_asked || has_dropped && !asks_again(sampler) {
                continue;
            }
            let view = span.with_notes(notes.part(at, count));
            match question(sampler, &view) {
                SamplingDecision::Sample(tags) => return SamplingDecision::Sample(tags),
                SamplingDecision::Drop => notes.set(at),
                SamplingDecision::Delay => is_dropped_by_all &= has_dropped,
            }
        }
        if is_dropped_by_all {
            SamplingDecision::Drop
        } else {
            SamplingDecision::Delay
        }
    }

    /// Returns what each sampler says, with its place.
    fn join(&self, say: impl Fn(&dyn Sampler) -> String) -> String {
        let each = (1..)
            .zip(&self.samplers)
            .map(|(place, sampler)| format!("{place}. {}", say(&**sampler)));
        each.collect::<Vec<_>>().join(" | ")
    }
}

impl Sampler for PrioritySampler {
    fn attach(&mut self, services: &Services) {
        for sampler in &mut self.samplers {
            sampler.attach(services);
        }
    }

    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.ask(
            span,
            |_| false,
            |sampler, span| sampler.on_create_span(span),
        )
    }

    fn on_set_operation_name(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.ask(
            span,
            |sampler| span.is_local_root && sampler.depends_on_operation_name(),
            |sampler, span| sampler.on_set_operation_name(span),
        )
    }

    fn on_set_tag(&self, span: &SpanView<'_>, key: &str, value: TagRef<'_>) -> SamplingDecision {
        self.ask(
            span,
            |_| false,
            |sampler, span| sampler.on_set_tag(span, key, value),
        )
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        self.ask(
            span,
            |_| false,
            |sampler, span| sampler.on_finish_span(span),
        )
    }

    fn depends_on_operation_name(&self) -> bool {
        self.samplers
            .iter()
            .any(|sampler| sampler.depends_on_operation_name())
    }

    fn interests(&self) -> Interests {
        let each = self.samplers.iter().map(|sampler| sampler.interests());
        let all = each.fold(Interests::nothing(), Interests::and);
        if self.depends_on_operation_name() {
            all.names()
        } else {
            all
        }
    }

    fn weighs_dropped_traces(&self) -> bool {
        self.samplers
            .iter()
            .any(|sampler| sampler.weighs_dropped_traces())
    }

    /// Keeps every trace if a sampler does and all before it drop every trace, and drops every trace if all do.
    fn constant_decision(&self) -> Option<SamplingDecision> {
        for sampler in &self.samplers {
            match sampler.constant_decision()? {
                SamplingDecision::Sample(tags) => return Some(SamplingDecision::Sample(tags)),
                SamplingDecision::Drop => {}
                SamplingDecision::Delay => return None,
            }
        }
        Some(SamplingDecision::Drop)
    }

    fn description(&self) -> String {
        self.join(|sampler| sampler.description())
    }

    fn explain(&self, operation_name: &str) -> String {
        self.join(|sampler| sampler.explain(operation_name))
    }

    fn close(&self) {
        for sampler in &self.samplers {
            sampler.close();
        }
    }
}

/// Shows what the samplers are called.
impl fmt::Debug for PrioritySampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrioritySampler({})", self.description())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::model::Process;

    /// A sampler that counts its calls.
    #[derive(Clone, Default)]
    struct Part {
        attached: Arc<AtomicU32>,
        closed: Arc<AtomicU32>,
        depends_on_operation_name: bool,
        weighs_dropped_traces: bool,
    }

    impl Sampler for Part {
        fn attach(&mut self, _: &Services) {
            self.attached.fetch_add(1, Ordering::Relaxed);
        }

        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }

        fn depends_on_operation_name(&self) -> bool {
            self.depends_on_operation_name
        }

        fn weighs_dropped_traces(&self) -> bool {
            self.weighs_dropped_traces
        }

        fn close(&self) {
            self.closed.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn every_sampler_is_attached_and_closed() {
        let part = Part::default();
        let mut sampler = PrioritySampler::new(part.clone()).then(part.clone());
        let calls = || [&part.attached, &part.closed].map(|it| it.load(Ordering::Relaxed));
        sampler.attach(&Services::detached(Process::new("shop", vec![])));
        assert_eq!(calls(), [2, 0]);
        Sampler::close(&sampler);
        assert_eq!(calls(), [2, 2]);
    }

    #[test]
    fn it_wants_what_any_sampler_wants() {
        let part = |[depends_on_operation_name, weighs_dropped_traces]: [bool; 2]| Part {
            depends_on_operation_name,
            weighs_dropped_traces,
            ..Part::default()
        };
        let (none, name, dropped) = ([false; 2], [true, false], [false, true]);
        for (first, then, both) in [
            (none, none, none),
            (name, none, name),
            (none, name, name),
            (dropped, none, dropped),
            (none, dropped, dropped),
        ] {
            let sampler = PrioritySampler::new(part(first)).then(part(then));
            let wanted = [
                sampler.depends_on_operation_name(),
                sampler.weighs_dropped_traces(),
            ];
            assert_eq!(wanted, both, "{first:?} {then:?}");
        }
    }
}
