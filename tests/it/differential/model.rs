//! The model: spans are lists of what was put on them, and do what the documentation says and no more.

use std::collections::HashSet;

use tracehound::metrics::{Counter, DropCause};
use tracehound::model::{
    Baggage, Flags, LogRecord, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId,
};

use super::context::{Context, State, parent};
use super::decisions::Undecided;
use super::outcome::{Order, Tracer};
use super::plan::{Fields, Plan, Start, Value};
use super::span::Span;
use super::text::{Limits, cut_value, is_beyond, is_positive, truncated_mark};

pub(super) struct Model {
    pub(super) now: i64,
    pub(super) tracers: Vec<Tracer>,
    pub(super) spans: Vec<Span>,
    pub(super) traces: Vec<Undecided>,
    limits: Limits,
}

impl Model {
    pub(super) fn new(plan: &Plan, now: i64) -> Self {
        let tracers = plan.tracers.iter().map(Tracer::new);
        Self {
            now,
            tracers: tracers.collect(),
            spans: Vec::new(),
            traces: Vec::new(),
            limits: Limits::new(plan.has_tight_limits),
        }
    }

    /// Starts a span. `drawn` are the ids that tracehound drew for it.
    pub(super) fn start(
        &mut self,
        start: &Start,
        given: Option<Context>,
        references: &[(ReferenceType, Context)],
        drawn: &[u64],
    ) -> usize {
        let tracer = start.tracer % self.tracers.len();
        let candidates: Vec<_> = references.iter().filter(|(_, c)| c.ids.is_some()).collect();
        let given = given.filter(|context| context.ids.is_some());
        let is_cut_off = start.is_new_trace && given.is_none();
        let parent = parent(references)
            .map(|(_, context)| context)
            .filter(|_| !is_cut_off);

        let mut debug_id = None;
        let mut asks = false;
        let (context, is_local_root) = if let Some(given) = given {
            assert!(drawn.is_empty(), "the ids were given: {drawn:?}");
            let is_local_root = given.is_remote;
            let state = State::Final(self.flags(given.state));
            let context = Context {
                state,
                is_remote: false,
                ..given
            };
            (context, is_local_root)
        } else if let Some(parent) = parent {
            let (trace_id, parent_id, _) = parent.ids.expect("a candidate has a trace");
            let &[id] = drawn else {
                panic!("one id for a child, but {drawn:?}")
            };
            let mut baggage = parent.baggage.clone();
            for (_, other) in &candidates {
                for (key, value) in &other.baggage {
                    if !baggage.iter().any(|(known, _)| known == key) {
                        baggage.push((key.clone(), value.clone()));
                    }
                }
            }
            asks = matches!(parent.state, State::Deferred(_));
            let mut state = self.as_of_now(parent.state);
            if let State::Final(flags) = state
                && parent.is_remote
                && !flags.is_sampled()
                && self.tracers[tracer].rules.weighs_dropped()
            {
                state = self.begin_undecided(tracer, flags, true);
            }
            let ids = (trace_id, SpanId::new(id).expect("not 0"), Some(parent_id));
            let context = Context {
                ids: Some(ids),
                state,
                is_remote: false,
                baggage,
                debug_id: None,
            };
            (context, parent.is_remote)
        } else {
            let seed = references
                .first()
                .filter(|_| !is_cut_off)
                .map(|(_, context)| context.clone())
                .unwrap_or_default();
            let (low, high) = match (self.tracers[tracer].has_long_trace_ids, drawn) {
                (false, &[low]) => (low, 0),
                (true, &[low, high]) => (low, high),
                _ => panic!("ids for a root: {drawn:?}"),
            };
            asks = seed.debug_id.is_none();
            let state = State::Final(Flags::SAMPLED.with(Flags::DEBUG));
            let ids = (
                TraceId::new(high, low).expect("not 0"),
                SpanId::new(low).expect("not 0"),
                None,
            );
            debug_id = seed.debug_id;
            let context = Context {
                ids: Some(ids),
                state,
                is_remote: false,
                baggage: seed.baggage,
                debug_id: None,
            };
            (context, true)
        };
        let is_root = parent.is_none() && context.ids.is_some_and(|(.., parent)| parent.is_none());
        let is_new_root = is_root && !drawn.is_empty();

        let span = self.spans.len();
        self.spans.push(Span {
            context,
            tracer,
            is_local_root,
            may_be_asked_again: false,
            name: start.name.to_owned(),
            start: self.now + start.start_time.unwrap_or(0),
            end: 0,
            tags: Vec::new(),
            truncated: HashSet::new(),
            logs: Vec::new(),
            references: Vec::new(),
            owners: 1,
            is_finished: false,
        });
        if asks {
            self.ask_first(span, start.name);
        } else if self.is_undecided(span) && self.tracers[tracer].rules.asks_about_names() {
            let answer = self.tracers[tracer]
                .rules
                .on_name(start.name, is_local_root);
            self.apply(span, answer);
        }
        for (kind, context) in &candidates {
            let (trace_id, span_id, _) = context.ids.expect("a candidate has a trace");
            let kind = if is_cut_off {
                ReferenceType::FollowsFrom
            } else {
                *kind
            };
            let reference = ReportedReference::new(kind, trace_id, span_id);
            self.spans[span].references.push(reference);
        }
        if let Some(id) = debug_id {
            self.store_tag(span, "jaeger-debug-id", &TagValue::from(id));
        }
        let (first, others): (Fields, Fields) = start
            .tags
            .iter()
            .cloned()
            .partition(|(key, _)| *key == "sampling.priority");
        for (key, value) in first.iter().chain(&others) {
            self.set_tag(span, key, value);
        }
        self.count_start(span, is_new_root, start);
        span
    }

