//! Watching spans after a fork.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tracehound::JaegerTracer;
use tracehound::diagnostics::Diagnostics;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::watch::{OpenSpans, Orphans};

use crate::process::in_child;
use crate::support::{builder, until};

/// The operations about which a line was written. Atomic, because a fork may copy a lock that is held.
#[derive(Clone, Default)]
struct Heard(Arc<[AtomicBool; 2]>);

const OPERATIONS: [&str; 2] = ["of the parent", "of the child"];

impl Heard {
    fn has(&self, operation: usize) -> bool {
        self.0[operation].load(Ordering::Relaxed)
    }
}

fn names(open: &OpenSpans) -> Vec<String> {
    let list = open.list().into_iter();
    list.map(|span| span.operation_name).collect()
}

fn watched(open: &OpenSpans) -> (JaegerTracer, Heard) {
    let heard = Heard::default();
    let lines = heard.clone();
    let handler = move |line: &str| {
        for (name, was_heard) in OPERATIONS.iter().zip(&*lines.0) {
            was_heard.fetch_or(line.contains(&format!("{name:?} for ")), Ordering::Relaxed);
        }
    };
    let builder = builder(InMemoryReporter::new()).observer(open.clone());
    let tracer = builder.diagnostics(Diagnostics::with_handler(handler));
    (tracer.build().expect("named"), heard)
}

pub(super) fn a_forked_child_watches_its_own_spans_and_not_those_of_its_parent() {
    let open = OpenSpans::new().limit(Duration::from_millis(50));
    let (tracer, heard) = watched(&open);
    let of_parent = tracer.start_span(OPERATIONS[0]);
    let in_child_too = of_parent.clone();
    in_child(|| {
        assert!(open.is_empty());
        let of_child = tracer.start_span(OPERATIONS[1]);
        assert_eq!(names(&open), ["of the child"]);
        until("a line", || heard.has(1));
        assert_eq!(open.over_limit(), 1);
        in_child_too.finish();
        assert_eq!(names(&open), ["of the child"]);
        of_child.finish();
        assert_eq!((open.len(), open.untracked()), (0, 0));
    });
    until("a line", || heard.has(0));
    assert!(!heard.has(1));
    assert_eq!(names(&open), ["of the parent"]);
    of_parent.finish();
    assert!(open.is_empty());
}

pub(super) fn a_forked_child_looks_for_orphans_of_its_own() {
    let orphans = Orphans::new().suspects(true);
    let builder = builder(InMemoryReporter::new()).diagnostics(Diagnostics::silent());
    let tracer = builder.observer(orphans.clone()).build().expect("named");
    let open = tracer.start_span("open");
    tracer.start_span("root").finish();
    assert_eq!(orphans.suspected(), 1);
    let open_in_child = open.clone();
    in_child(|| {
        open_in_child.finish();
        tracer.start_span("root").finish();
        assert_eq!(orphans.suspected(), 0, "no span of this process is open");
        let open = tracer.start_span("open");
        tracer.start_span("root").finish();
        assert_eq!(orphans.suspected(), 1);
        open.finish();
    });
    open.finish();
    tracer.start_span("root").finish();
    assert_eq!(orphans.suspected(), 1);
}
