//! Tests of nested scopes: the span that was activated last is the parent.

use std::collections::HashMap;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, ContextGuard};
use proptest::prelude::*;
use tracehound::model::{Flags, SpanId, TraceId};
use tracehound::prelude::*;
use tracehound::scope::{Scope, activate_context, active_context};
use tracehound::{Span, SpanContext};
use tracehound_opentelemetry::{TracehoundPropagator, context_with_span, current_context};

use crate::support::{Both, both};

/// A guard that keeps a span or context active. The fields are dropped in this order.
#[derive(Default)]
struct Held {
    scope: Option<Scope>,
    guard: Option<ContextGuard>,
    span: Option<Span>,
}

/// Activates something. Returns the id of the span that is the inner one then.
fn activate(
    (both, propagator): (&Both, &TracehoundPropagator),
    step: u8,
    n: u64,
    innermost: Option<String>,
) -> (Option<String>, Held) {
    let mut held = Held::default();
    let id = match step {
        0 | 1 => {
            let span = both.tracer.start_span("ours");
            held.scope = Some(span.activate());
            let id = span.context().to_span_id();
            held.span = Some(span);
            Some(id)
        }
        2 => {
            let cx = Context::current_with_span(both.library.start("library"));
            let id = cx.span().span_context().span_id().to_string();
            held.guard = Some(cx.attach());
            Some(id)
        }
        3 => {
            let ids = (TraceId::new(7, n), SpanId::new(n));
            let (trace_id, span_id) = (ids.0.expect("not 0"), ids.1.expect("not 0"));
            let remote = SpanContext::new(trace_id, span_id, None, Flags::SAMPLED);
            if n.is_multiple_of(2) {
                held.scope = Some(activate_context(&remote));
            } else {
                let headers = HashMap::from([("uber-trace-id".to_owned(), remote.to_string())]);
                held.guard = Some(propagator.extract(&headers).attach());
            }
            Some(remote.to_span_id())
        }
        // A new context without another span.
        4 => {
            held.guard = Some(Context::current_with_value(n).attach());
            innermost
        }
        5 => {
            held.guard = Some(current_context().attach());
            innermost
        }
        _ => {
            let span = both.tracer.start_span("lent");
            held.guard = Some(context_with_span(&Context::current(), &span).attach());
            let id = span.context().to_span_id();
            held.span = Some(span);
            Some(id)
        }
    };
    (id, held)
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_parent_is_what_was_activated_last(steps in prop::collection::vec(0..10_u8, 0..50)) {
        let both = both();
        let propagator = TracehoundPropagator::new(both.tracer.clone());
        let mut active: Vec<(Option<String>, Held)> = Vec::new();
        let innermost = |active: &[(Option<String>, Held)]| active.last().and_then(|it| it.0.clone());
        for (step, n) in steps.into_iter().zip(1..) {
            if step < 7 {
                let id = innermost(&active);
                active.push(activate((&both, &propagator), step, n, id));
            } else if let Some((_, held)) = active.pop() {
                drop((held.scope, held.guard, held.span));
            }
            check(&both, &propagator, innermost(&active).as_deref())?;
        }
        while active.pop().is_some() {}
    }
}

/// Checks that everything that asks for the active span finds this one.
fn check(
    both: &Both,
    propagator: &TracehoundPropagator,
    innermost: Option<&str>,
) -> Result<(), TestCaseError> {
    let expected = innermost.unwrap_or_default();
    prop_assert_eq!(active_context().to_span_id(), expected);
    let parent = |span: &Span| {
        let parent = span.context().parent_id();
        parent.map(|id| id.to_string()).unwrap_or_default()
    };
    prop_assert_eq!(parent(&both.tracer.start_span("child")), expected);
    prop_assert_eq!(parent(both.library.start("child").span()), expected);
    let copied = both
        .library
        .start_with_context("child", &Context::current());
    prop_assert_eq!(parent(copied.span()), expected);
    let cx = current_context();
    let shown = innermost.map(|_| cx.span().span_context().span_id().to_string());
    prop_assert_eq!(shown.as_deref(), innermost);
    let mut headers = HashMap::<String, String>::new();
    propagator.inject(&mut headers);
    let sent = headers
        .get("uber-trace-id")
        .and_then(|it| it.split(':').nth(1));
    prop_assert_eq!(sent, innermost);
    Ok(())
}