    fn count_start(&mut self, span: usize, is_root: bool, start: &Start) {
        let is_server = |(key, value): &(&str, Value)| {
            *key == "span.kind" && matches!(value, Value::Text("server"))
        };
        let joins = self.spans[span].is_local_root && start.tags.iter().any(is_server);
        let is_sampled = self.flags(self.spans[span].context.state).is_sampled();
        let is_undecided = self.is_undecided(span);
        let tracer = &mut self.tracers[self.spans[span].tracer];
        let (started, trace) = if is_undecided {
            (Counter::StartedSpansDelayed, Counter::TracesStartedDelayed)
        } else if is_sampled {
            (Counter::StartedSpansSampled, Counter::TracesStartedSampled)
        } else {
            (
                Counter::StartedSpansUnsampled,
                Counter::TracesStartedUnsampled,
            )
        };
        tracer.count(started);
        if is_root {
            tracer.count(trace);
        } else if joins && !is_undecided {
            tracer.count(if is_sampled {
                Counter::TracesJoinedSampled
            } else {
                Counter::TracesJoinedUnsampled
            });
        }
    }

    pub(super) fn is_recording(&self, span: usize) -> bool {
        let it = &self.spans[span];
        let is_sampled = self.flags(it.context.state).is_sampled();
        !it.is_finished && (is_sampled || it.may_be_asked_again || self.is_undecided(span))
    }

    /// Returns the context of a span. From then on its decision holds, because the program has seen it.
    pub(super) fn see(&mut self, span: usize) -> Context {
        self.spans[span].may_be_asked_again = false;
        let mut context = self.spans[span].context.clone();
        context.state = self.as_of_now(context.state);
        context
    }

    pub(super) fn set_tag(&mut self, span: usize, key: &str, value: &Value) {
        if self.spans[span].is_finished {
            return;
        }
        let Some(sent) = value.as_ref().to_value() else {
            return;
        };
        if key == "sampling.priority" {
            // As in the Go and Python clients, a priority that is not a number is not kept as a tag.
            let Some(is_positive) = is_positive(value) else {
                return;
            };
            self.decide(span, |flags| {
                let both = Flags::SAMPLED.with(Flags::DEBUG);
                if is_positive {
                    flags.with(both)
                } else {
                    flags.without(both)
                }
            });
            self.spans[span].may_be_asked_again = false;
        } else if self.is_undecided(span) {
            let answer = self.tracers[self.spans[span].tracer].rules.on_tag(key);
            self.apply(span, answer);
        }
        if self.is_recording(span) {
            self.store_tag(span, key, &sent);
        }
    }

    /// Keeps the last value of a key, at the place of the first.
    pub(super) fn store_tag(&mut self, span: usize, key: &str, value: &TagValue) {
        let mut cuts = 0;
        let key =
            cut_value(&TagValue::from(key.to_owned()), self.limits.key, &mut cuts).to_string();
        let is_beyond = is_beyond(value, self.limits.tag_value);
        let value = cut_value(value, self.limits.tag_value, &mut cuts);
        self.count_cuts(span, cuts);
        let truncated = &mut self.spans[span].truncated;
        if is_beyond {
            truncated.insert(key.clone());
        } else {
            truncated.remove(&key);
        }
        let tags = &mut self.spans[span].tags;
        match tags.iter_mut().find(|(known, _)| *known == key) {
            Some(tag) => tag.1 = value,
            None => tags.push((key, value)),
        }
    }

    fn count_cuts(&mut self, span: usize, cuts: u64) {
        for _ in 0..cuts {
            self.tracers[self.spans[span].tracer].count(Counter::TruncatedValues);
        }
    }

