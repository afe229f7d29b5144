//! The plan, carried out with tracehound.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracehound::clock::ManualClock;
use tracehound::metrics::FlushReport;
use tracehound::model::{Baggage, ReferenceType, TagRef, field};
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::sampler::{
    ConstSampler, Interests, Sampler, SamplerTags, SamplingDecision, SpanView,
};
use tracehound::scope::{Scope, activate_context, active_span};
use tracehound::span::{Limits, Reference};
use tracehound::{JaegerTracer, SpanContext};

use super::plan::{Action, Plan, Remote, SamplerPlan, Source, Start, TracerPlan};
use super::rules::{Answer, Rules};

pub(super) const EPOCH_MICROS: i64 = 1_500_000_000_000_000;
const LONG: Duration = Duration::from_secs(20);

/// The handles and contexts of a program. Scopes stay with their threads.
pub(super) struct World {
    pub(super) tracers: Vec<(JaegerTracer, InMemoryReporter)>,
    plans: Vec<TracerPlan>,
    clock: ManualClock,
    now: i64,
    ids: Arc<Mutex<Ids>>,
    spans: Vec<Option<Span>>,
    saved: Vec<SpanContext>,
}

#[derive(Default)]
struct Ids {
    last: u64,
    drawn: Vec<u64>,
}

/// What the program observes after a call.
#[derive(Debug)]
pub(super) enum Seen {
    Nothing,
    /// The ids that tracehound drew.
    Started(Vec<u64>),
    Span {
        is_noop: bool,
        is_recording: bool,
        baggage: Baggage,
    },
    Context(SpanContext),
    Report(FlushReport),
}

