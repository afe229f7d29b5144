//! A random program: its tracers, and its calls.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tracehound::model::{Flags, ReferenceType, SpanId, TagRef, TraceId};

/// A whole run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) tracers: Vec<TracerPlan>,
    pub(super) has_tight_limits: bool,
    pub(super) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct TracerPlan {
    pub(super) sampler: SamplerPlan,
    pub(super) has_long_trace_ids: bool,
    /// The test provides the ids. Spans of other tracers start on other paths.
    pub(super) has_id_source: bool,
    pub(super) finalizes_on_inject: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SamplerPlan {
    Const(bool),
    /// Decides only when it has seen a name or a tag. When the local root finishes, it keeps the trace or leaves it
    /// undecided.
    Delayed {
        keeps_at_end: bool,
    },
    /// Like `Delayed`, but asked about little, and also about traces that the caller dropped. Decides at the end.
    Weighing {
        keeps_at_end: bool,
    },
    /// Keeps names that begin with `keep`, and asks to be asked again after a rename.
    ByName,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Runs on the second of two threads.
    pub(super) is_elsewhere: bool,
    pub(super) action: Action,
}

/// A call. Its numbers choose among the spans, contexts and tracers that exist at that time, modulo their number.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Start(Start),
    SetTag(usize, &'static str, Value),
    SetTagWith(usize, &'static str, i64),
    Log(usize, Fields, Option<i64>),
    LogError(usize, &'static str),
    Rename(usize, &'static str),
    SetBaggage(usize, &'static str, &'static str),
    RemoveBaggage(usize, &'static str),
    Clone(usize),
    Handle(usize),
    /// Takes a handle to the active span.
    TakeActive,
    SaveContext(usize),
    /// Injects a context and extracts it again.
    Carry(usize, Source),
    Activate(usize),
    ActivateContext(Source),
    CloseScope(usize),
    Finish(usize),
    FinishAt(usize, i64),
    Drop(usize),
    Flush(usize),
    Close(usize),
    Advance(u64),
}

pub(super) type Fields = Vec<(&'static str, Value)>;

#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) tracer: usize,
    pub(super) name: &'static str,
    pub(super) references: Vec<(ReferenceType, Source)>,
    pub(super) ignores_active_span: bool,
    pub(super) is_new_trace: bool,
    /// Microseconds from now.
    pub(super) start_time: Option<i64>,
    pub(super) context: Option<Source>,
    pub(super) tags: Fields,
}

/// The origin of a context.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Span(usize),
    Saved(usize),
    Remote(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Text(&'static str),
    Bool(bool),
    Long(i64),
    Double(f64),
    Unsigned(u64),
    Bytes(&'static [u8]),
    Shown(&'static str),
}

impl Value {
    pub(super) fn as_ref(&self) -> TagRef<'_> {
        match self {
            Self::None => TagRef::Unset,
            Self::Text(text) => TagRef::String(text),
            Self::Bool(value) => TagRef::Bool(*value),
            Self::Long(value) => TagRef::Long(*value),
            Self::Double(value) => TagRef::Double(*value),
            Self::Unsigned(value) => TagRef::Unsigned(*value),
            Self::Bytes(bytes) => TagRef::Binary(bytes),
            Self::Shown(text) => TagRef::Display(text),
        }
    }
}

/// A context that came with a request.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    /// The ids of the trace, the span and the parent.
    pub(super) ids: Option<(TraceId, SpanId, Option<SpanId>)>,
    pub(super) flags: Flags,
    pub(super) is_deferred: bool,
    pub(super) baggage: &'static [(&'static str, &'static str)],
    pub(super) debug_id: Option<&'static str>,
}

const REMOTES: usize = 9;

impl Remote {
    pub(super) fn nth(n: usize) -> Self {
        let n = n % REMOTES;
        let flags = [1, 0, 3, 9, 0, 1, 0, 0, 0][n];
        let id = 0x7000_0000_0000_0000 + n as u64;
        let parent = if n == 1 { SpanId::new(5) } else { None };
        let trace_id = TraceId::new(if n == 2 { 7 } else { 0 }, id).expect("not 0");
        let span_id = SpanId::new(id + 0x100).expect("not 0");
        Self {
            ids: (n < 6).then_some((trace_id, span_id, parent)),
            flags: Flags::from_bits(flags),
            is_deferred: n == 4,
            baggage: match n {
                0 | 6 => &[("user", "42")],
                5 | 7 => &[("tier", "a b"), ("user", "7")],
                _ => &[],
            },
            debug_id: [Some("why"), None][usize::from(n != 7)],
        }
    }
}

pub(super) fn plans(steps: usize) -> impl Strategy<Value = Plan> {
    (vec(tracer(), 2), any::<bool>(), vec(step(), 1..steps)).prop_map(
        |(tracers, has_tight_limits, steps)| Plan {
            tracers,
            has_tight_limits,
            steps,
        },
    )
}

fn tracer() -> impl Strategy<Value = TracerPlan> {
    let sampler = prop_oneof![
        3 => Just(SamplerPlan::Const(true)),
        1 => Just(SamplerPlan::Const(false)),
        3 => any::<bool>().prop_map(|keeps_at_end| SamplerPlan::Delayed { keeps_at_end }),
        3 => any::<bool>().prop_map(|keeps_at_end| SamplerPlan::Weighing { keeps_at_end }),
        2 => Just(SamplerPlan::ByName),
    ];
    let flags = (any::<bool>(), prop::bool::weighted(0.3), any::<bool>());
    (sampler, flags).prop_map(
        |(sampler, (has_long_trace_ids, has_id_source, finalizes_on_inject))| TracerPlan {
            sampler,
            has_long_trace_ids,
            has_id_source,
            finalizes_on_inject,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    (prop::bool::weighted(0.2), action()).prop_map(|(is_elsewhere, action)| Step {
        is_elsewhere,
        action,
    })
}

fn action() -> impl Strategy<Value = Action> {
    let n = any_number;
    prop_oneof![
        12 => start().prop_map(Action::Start),
        8 => (n(), key(), value()).prop_map(|(n, key, value)| Action::SetTag(n, key, value)),
        1 => (n(), key(), any::<i64>()).prop_map(|(n, key, value)| Action::SetTagWith(n, key, value)),
        4 => (n(), fields(), option::weighted(0.2, offset())).prop_map(|(n, fields, at)| Action::Log(n, fields, at)),
        1 => (n(), text()).prop_map(|(n, text)| Action::LogError(n, text)),
        3 => (n(), name()).prop_map(|(n, name)| Action::Rename(n, name)),
        2 => (n(), baggage_key(), long_text()).prop_map(|(n, key, value)| Action::SetBaggage(n, key, value)),
        1 => (n(), baggage_key()).prop_map(|(n, key)| Action::RemoveBaggage(n, key)),
        2 => n().prop_map(Action::Clone),
        1 => n().prop_map(Action::Handle),
        1 => Just(Action::TakeActive),
        2 => n().prop_map(Action::SaveContext),
        1 => (n(), source()).prop_map(|(n, source)| Action::Carry(n, source)),
        4 => n().prop_map(Action::Activate),
        1 => source().prop_map(Action::ActivateContext),
        3 => n().prop_map(Action::CloseScope),
        5 => n().prop_map(Action::Finish),
        2 => (n(), offset()).prop_map(|(n, at)| Action::FinishAt(n, at)),
        4 => n().prop_map(Action::Drop),
        1 => n().prop_map(Action::Flush),
        1 => prop::bool::weighted(0.2).prop_flat_map(move |closes| n().prop_map(move |n| {
            if closes { Action::Close(n) } else { Action::Flush(n) }
        })),
        3 => (1_u64..100_000).prop_map(Action::Advance),
    ]
}

fn start() -> impl Strategy<Value = Start> {
    let kind = prop_oneof![
        2 => Just(ReferenceType::ChildOf),
        1 => Just(ReferenceType::FollowsFrom),
    ];
    let references = prop_oneof![
        3 => Just(0),
        3 => Just(1_usize),
        1 => 2..4_usize,
    ]
    .prop_flat_map(move |n| vec((kind.clone(), source()), n));
    (
        any_number(),
        name(),
        references,
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.1),
        option::weighted(0.1, offset()),
        option::weighted(0.07, source()),
        prop_oneof![2 => Just(vec![]), 1 => fields()],
    )
        .prop_map(
            |(
                tracer,
                name,
                references,
                ignores_active_span,
                is_new_trace,
                start_time,
                context,
                tags,
            )| Start {
                tracer,
                name,
                references,
                ignores_active_span,
                is_new_trace,
                start_time,
                context,
                tags,
            },
        )
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        5 => any_number().prop_map(Source::Span),
        1 => any_number().prop_map(Source::Saved),
        2 => any_number().prop_map(Source::Remote),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    vec((key(), value()), 0..4)
}

/// A time as microseconds before or after now.
fn offset() -> impl Strategy<Value = i64> {
    prop_oneof![Just(0), -100_000..100_000_i64]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "get_account",
        "keep",
        "keep /cart/{id}",
        "sure",
        "never",
        "",
        "a name that is longer than a name may be, åäö",
    ])
}

fn key() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "http.url", "error", "é", ""]),
        2 => prop::sample::select(vec!["keep", "let_go", "span.kind", "sampler.type", "jaeger-debug-id"]),
        1 => Just("sampling.priority"),
        1 => prop::sample::select(vec!["a key beyond the tight limit", "a key beyond the tight limit too"]),
    ]
}

fn baggage_key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["user", "tier", "zone"])
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "42",
        "server",
        "smörgåsbord is what they call it",
        "日本語のテキスト、長い",
    ])
}

/// Text that is sometimes longer than every limit.
fn long_text() -> impl Strategy<Value = &'static str> {
    static LONG: LazyLock<String> = LazyLock::new(|| "éa".repeat(2_000));
    prop_oneof![9 => text(), 1 => Just(()).prop_map(|()| LONG.as_str())]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::None),
        4 => long_text().prop_map(Value::Text),
        1 => any::<bool>().prop_map(Value::Bool),
        3 => prop_oneof![Just(0), Just(1), Just(-1), any::<i64>()].prop_map(Value::Long),
        2 => prop_oneof![Just(0.5), Just(f64::NAN), Just(f64::NEG_INFINITY), Just(-0.0), any::<f64>()]
            .prop_map(Value::Double),
        1 => prop_oneof![Just(0), any::<u64>()].prop_map(Value::Unsigned),
        1 => prop::sample::select(vec![&b""[..], b"\x00\xff", b"bytes beyond the tight limit"]).prop_map(Value::Bytes),
        1 => text().prop_map(Value::Shown),
    ]
}

fn any_number() -> impl Strategy<Value = usize> {
    (0..24_usize).boxed()
}
