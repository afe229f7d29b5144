//! Sampling decisions of the model: when the sampler is asked, and what becomes of spans that wait.

use tracehound::metrics::DropCause;
use tracehound::model::{Flags, TagValue};

use super::context::State;
use super::model::Model;
use super::outcome::Order;
use super::rules::Answer;

/// A trace that began undecided.
pub(super) struct Undecided {
    pub(super) tracer: usize,
    pub(super) decision: Option<Flags>,
    /// The flags before the decision.
    pub(super) flags: Flags,
    /// Another process was told that the trace is not sampled.
    pub(super) is_partial: bool,
    /// Spans that finished before the decision.
    pub(super) waiting: Vec<usize>,
}

impl Model {
    /// Asks the sampler about a new trace.
    pub(super) fn ask_first(&mut self, span: usize, name: &str) {
        let rules = self.tracers[self.spans[span].tracer].rules;
        let answer = rules.on_name(name, true);
        let base = match self.spans[span].context.state {
            State::Deferred(flags) => flags,
            _ => Flags::default(),
        };
        self.spans[span].is_local_root = true;
        self.spans[span].may_be_asked_again = rules.may_be_asked_again();
        self.spans[span].context.state = if answer == Answer::Delay {
            self.begin_undecided(self.spans[span].tracer, base, false)
        } else {
            State::Final(base)
        };
        self.apply(span, answer);
    }

    pub(super) fn begin_undecided(
        &mut self,
        tracer: usize,
        flags: Flags,
        is_partial: bool,
    ) -> State {
        self.traces.push(Undecided {
            tracer,
            decision: None,
            flags,
            is_partial,
            waiting: Vec::new(),
        });
        State::Shared(self.traces.len() - 1)
    }

    pub(super) fn apply(&mut self, span: usize, answer: Answer) {
        match answer {
            Answer::Delay => {}
            Answer::Drop => self.decide(span, |flags| flags.without(Flags::SAMPLED)),
            Answer::Keep(kind) => {
                self.decide(span, |flags| flags.with(Flags::SAMPLED));
                self.store_tag(span, "sampler.type", &TagValue::from(kind));
                let param = if kind == "const" {
                    TagValue::from(true)
                } else {
                    TagValue::from(1.0)
                };
                self.store_tag(span, "sampler.param", &param);
            }
        }
    }

    /// Makes a decision final.
    pub(super) fn decide(&mut self, span: usize, change: impl FnOnce(Flags) -> Flags) {
        let state = self.spans[span].context.state;
        let flags = change(self.flags(state));
        match state {
            State::Shared(trace) => self.decide_trace(trace, flags),
            _ => self.spans[span].context.state = State::Final(flags),
        }
    }

    pub(super) fn decide_trace(&mut self, trace: usize, flags: Flags) {
        self.traces[trace].decision = Some(flags);
        for span in std::mem::take(&mut self.traces[trace].waiting) {
            if flags.is_sampled() {
                self.send(span, flags, Order::Trace(trace));
            }
        }
    }

    /// Drops the waiting spans of a trace whose local root finished without a decision.
    pub(super) fn give_up(&mut self, trace: usize) {
        for span in std::mem::take(&mut self.traces[trace].waiting) {
            let tracer = &mut self.tracers[self.spans[span].tracer];
            tracer.dropped.add(DropCause::Delayed, 1);
        }
        let flags = self.traces[trace].flags.without(Flags::SAMPLED);
        self.traces[trace].decision = Some(flags);
    }

    pub(super) fn flags(&self, state: State) -> Flags {
        match state {
            State::Final(flags) | State::Deferred(flags) => flags,
            State::Shared(trace) => {
                let trace = &self.traces[trace];
                trace.decision.unwrap_or(trace.flags)
            }
        }
    }

    pub(super) fn undecided_by(&self, state: State) -> Option<usize> {
        match state {
            State::Shared(trace) if self.traces[trace].decision.is_none() => {
                Some(self.traces[trace].tracer)
            }
            _ => None,
        }
    }

    pub(super) fn is_final(&self, state: State) -> bool {
        match state {
            State::Final(_) => true,
            State::Deferred(_) => false,
            State::Shared(trace) => self.traces[trace].decision.is_some(),
        }
    }

    /// Replaces a shared decision that has been made by a copy of it, as later spans and contexts do.
    pub(super) fn as_of_now(&self, state: State) -> State {
        match state {
            State::Shared(_) if self.is_final(state) => State::Final(self.flags(state)),
            state => state,
        }
    }

    pub(super) fn is_undecided(&self, span: usize) -> bool {
        !self.is_final(self.spans[span].context.state)
    }
}
