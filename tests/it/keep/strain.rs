//! Weighed traces whose decision is made by another thread.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tracehound::JaegerTracer;
use tracehound::prelude::*;
use tracehound::sampler::TracesPerSecond;

use super::{keep, tracer};

/// A way to start a child of a span.
type StartChild = fn(&JaegerTracer, &Span) -> Span;

const WAYS: [StartChild; 4] = [
    |tracer, root| tracer.build_span("child").child_of(root).start(),
    |tracer, root| {
        let context = root.context();
        tracer.build_span("child").child_of(&context).start()
    },
    |tracer, root| {
        let child = tracer.build_span("child").child_of(root);
        child.start_time(SystemTime::now()).start()
    },
    |tracer, root| {
        let _scope = root.clone().activate();
        tracer.start_span("child")
    },
];

#[test]
fn a_child_that_starts_while_another_thread_decides_is_kept() {
    for (way, start_child) in WAYS.into_iter().enumerate() {
        let much = TracesPerSecond::from(1_000_000_000);
        let (tracer, _) = tracer(keep().limit(much).total_limit(much));
        let (to_decider, roots) = mpsc::sync_channel::<Span>(0);
        let decider = thread::spawn(move || {
            for root in roots {
                root.set_tag("error", true);
            }
        });
        let end = Instant::now() + Duration::from_millis(500);
        while Instant::now() < end {
            let root = tracer.start_span("root");
            to_decider.send(root.clone()).expect("the decider lives");
            let mut children = Vec::new();
            while !root.context().is_sampled() {
                // The last ones are those that may have met the decision.
                children.truncate(50);
                children.insert(0, start_child(&tracer, &root));
            }
            let mut missed = children.iter().filter(|it| !it.context().is_sampled());
            assert!(missed.next().is_none(), "way {way}");
        }
        drop(to_decider);
        decider.join().expect("no panic");
    }
}
