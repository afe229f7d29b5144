//! Programs, as lists of steps.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use proptest::prelude::*;

/// A call. Spans are named by a number: that of the span modulo those there are.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Start(Box<Start>),
    SetAttribute(usize, KeyValue),
    SetAttributes(usize, Vec<KeyValue>),
    AddEvent(usize, Vec<KeyValue>),
    AddEventAt(usize, SystemTime, Vec<KeyValue>),
    RecordError(usize),
    SetStatus(usize, Outcome),
    UpdateName(usize),
    AddLink(usize, usize, Vec<KeyValue>),
    End(usize),
    EndAt(usize, SystemTime),
    /// Drops the span, or what holds it in a context.
    Drop(usize),
    /// Puts the span into the current context, and makes that the current one.
    Activate(usize),
    AttachAgain(usize),
    AttachRemote(Remote),
    Suppress,
    /// Makes the context the current one no more, in any order.
    Detach(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) tracer: usize,
    pub(super) kind: Option<SpanKind>,
    pub(super) time: Option<SystemTime>,
    pub(super) attributes: Vec<KeyValue>,
    pub(super) events: Vec<(SystemTime, Vec<KeyValue>)>,
    pub(super) links: Vec<(usize, Vec<KeyValue>)>,
    pub(super) parent: Parent,
}

#[derive(Clone, Debug)]
pub(super) enum Parent {
    Current,
    /// A copy of the current context.
    CurrentCopied,
    Of(usize),
    New,
    Remote(Remote),
}

#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) is_sampled: bool,
    pub(super) has_long_id: bool,
    pub(super) has_state: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome {
    Unset,
    Error,
    Ok,
}

impl Outcome {
    /// Returns the status. Later texts are greater, because the SDK keeps the greatest of several, and the
    /// specification says the last.
    pub(super) fn status(self, step: usize) -> Status {
        match self {
            Self::Unset => Status::Unset,
            Self::Error => Status::error(format!("{step:04}")),
            Self::Ok => Status::Ok,
        }
    }
}

pub(super) fn program() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..60)
}

fn step() -> impl Strategy<Value = Step> {
    let span = || 0..12_usize;
    prop_oneof![
        8 => start().prop_map(|start| Step::Start(Box::new(start))),
        3 => (span(), attribute()).prop_map(|(n, it)| Step::SetAttribute(n, it)),
        1 => (span(), attributes()).prop_map(|(n, it)| Step::SetAttributes(n, it)),
        2 => (span(), attributes()).prop_map(|(n, it)| Step::AddEvent(n, it)),
        1 => (span(), time(), attributes()).prop_map(|(n, at, it)| Step::AddEventAt(n, at, it)),
        1 => span().prop_map(Step::RecordError),
        2 => (span(), outcome()).prop_map(|(n, it)| Step::SetStatus(n, it)),
        1 => span().prop_map(Step::UpdateName),
        1 => (span(), span(), attributes()).prop_map(|(n, to, it)| Step::AddLink(n, to, it)),
        2 => span().prop_map(Step::End),
        1 => (span(), time()).prop_map(|(n, at)| Step::EndAt(n, at)),
        2 => span().prop_map(Step::Drop),
        5 => span().prop_map(Step::Activate),
        1 => span().prop_map(Step::AttachAgain),
        1 => remote().prop_map(Step::AttachRemote),
        1 => Just(Step::Suppress),
        4 => span().prop_map(Step::Detach),
    ]
}

fn start() -> impl Strategy<Value = Start> {
    let event = (time(), attributes());
    let link = (0..12_usize, attributes());
    (
        0..2_usize,
        kind(),
        prop::option::weighted(0.3, time()),
        attributes(),
        prop::collection::vec(event, 0..2),
        prop::collection::vec(link, 0..3),
        parent(),
    )
        .prop_map(
            |(tracer, kind, time, attributes, events, links, parent)| Start {
                tracer,
                kind,
                time,
                attributes,
                events,
                links,
                parent,
            },
        )
}

fn parent() -> impl Strategy<Value = Parent> {
    prop_oneof![
        6 => Just(Parent::Current),
        2 => Just(Parent::CurrentCopied),
        3 => (0..12_usize).prop_map(Parent::Of),
        1 => Just(Parent::New),
        1 => remote().prop_map(Parent::Remote),
    ]
}

fn remote() -> impl Strategy<Value = Remote> {
    (prop::bool::weighted(0.7), any::<bool>(), any::<bool>()).prop_map(
        |(is_sampled, has_long_id, has_state)| Remote {
            is_sampled,
            has_long_id,
            has_state,
        },
    )
}

fn kind() -> impl Strategy<Value = Option<SpanKind>> {
    prop::option::of(prop_oneof![
        Just(SpanKind::Client),
        Just(SpanKind::Server),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
        Just(SpanKind::Internal),
    ])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        1 => Just(Outcome::Unset),
        3 => Just(Outcome::Error),
        2 => Just(Outcome::Ok),
    ]
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    prop::collection::vec(attribute(), 0..4)
}

fn attribute() -> impl Strategy<Value = KeyValue> {
    let key = prop_oneof![Just("a"), Just("b"), Just("event"), Just("clé"), Just("")];
    (key, value()).prop_map(|(key, value)| KeyValue::new(key, value))
}

fn value() -> impl Strategy<Value = Value> {
    let text = || "[ -~é]{0,5}";
    let texts = prop::collection::vec(text(), 0..3);
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
        prop::collection::vec(any::<bool>(), 0..3).prop_map(|it| Value::Array(it.into())),
        prop::collection::vec(any::<i64>(), 0..3).prop_map(|it| Value::Array(it.into())),
        prop::collection::vec(-9.0..9.0_f64, 0..3).prop_map(|it| Value::Array(it.into())),
        texts.prop_map(|it| {
            let texts = it.into_iter().map(StringValue::from);
            Value::Array(Array::String(texts.collect()))
        }),
    ]
}

/// Returns a time of whole microseconds. Ends may come before their start.
fn time() -> impl Strategy<Value = SystemTime> {
    let second = 1_700_000_000_000_000_u64;
    (second..second + 1_000_000).prop_map(|micros| UNIX_EPOCH + Duration::from_micros(micros))
}
