//! Names, kinds, parents and tracers.

use std::sync::{Arc, Mutex};

use tracehound::model::ReferenceType;
use tracehound::observer::{ObservedSpan, SpanObserver};
use tracehound::prelude::*;
use tracehound::{SpanContext, traced};

use crate::block_on::block_on;
use crate::support::{recording_builder, recording_tracer};

const NAME: &str = "named by a constant";

#[traced(name = "get_account", tracer = tracer)]
fn named(tracer: &JaegerTracer) {}

#[traced(name = NAME, tracer = tracer)]
fn named_elsewhere(tracer: &JaegerTracer) {}

#[traced(kind = "server", tracer = tracer)]
fn served(tracer: &JaegerTracer) {}

#[test]
fn the_name_and_the_kind_are_those_of_the_options() {
    let (tracer, spans) = recording_tracer();
    named(&tracer);
    named_elsewhere(&tracer);
    served(&tracer);
    assert_eq!(spans.tree(), "get_account\nnamed by a constant\nserved");
    assert_eq!(
        spans.find("served").unwrap().tag_text("span.kind"),
        "server"
    );
}

struct Job {
    cause: SpanContext,
}

#[traced(tracer = tracer, parent = job.cause)]
fn child(tracer: &JaegerTracer, job: Job) -> SpanContext {
    job.cause
}

#[traced(tracer = tracer, follows = &job.cause)]
async fn follower(tracer: &JaegerTracer, job: Job) -> SpanContext {
    job.cause
}

#[traced(tracer = tracer, root)]
fn root(tracer: &JaegerTracer) {}

#[traced(tracer = tracer, root, follows = job.cause)]
fn linked_root(tracer: &JaegerTracer, job: &Job) {}

#[traced(tracer = tracer, parent = parent)]
fn perhaps(tracer: &JaegerTracer, parent: Option<&Span>) {}

#[test]
fn the_parent_is_the_one_of_the_options_or_else_the_active_span() {
    let (tracer, spans) = recording_tracer();
    let cause = tracer.start_span("cause");
    let job = || Job {
        cause: cause.context(),
    };
    let active = tracer.start_active_span("active");
    child(&tracer, job());
    block_on(follower(&tracer, job()));
    root(&tracer);
    linked_root(&tracer, &job());
    perhaps(&tracer, None);
    perhaps(&tracer, Some(&cause));
    drop(active);
    cause.finish();
    assert_eq!(
        spans.tree(),
        "cause\n  child\n  follower\n  perhaps\nactive\n  perhaps\nroot\nlinked_root"
    );
    let references = |name| spans.find(name).unwrap().references;
    assert!(references("root").is_empty());
    for name in ["follower", "linked_root"] {
        assert_eq!(
            references(name)[0].kind,
            ReferenceType::FollowsFrom,
            "{name}"
        );
    }
    assert_ne!(
        spans.find("linked_root").unwrap().trace_id,
        spans.find("cause").unwrap().trace_id
    );
}

#[traced(tracer = tracer)]
fn by_arc(tracer: Arc<JaegerTracer>) {}

#[traced(tracer = tracer)]
fn by_dyn(tracer: &dyn Tracer) {}

#[traced(tracer = tracer, kind = "client")]
fn by_impl(tracer: impl Tracer) {}

#[traced(tracer = tracer.as_ref())]
fn by_call(tracer: Box<dyn Tracer>) {}

#[traced]
fn by_default() {
    assert!(active_span().is_noop(), "no test sets a global tracer");
}

#[test]
fn a_tracer_of_any_kind_starts_the_span() {
    let (tracer, spans) = recording_tracer();
    by_arc(Arc::new(tracer.clone()));
    by_dyn(&tracer);
    by_impl(tracer.clone());
    by_impl(&tracer);
    by_call(Box::new(tracer));
    by_default();
    assert_eq!(spans.tree(), "by_arc\nby_dyn\nby_impl\nby_impl\nby_call");
}

mod reexported {
    pub(super) use ::tracehound as tracing_of_ours;
}

#[traced(crate = "reexported::tracing_of_ours", tracer = tracer, kind = "client", tags(n), err)]
fn by_another_path(tracer: &JaegerTracer, n: u8) -> Result<(), std::fmt::Error> {
    Ok(())
}

#[traced(crate = reexported::tracing_of_ours, tracer = tracer)]
async fn by_another_path_too(tracer: &JaegerTracer) {}

#[test]
fn the_path_of_the_crate_is_an_option() {
    let (tracer, spans) = recording_tracer();
    assert!(by_another_path(&tracer, 1).is_ok());
    block_on(by_another_path_too(&tracer));
    assert_eq!(spans.tree(), "by_another_path\nby_another_path_too");
}

/// Keeps the lines in which spans start.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u32>>>);

impl SpanObserver for Lines {
    fn watches_starts(&self) -> bool {
        true
    }

    fn on_start(&self, span: &ObservedSpan<'_>) {
        let place = span.place().unwrap();
        assert_eq!(place.file(), file!());
        self.0.lock().unwrap().push(place.line());
    }

    fn on_finish(&self, _: &ObservedSpan<'_>) {}
}

#[traced(tracer = tracer)]
fn started(tracer: &JaegerTracer) {}

#[traced(tracer = tracer, kind = "server")]
async fn started_later(tracer: &JaegerTracer) {}

#[test]
fn a_span_starts_where_the_attribute_is() {
    let lines = Lines::default();
    let (builder, _) = recording_builder();
    let tracer = builder.observer(lines.clone()).build().unwrap();
    started(&tracer);
    block_on(started_later(&tracer));
    let source = include_str!("options.rs");
    let lines = lines.0.lock().unwrap().clone();
    let lines = lines
        .into_iter()
        .map(|line| source.lines().nth(line as usize - 1));
    assert_eq!(
        lines.collect::<Option<Vec<_>>>().unwrap(),
        [
            "#[traced(tracer = tracer)]",
            "#[traced(tracer = tracer, kind = \"server\")]"
        ]
    );
}