#[derive(Debug)]
pub(super) struct Failure(pub(super) &'static str);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Failure {}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let clock = ManualClock::at_micros(EPOCH_MICROS.unsigned_abs());
        let ids = Arc::new(Mutex::new(Ids::default()));
        let tracers = plan.tracers.iter().map(|tracer| {
            let spans = InMemoryReporter::new();
            let ids = ids.clone();
            let draw = move || {
                let mut ids = ids.lock().expect("not poisoned");
                ids.last += 1;
                let id = ids.last;
                ids.drawn.push(id);
                id
            };
            let mut builder = JaegerTracer::builder("test")
                .reporter(spans.clone())
                .clock(clock.clone())
                .trace_id_128bit(tracer.has_long_trace_ids)
                .final_decision_on_inject(tracer.finalizes_on_inject)
                .flush_interval(Duration::from_millis(1));
            if tracer.has_id_source {
                builder = builder.id_source(draw);
            }
            if plan.has_tight_limits {
                builder = builder.limits(tight_limits());
            }
            builder = match tracer.sampler {
                SamplerPlan::Const(keep) => builder.sampler(ConstSampler::new(keep)),
                rules => builder.sampler(Ruled(Rules(rules))),
            };
            (builder.build().expect("named"), spans)
        });
        Self {
            tracers: tracers.collect(),
            plans: plan.tracers.clone(),
            clock,
            now: EPOCH_MICROS,
            ids,
            spans: Vec::new(),
            saved: Vec::new(),
        }
    }

    pub(super) fn act(&mut self, scopes: &mut Vec<Scope>, action: &Action) -> Seen {
        match action {
            Action::Start(start) => return self.start(start),
            Action::SetTag(n, key, value) => {
                self.span(*n).set_tag(key, value.as_ref());
            }
            Action::SetTagWith(n, key, value) => {
                self.span(*n).set_tag_with(key, || *value);
            }
            Action::Log(n, fields, at) => {
                let fields = fields.iter().map(|(key, value)| field(key, value.as_ref()));
                match at {
                    None => self.span(*n).log(fields),
                    Some(at) => self.span(*n).log_at(self.at(*at), fields),
                };
            }
            Action::LogError(n, text) => {
                self.span(*n).log_error(&Failure(text));
            }
            Action::Rename(n, name) => {
                self.span(*n).set_operation_name(*name);
            }
            Action::SetBaggage(n, key, value) => {
                self.span(*n).set_baggage_item(key, value);
            }
            Action::RemoveBaggage(n, key) => {
                self.span(*n).remove_baggage_item(key);
            }
            Action::Clone(n) => self.spans.push(Some(self.span(*n).clone())),
            Action::Handle(n) => self.spans.push(Some(self.span(*n).downgrade())),
            Action::TakeActive => self.spans.push(Some(active_span())),
            Action::SaveContext(n) => {
                let context = self.span(*n).context();
                self.saved.push(context.clone());
                return Seen::Context(context);
            }
            Action::Carry(n, source) => {
                let mut headers = Vec::<(String, String)>::new();
                let context = self.context(*source);
                let tracer = &self.tracers[n % self.tracers.len()].0;
                tracer.inject(&context, &mut headers);
                let context = tracer.extract(&headers).expect("well-formed");
                let context = context.unwrap_or_default();
                self.saved.push(context.clone());
                return Seen::Context(context);
            }
            Action::Activate(n) => scopes.push(self.span(*n).activate()),
            Action::ActivateContext(source) => {
                scopes.push(activate_context(&self.context(*source)))
            }
            Action::CloseScope(n) => {
                if !scopes.is_empty() {
                    drop(scopes.remove(n % scopes.len()));
                }
            }
            Action::Finish(n) => self.take(*n).finish(),
            Action::FinishAt(n, at) => self.take(*n).finish_at(self.at(*at)),
            Action::Drop(n) => drop(self.take(*n)),
            Action::Flush(n) => {
                return Seen::Report(self.tracers[n % self.tracers.len()].0.flush(LONG));
            }
            Action::Close(n) => {
                return Seen::Report(self.tracers[n % self.tracers.len()].0.close(LONG));
            }
            Action::Advance(micros) => {
                self.clock.advance(Duration::from_micros(*micros));
                self.now += micros.cast_signed();
            }
        }
        self.look(action)
    }

    pub(super) fn has_spans(&self) -> bool {
        self.spans.iter().any(Option::is_some)
    }

    fn start(&mut self, start: &Start) -> Seen {
        let references: Vec<_> = start
            .references
            .iter()
            .map(|(kind, source)| {
                let context = self.context(*source);
                match kind {
                    ReferenceType::ChildOf => Reference::child_of(&context),
                    _ => Reference::follows_from(&context),
                }
            })
            .collect();
        let context = start.context.map(|source| self.context(source));
        let has_given_ids = context.as_ref().is_some_and(SpanContext::has_trace);
        self.ids.lock().expect("not poisoned").drawn.clear();
        let tracer = &self.tracers[start.tracer % self.tracers.len()].0;
        let mut builder = tracer.build_span(start.name);
        for reference in references {
            builder = builder.reference(reference);
        }
        if start.ignores_active_span {
            builder = builder.ignore_active_span();
        }
        if start.is_new_trace {
            builder = builder.new_trace();
        }
        if let Some(offset) = start.start_time {
            builder = builder.start_time(self.at(offset));
        }
        if let Some(context) = context {
            builder = builder.context(context);
        }
        for (key, value) in &start.tags {
            builder = builder.tag(key, value.as_ref());
        }
        let span = builder.start();
        let plan = self.plans[start.tracer % self.plans.len()];
        let drawn = if plan.has_id_source {
            self.ids.lock().expect("not poisoned").drawn.clone()
        } else if has_given_ids {
            Vec::new()
        } else {
            drawn_for(&span, plan.has_long_trace_ids)
        };
        self.spans.push(Some(span));
        Seen::Started(drawn)
    }

    /// Reads from the span what the model is compared with, after most calls.
    fn look(&self, action: &Action) -> Seen {
        match action {
            Action::SetTag(n, ..)
            | Action::Log(n, ..)
            | Action::Rename(n, _)
            | Action::SetBaggage(n, ..)
            | Action::RemoveBaggage(n, _) => {
                let span = self.span(*n);
                let mut baggage = Baggage::default();
                for key in ["user", "tier", "zone"] {
                    if let Some(value) = span.baggage_item(key) {
                        baggage = baggage.with(key, &value).expect("short");
                    }
                }
                Seen::Span {
                    is_noop: span.is_noop(),
                    is_recording: span.is_recording(),
                    baggage,
                }
            }
            _ => Seen::Nothing,
        }
    }

    fn at(&self, offset: i64) -> SystemTime {
        UNIX_EPOCH + Duration::from_micros((self.now + offset).unsigned_abs())
    }

    fn span(&self, n: usize) -> &Span {
        static NOOP: Span = Span::noop();
        let live: Vec<_> = self.spans.iter().flatten().collect();
        if live.is_empty() {
            &NOOP
        } else {
            live[n % live.len()]
        }
    }

    fn take(&mut self, n: usize) -> Span {
        let mut live: Vec<_> = self
            .spans
            .iter_mut()
            .filter(|span| span.is_some())
            .collect();
        if live.is_empty() {
            return Span::noop();
        }
        let n = n % live.len();
        live[n].take().unwrap_or_default()
    }

    fn context(&self, source: Source) -> SpanContext {
        match source {
            Source::Span(n) => self.span(n).context(),
            Source::Saved(n) if self.saved.is_empty() => remote(n),
            Source::Saved(n) => self.saved[n % self.saved.len()].clone(),
            Source::Remote(n) => remote(n),
        }
    }
}