    pub(super) fn log(&mut self, span: usize, at: i64, fields: &[(&str, TagValue)]) {
        if !self.is_recording(span) {
            return;
        }
        let mut cuts = 0;
        let mut beyond = Vec::new();
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| {
                let key = TagValue::from((*key).to_owned());
                let key = cut_value(&key, self.limits.key, &mut cuts).to_string();
                if is_beyond(value, self.limits.log_value) && !beyond.contains(&key) {
                    beyond.push(key.clone());
                }
                Tag::new(key, cut_value(value, self.limits.log_value, &mut cuts))
            })
            .collect();
        fields.extend(truncated_mark(&beyond));
        self.count_cuts(span, cuts);
        let record = LogRecord::new(Timestamp::from_micros(at), fields);
        self.spans[span].logs.push(record);
    }

    pub(super) fn rename(&mut self, span: usize, name: &str) {
        if self.spans[span].is_finished {
            return;
        }
        name.clone_into(&mut self.spans[span].name);
        let rules = self.tracers[self.spans[span].tracer].rules;
        if self.is_undecided(span) && rules.asks_about_names()
            || self.spans[span].may_be_asked_again
        {
            let answer = rules.on_name(name, self.spans[span].is_local_root);
            self.apply(span, answer);
        }
    }

    pub(super) fn set_baggage(&mut self, span: usize, key: &str, value: &str) {
        if self.spans[span].is_finished {
            return;
        }
        let text = |text: &str| TagValue::from(text.to_owned());
        let mut fields = vec![
            ("event", text("baggage")),
            ("key", text(key)),
            ("value", text(value)),
        ];
        let baggage = &self.spans[span].context.baggage;
        let others = baggage.iter().filter(|(known, _)| known != key);
        let others: usize = others.map(|(key, value)| wire_bytes(key, value)).sum();
        if others + wire_bytes(key, value) > Baggage::MAX_BYTES {
            fields.push(("invalid", text("true")));
            self.tracers[self.spans[span].tracer].count(Counter::BaggageUpdatesErr);
            self.log(span, self.now, &fields);
            return;
        }
        let baggage = &mut self.spans[span].context.baggage;
        match baggage.iter_mut().find(|(known, _)| known == key) {
            Some(item) => {
                // As in the Go client, replacing an empty value is no override.
                if !item.1.is_empty() {
                    fields.push(("override", text("true")));
                }
                value.clone_into(&mut item.1);
            }
            None => baggage.push((key.to_owned(), value.to_owned())),
        }
        self.tracers[self.spans[span].tracer].count(Counter::BaggageUpdatesOk);
        self.log(span, self.now, &fields);
    }

    pub(super) fn remove_baggage(&mut self, span: usize, key: &str) {
        if !self.spans[span].is_finished {
            self.spans[span]
                .context
                .baggage
                .retain(|(known, _)| known != key);
        }
    }

    pub(super) fn finish(&mut self, span: usize, end: i64, thread: bool, is_call: bool) {
        if self.spans[span].is_finished {
            if is_call {
                self.tracers[self.spans[span].tracer].count(Counter::FinishedTwice);
            }
            return;
        }
        if self.is_undecided(span) {
            let rules = self.tracers[self.spans[span].tracer].rules;
            let answer = rules.on_finish(self.spans[span].is_local_root);
            self.apply(span, answer);
        }
        self.spans[span].may_be_asked_again = false;
        if let State::Shared(trace) = self.spans[span].context.state
            && self.spans[span].is_local_root
            && self.traces[trace].is_partial
            && self.traces[trace].decision.is_some_and(Flags::is_sampled)
        {
            self.store_tag(span, "tracehound.partial", &TagValue::from(true));
        }
        if self.is_recording(span) {
            let mut cuts = 0;
            let name = TagValue::from(self.spans[span].name.clone());
            self.spans[span].name = cut_value(&name, self.limits.name, &mut cuts).to_string();
            self.count_cuts(span, cuts);
        }
        self.spans[span].is_finished = true;
        self.spans[span].end = end;
        let state = self.spans[span].context.state;
        let flags = self.flags(state);
        let tracer = &mut self.tracers[self.spans[span].tracer];
        match state {
            State::Shared(trace) if self.traces[trace].decision.is_none() => {
                tracer.count(Counter::FinishedSpansDelayed);
                self.traces[trace].waiting.push(span);
                if self.spans[span].is_local_root {
                    self.give_up(trace);
                }
            }
            _ if flags.is_sampled() => {
                tracer.count(Counter::FinishedSpansSampled);
                self.send(span, flags, Order::Thread(thread));
            }
            _ => tracer.count(Counter::FinishedSpansUnsampled),
        }
    }

    pub(super) fn send(&mut self, span: usize, flags: Flags, order: Order) {
        let span = &self.spans[span];
        let expected = span.come_out(flags, self.limits.logs);
        let tracer = &mut self.tracers[span.tracer];
        if tracer.is_closed {
            tracer.dropped.add(DropCause::AfterShutdown, 1);
        } else {
            tracer.sent.entry(order).or_default().push(expected);
        }
    }
}

/// Returns the bytes of an item on the wire, where most characters are percent-encoded.
fn wire_bytes(key: &str, value: &str) -> usize {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let encoded = value
        .bytes()
        .map(|byte| if is_unreserved(byte) { 1 } else { 3 });
    key.len() + encoded.sum::<usize>()
}
