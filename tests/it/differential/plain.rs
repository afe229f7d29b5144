//! The plan, carried out with the model.

use std::any::type_name;

use tracehound::model::{ReferenceType, TagValue};

use super::context::{Context, State, parent};
use super::model::Model;
use super::plan::{Action, Plan, Remote, Source, Start, Value};
use super::real::{EPOCH_MICROS, Failure};

/// The handles, contexts and scopes of a program, like `real::World`.
pub(super) struct World {
    pub(super) model: Model,
    handles: Vec<Option<Handle>>,
    saved: Vec<Context>,
    active: [Vec<Active>; 2],
}

#[derive(Clone, Copy)]
struct Handle {
    /// `None` is the no-op span.
    span: Option<usize>,
    is_owner: bool,
}

const NOOP: Handle = Handle {
    span: None,
    is_owner: false,
};

enum Active {
    /// It owns the span if the handle that was activated does.
    Span(Handle),
    Context(Context),
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            model: Model::new(plan, EPOCH_MICROS),
            handles: Vec::new(),
            saved: Vec::new(),
            active: [vec![], vec![]],
        }
    }

    /// Carries out an action; `drawn` are the ids of a span that starts.
    pub(super) fn act(&mut self, thread: bool, action: &Action, drawn: &[u64]) {
        let model = &mut self.model;
        match action {
            Action::Start(start) => self.start(thread, start, drawn),
            Action::SetTag(n, key, value) => {
                if let Some(span) = self.handle(*n).span {
                    self.model.set_tag(span, key, value);
                }
            }
            Action::SetTagWith(n, key, value) => {
                if let Some(span) = self.handle(*n).span {
                    // Tracehound evaluates that tag even if the span records nothing.
                    if self.model.is_recording(span) || *key == "sampling.priority" {
                        self.model.set_tag(span, key, &Value::Long(*value));
                    }
                }
            }
            Action::Log(n, fields, at) => {
                let fields: Vec<_> = fields
                    .iter()
                    .filter_map(|(key, value)| Some((*key, value.as_ref().to_value()?)))
                    .collect();
                if let Some(span) = self.handle(*n).span {
                    self.model
                        .log(span, self.model.now + at.unwrap_or(0), &fields);
                }
            }
            Action::LogError(n, text) => {
                let text = TagValue::from(*text);
                if let Some(span) = self.handle(*n).span {
                    self.model.set_tag(span, "error", &Value::Bool(true));
                    let fields = [
                        ("event", TagValue::from("error")),
                        ("message", text.clone()),
                        ("error.kind", TagValue::from(type_name::<Failure>())),
                        ("error.object", text),
                    ];
                    self.model.log(span, self.model.now, &fields);
                }
            }
            Action::Rename(n, name) => {
                if let Some(span) = self.handle(*n).span {
                    self.model.rename(span, name);
                }
            }
            Action::SetBaggage(n, key, value) => {
                if let Some(span) = self.handle(*n).span {
                    self.model.set_baggage(span, key, value);
                }
            }
            Action::RemoveBaggage(n, key) => {
                if let Some(span) = self.handle(*n).span {
                    self.model.remove_baggage(span, key);
                }
            }
            Action::Clone(n) => {
                let handle = self.handle(*n);
                if let Some(span) = handle.span.filter(|_| handle.is_owner) {
                    self.model.spans[span].owners += 1;
                }
                self.handles.push(Some(handle));
            }
            Action::Handle(n) => {
                let span = self.handle(*n).span;
                self.handles.push(Some(Handle {
                    span,
                    is_owner: false,
                }));
            }
            Action::TakeActive => {
                let span = match self.active[usize::from(thread)].last() {
                    Some(Active::Span(handle)) => handle.span,
                    _ => None,
                };
                self.handles.push(Some(Handle {
                    span,
                    is_owner: false,
                }));
            }
            Action::SaveContext(n) => {
                let context = self.context(Source::Span(*n));
                self.saved.push(context);
            }
            Action::Carry(n, source) => self.carry(*n, *source),
            Action::Activate(n) => {
                let handle = self.handle(*n);
                if let Some(span) = handle.span.filter(|_| handle.is_owner) {
                    self.model.spans[span].owners += 1;
                }
                self.active[usize::from(thread)].push(Active::Span(handle));
            }
            Action::ActivateContext(source) => {
                let context = self.context(*source);
                self.active[usize::from(thread)].push(Active::Context(context));
            }
            Action::CloseScope(n) => {
                let active = &mut self.active[usize::from(thread)];
                if !active.is_empty()
                    && let Active::Span(handle) = active.remove(n % active.len())
                {
                    self.release(thread, handle, 0, false);
                }
            }
            Action::Finish(n) => self.finish(thread, *n, 0, true),
            Action::FinishAt(n, at) => self.finish(thread, *n, *at, true),
            Action::Drop(n) => self.finish(thread, *n, 0, false),
            Action::Flush(_) => {}
            Action::Close(n) => {
                let n = n % model.tracers.len();
                model.tracers[n].is_closed = true;
            }
            Action::Advance(micros) => model.now += micros.cast_signed(),
        }
    }

    fn start(&mut self, thread: bool, start: &Start, drawn: &[u64]) {
        let references = self.references(thread, start);
        let given = start.context.map(|source| self.context(source));
        let span = self.model.start(start, given, &references, drawn);
        self.handles.push(Some(Handle {
            span: Some(span),
            is_owner: true,
        }));
    }

    fn references(&mut self, thread: bool, start: &Start) -> Vec<(ReferenceType, Context)> {
        let mut references = Vec::new();
        for (kind, source) in &start.references {
            references.push((*kind, self.context(*source)));
        }
        references.retain(|(_, context)| !context.is_empty());
        let has_given_ids = |world: &mut Self| {
            let given = start.context.map(|source| world.context(source));
            given.is_some_and(|context| context.ids.is_some())
        };
        let is_cut_off = start.is_new_trace && !has_given_ids(self);
        if references.is_empty() && !start.ignores_active_span && !is_cut_off {
            let context = match self.active[usize::from(thread)].last() {
                None | Some(Active::Span(Handle { span: None, .. })) => Context::default(),
                Some(Active::Span(Handle {
                    span: Some(span), ..
                })) => self.model.see(*span),
                Some(Active::Context(context)) => context.clone(),
            };
            references.push((ReferenceType::ChildOf, context));
            references.retain(|(_, context)| !context.is_empty());
        }
        references
    }

    /// Gives a span of an undecided trace to the tracer that began the trace.
    pub(super) fn with_tracer(&mut self, thread: bool, action: &Action) -> Action {
        let mut action = action.clone();
        if let Action::Start(start) = &mut action {
            let references = self.references(thread, start);
            if let Some((_, parent)) = parent(&references)
                && let Some(tracer) = self.model.undecided_by(parent.state)
            {
                start.tracer = tracer;
            }
        }
        action
    }

    fn carry(&mut self, n: usize, source: Source) {
        let mut context = self.context(source);
        let n = n % self.model.tracers.len();
        if !self.model.is_final(context.state)
            && let State::Shared(trace) = context.state
        {
            self.model.traces[trace].is_partial = true;
            if self.model.tracers[n].finalizes_on_inject {
                let flags = self.model.flags(context.state);
                self.model.decide_trace(trace, flags);
            }
        }
        context.state = State::Final(self.model.flags(context.state));
        context.is_remote = true;
        // A debug id is read from carriers and never written.
        context.debug_id = None;
        self.saved.push(context);
    }

    fn finish(&mut self, thread: bool, n: usize, offset: i64, is_call: bool) {
        let live: Vec<_> = (0..self.handles.len())
            .filter(|n| self.handles[*n].is_some())
            .collect();
        if live.is_empty() {
            return;
        }
        if let Some(handle) = self.handles[live[n % live.len()]].take() {
            self.release(thread, handle, offset, is_call);
        }
    }

    fn release(&mut self, thread: bool, handle: Handle, offset: i64, is_call: bool) {
        let Handle {
            span: Some(span),
            is_owner,
        } = handle
        else {
            return;
        };
        self.model.spans[span].owners -= u32::from(is_owner);
        if is_call || (is_owner && self.model.spans[span].owners == 0) {
            self.model
                .finish(span, self.model.now + offset, thread, is_call);
        }
    }

    pub(super) fn has_scopes(&self, thread: bool) -> bool {
        !self.active[usize::from(thread)].is_empty()
    }

    fn handle(&self, n: usize) -> Handle {
        let live: Vec<_> = self.handles.iter().flatten().collect();
        if live.is_empty() {
            NOOP
        } else {
            *live[n % live.len()]
        }
    }

    pub(super) fn context(&mut self, source: Source) -> Context {
        match source {
            Source::Span(n) => match self.handle(n).span {
                Some(span) => self.model.see(span),
                None => Context::default(),
            },
            Source::Saved(n) if self.saved.is_empty() => remote(n),
            Source::Saved(n) => self.saved[n % self.saved.len()].clone(),
            Source::Remote(n) => remote(n),
        }
    }

    pub(super) fn span(&self, n: usize) -> Option<usize> {
        self.handle(n).span
    }

    pub(super) fn last_saved(&self) -> Context {
        self.saved.last().cloned().unwrap_or_default()
    }
}

fn remote(n: usize) -> Context {
    let remote = Remote::nth(n);
    Context {
        ids: remote.ids,
        state: if remote.is_deferred {
            State::Deferred(remote.flags)
        } else {
            State::Final(remote.flags)
        },
        is_remote: true,
        baggage: remote
            .baggage
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
        debug_id: remote.debug_id.map(str::to_owned),
    }
}