/// Returns the ids that a span drew at random. It does not ask for the context, because that would count as seeing the
/// sampling decision.
fn drawn_for(span: &Span, has_long_trace_ids: bool) -> Vec<u64> {
    let shown = format!("{span:?}");
    let ids = shown
        .strip_prefix("Span(")
        .and_then(|ids| ids.strip_suffix(')'));
    let (trace_id, span_id) = ids.and_then(|ids| ids.split_once(':')).expect("two ids");
    let trace_id = u128::from_str_radix(trace_id, 16).expect("hexadecimal");
    let span_id = u64::from_str_radix(span_id, 16).expect("hexadecimal");
    // A root takes its span id from its trace id.
    if trace_id as u64 != span_id {
        vec![span_id]
    } else if has_long_trace_ids {
        vec![span_id, (trace_id >> 64) as u64]
    } else {
        vec![span_id]
    }
}

fn remote(n: usize) -> SpanContext {
    let remote = Remote::nth(n);
    let mut context =
        remote
            .ids
            .map_or_else(SpanContext::default, |(trace_id, span_id, parent_id)| {
                SpanContext::new(trace_id, span_id, parent_id, remote.flags)
            });
    if remote.is_deferred {
        context = context.with_deferred_sampling();
    }
    for (key, value) in remote.baggage {
        context = context.with_baggage_item(key, value);
    }
    match remote.debug_id {
        Some(id) => context.with_debug_id(id),
        None => context,
    }
}

fn tight_limits() -> Limits {
    Limits::default()
        .tag_value_bytes(20)
        .log_value_bytes(20)
        .key_bytes(20)
        .operation_name_bytes(16)
        .logs(4)
}

/// A sampler with the rules of the model.
struct Ruled(Rules);

fn decision(answer: Answer) -> SamplingDecision {
    match answer {
        Answer::Keep(kind) => SamplingDecision::Sample(SamplerTags::new(kind, 1.0)),
        Answer::Drop => SamplingDecision::Drop,
        Answer::Delay => SamplingDecision::Delay,
    }
}

impl Sampler for Ruled {
    fn on_create_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        decision(self.0.on_name(span.operation_name, span.is_local_root))
    }

    fn on_set_tag(&self, _: &SpanView<'_>, key: &str, _: TagRef<'_>) -> SamplingDecision {
        decision(self.0.on_tag(key))
    }

    fn on_finish_span(&self, span: &SpanView<'_>) -> SamplingDecision {
        decision(self.0.on_finish(span.is_local_root))
    }

    fn interests(&self) -> Interests {
        if self.0.weighs_dropped() {
            Interests::nothing()
                .tag("keep")
                .tag("let_go")
                .finished_local_roots()
        } else {
            Interests::everything()
        }
    }

    fn weighs_dropped_traces(&self) -> bool {
        self.0.weighs_dropped()
    }

    fn depends_on_operation_name(&self) -> bool {
        self.0.may_be_asked_again()
    }
}
