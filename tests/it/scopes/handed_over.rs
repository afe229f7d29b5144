//! Work that is handed to threads, pools and callbacks: it carries the active span, or has a child of it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rayon::prelude::*;
use tracehound::metrics::Counter;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::scope::{self, Captured, Traced, active_context, capture};
use tracehound::watch::OpenSpans;
use tracehound::{JaegerTracer, NoopTracer};

use super::{active, log_of};
use crate::support::{names, recording_tracer};

type Job = Box<dyn FnOnce() + Send>;

/// A pool as most crates have it: threads that take boxed closures from a queue.
struct Pool {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Pool {
    fn new() -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let work = move || {
            loop {
                let job = queue.lock().unwrap().recv();
                match job {
                    Ok(job) => job(),
                    Err(_) => break,
                }
            }
        };
        let threads = (0..2).map(|_| thread::spawn(work.clone())).collect();
        Self {
            jobs: Some(jobs),
            threads,
        }
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.as_ref().expect("the pool is open");
        jobs.send(Box::new(job)).expect("the threads live");
    }

    fn join(mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().expect("no panic");
        }
    }
}

/// Starts and finishes a span, which shows what is active.
fn probe(tracer: &JaegerTracer) {
    tracer.start_span("probe").finish();
}

/// Runs two probes each time, by one way to hand work over.
type Way = fn(&Captured, &JaegerTracer);

const WAYS: [(&str, Way); 14] = [
    ("std::thread::spawn", |captured, tracer| {
        let spawn = |tracer: JaegerTracer| thread::spawn(captured.wrap(move || probe(&tracer)));
        for thread in [spawn(tracer.clone()), spawn(tracer.clone())] {
            thread.join().expect("no panic");
        }
    }),
    ("thread::Builder", |captured, tracer| {
        for _ in 0..2 {
            let tracer = tracer.clone();
            let builder = thread::Builder::new().name("probe".into());
            let thread = captured.on(builder).spawn(move || {
                assert_eq!(thread::current().name(), Some("probe"));
                probe(&tracer);
            });
            thread.expect("a thread").join().expect("no panic");
        }
    }),
    ("thread::scope", |captured, tracer| {
        thread::scope(|threads| {
            captured.on(threads).spawn(|| probe(tracer));
            captured.on(threads).spawn(|| probe(tracer));
        });
    }),
    ("thread::Builder in a scope", |captured, tracer| {
        thread::scope(|threads| {
            for _ in 0..2 {
                let spawner = captured.on(thread::Builder::new());
                spawner
                    .spawn_scoped(threads, || probe(tracer))
                    .expect("a thread");
            }
        });
    }),
    ("a pool of boxed closures", |captured, tracer| {
        let pool = Pool::new();
        for _ in 0..2 {
            let tracer = tracer.clone();
            pool.execute(captured.wrap(move || probe(&tracer)));
        }
        pool.join();
    }),
    ("rayon::join", |captured, tracer| {
        rayon::join(
            captured.wrap(|| probe(tracer)),
            captured.wrap(|| probe(tracer)),
        );
    }),
    ("rayon::scope", |captured, tracer| {
        rayon::scope(|pool| {
            for _ in 0..2 {
                pool.spawn(|_| captured.run(|| probe(tracer)));
            }
        });
    }),
    ("rayon::spawn", |captured, tracer| {
        let (done, wait) = mpsc::channel();
        for _ in 0..2 {
            let (tracer, done) = (tracer.clone(), done.clone());
            let work = captured.wrap(move || probe(&tracer));
            rayon::spawn(move || {
                work();
                done.send(()).expect("the test waits");
            });
        }
        drop(done);
        assert_eq!(wait.iter().count(), 2);
    }),
    ("par_iter", |captured, tracer| {
        [1, 2]
            .par_iter()
            .for_each(captured.wrap_fn(|_: &i32| probe(tracer)));
    }),
    ("crossbeam's scoped threads", |captured, tracer| {
        crossbeam_utils::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|_| captured.run(|| probe(tracer)));
            }
        })
        .expect("no panic");
    }),
    (
        "workers that take jobs from crossbeam's channel",
        |captured, tracer| {
            let (jobs, queue) = crossbeam_channel::bounded::<Job>(1);
            let workers = [queue.clone(), queue]
                .map(|queue| thread::spawn(move || queue.iter().for_each(|job| job())));
            for _ in 0..2 {
                let tracer = tracer.clone();
                let job = captured.wrap(move || probe(&tracer));
                jobs.send(Box::new(job)).expect("the workers live");
            }
            drop(jobs);
            for worker in workers {
                worker.join().expect("no panic");
            }
        },
    ),
    ("a listener", |captured, tracer| {
        let mut heard = 0;
        let mut listener = captured.wrap_mut(|by: u32| {
            probe(tracer);
            heard += by;
        });
        listener(1);
        listener(2);
        drop(listener);
        assert_eq!(heard, 3);
    }),
    ("a reply", |captured, tracer| {
        let answers = [1, 2].map(|n| {
            let text = String::from("reply");
            let reply = captured.wrap_once(|number: usize| {
                probe(tracer);
                text.len() + number
            });
            reply(n)
        });
        assert_eq!(answers, [6, 7]);
    }),
    ("a scope", |captured, tracer| {
        for _ in 0..2 {
            let _scope = captured.activate();
            probe(tracer);
        }
    }),
];

/// Hands work over by each way, from within a span, and compares the tree.
fn expect_trees(expected: &str, captured: impl Fn(Captured, &JaegerTracer) -> Captured) {
    for (name, way) in WAYS {
        let (tracer, spans) = recording_tracer();
        let request = tracer.start_active_span("request");
        let captured = captured(capture(), &tracer);
        let request = request.into_span();
        way(&captured, &tracer);
        assert!(active_span().is_noop(), "{name}");
        request.finish();
        assert_eq!(spans.tree(), expected, "{name}");
        assert_eq!(tracer.metrics().get(Counter::FinishedTwice), 0, "{name}");
    }
}

#[test]
fn work_that_carries_the_active_span_has_it_as_parent_by_every_way() {
    expect_trees("request\n  probe\n  probe", |captured, _| captured);
}

#[test]
fn work_with_a_child_starts_one_for_each_run_by_every_way() {
    let expected = "request\n  work\n    probe\n  work\n    probe";
    expect_trees(expected, |captured, tracer| {
        captured.child(tracer.clone(), "work")
    });
}

#[test]
fn work_whose_child_is_a_no_op_carries_the_active_span() {
    let expected = "request\n  probe\n  probe";
    expect_trees(expected, |captured, _| captured.child(NoopTracer, "work"));
    // There is no global tracer in this process.
    expect_trees(expected, |captured, _| {
        captured.child(tracehound::tracer::tracer(), "work")
    });
}

#[test]
fn a_child_starts_when_its_work_begins_and_never_if_it_does_not() {
    let (builder, spans) = crate::support::recording_builder();
    let clock = tracehound::clock::ManualClock::at_micros(1_500_000_000_000_000);
    let tracer = builder.clock(clock.clone()).build().expect("a tracer");
    let request = tracer.start_active_span("request");
    let captured = capture().child(tracer.clone(), "work");
    let (work, never) = (captured.wrap(|| ()), captured.wrap(|| ()));
    drop(captured.wrap_future(async {}));
    clock.advance(Duration::from_secs(5));
    drop(never);
    work();
    request.finish();
    let [work, request] = &spans.spans()[..] else {
        panic!("two spans")
    };
    assert_eq!(work.operation_name, "work");
    assert_eq!(
        work.start.as_micros() - request.start.as_micros(),
        5_000_000
    );
    assert!(work.duration < Duration::from_secs(1));
}

#[test]
fn work_that_panics_marks_its_child_and_not_the_span_that_it_carries() {
    type Fails = fn(&Captured);
    let ways: [(&str, Fails); 5] = [
        ("run", |captured| captured.run(|| panic!("on purpose"))),
        ("wrap", |captured| captured.wrap(|| panic!("on purpose"))()),
        ("wrap_once", |captured| {
            captured.wrap_once(|()| panic!("on purpose"))(())
        }),
        ("wrap_mut", |captured| {
            captured.wrap_mut(|()| panic!("on purpose"))(());
        }),
        ("wrap_fn", |captured| {
            captured.wrap_fn(|()| panic!("on purpose"))(());
        }),
    ];
    for (name, way) in ways {
        let (tracer, spans) = recording_tracer();
        let request = tracer.start_active_span("request");
        let captured = capture();
        let caught = thread::scope(|threads| threads.spawn(|| way(&captured)).join());
        assert!(caught.is_err(), "{name}");
        let captured = captured.child(tracer.clone(), "work");
        assert!(catch_unwind(|| way(&captured)).is_err(), "{name}");
        assert_eq!(active(), request.context(), "{name}");
        request.finish();
        assert_eq!(spans.tree(), "request\n  work !", "{name}");
        let work = spans.find("work").expect("reported");
        assert_eq!(log_of(&work), ["event=panic"], "{name}");
    }
}

#[test]
fn a_start_that_panics_leaves_the_work_with_what_it_carries() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let captured = capture().child_with(|| panic!("on purpose"));
    captured.run(|| probe(&tracer));
    crate::block_on::block_on(captured.wrap_future(async { probe(&tracer) }));
    drop(captured.activate());
    request.finish();
    assert_eq!(spans.tree(), "request\n  probe\n  probe");
}

#[test]
fn a_child_may_follow_from_what_was_captured() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let on_thread = tracer.clone();
    let mail = capture().child_with(move || {
        let mail = on_thread.build_span("mail").tag("kind", "thanks");
        mail.follows_from(&active_context()).start()
    });
    let request_id = request.context().span_id();
    request.finish();
    scope::spawn(mail.wrap(|| assert!(active_span().is_recording())))
        .join()
        .expect("no panic");
    let mail = spans.find("mail").expect("reported");
    let follows = &mail.references[0];
    assert_eq!(Some(follows.span_id), request_id);
    assert_eq!(follows.kind, tracehound::model::ReferenceType::FollowsFrom);
    assert_eq!(mail.tag_text("kind"), "thanks");
}

#[test]
fn work_runs_in_what_was_captured_and_not_in_what_is_active_there() {
    let (tracer, spans) = recording_tracer();
    let nothing = capture();
    let other = tracer.start_active_span("other");
    nothing.run(|| probe(&tracer));
    crate::block_on::block_on(nothing.wrap_future(async { probe(&tracer) }));
    let future = nothing.run(|| async { probe(&tracer) }.in_active_span());
    crate::block_on::block_on(future);
    nothing
        .clone()
        .child(tracer.clone(), "root")
        .run(|| probe(&tracer));
    other.finish();
    assert_eq!(spans.tree(), "other\nprobe\nprobe\nprobe\nroot\n  probe");
}

#[test]
fn children_that_many_threads_start_at_once_have_exact_parents() {
    let (tracer, spans) = recording_tracer();
    let requests: Vec<_> = (0..50)
        .map(|n| {
            let request = tracer.start_active_span(format!("request {n}"));
            let captured = capture().child(tracer.clone(), format!("work {n}"));
            (request.into_span(), captured)
        })
        .collect();
    requests.par_iter().for_each(|(_, captured)| {
        (0..20).into_par_iter().for_each(|_| {
            captured.run(|| {
                let inner = capture().child(tracer.clone(), "inner");
                inner.run(|| active_span().log_event("here").is_recording());
            });
        });
    });
    drop(requests);
    expect_exact_parents(&spans, 50, 20);
}

fn expect_exact_parents(spans: &InMemoryReporter, requests: usize, works: usize) {
    let spans = spans.spans();
    assert_eq!(spans.len(), requests * (1 + 2 * works));
    let by_id: HashMap<_, _> = spans.iter().map(|span| (span.span_id, span)).collect();
    for span in &spans {
        let parent = span.parent_id.map(|id| by_id[&id].operation_name.clone());
        let expected = match span.operation_name.split_once(' ') {
            Some(("request", _)) => None,
            Some(("work", n)) => Some(format!("request {n}")),
            _ => Some(parent.clone().expect("a parent")),
        };
        assert_eq!(parent, expected, "{}", span.operation_name);
        if span.operation_name == "inner" {
            assert!(parent.is_some_and(|name| name.starts_with("work ")));
        }
    }
}

#[test]
fn captured_work_may_be_kept_where_a_panic_is_caught() {
    let (tracer, _) = recording_tracer();
    let captured = capture().child(tracer, "work");
    assert_eq!(catch_unwind(|| captured.run(|| 3)).ok(), Some(3));
    let cloned = catch_unwind(AssertUnwindSafe(|| captured.clone()));
    assert!(format!("{cloned:?}").contains("starts_child: true"));
}

#[test]
fn work_outlives_its_tracer_and_its_request() {
    let (tracer, spans) = recording_tracer();
    let request = tracer.start_active_span("request");
    let captured = capture().child(tracer.clone(), "work");
    let work = captured.wrap(active);
    request.finish();
    assert!(tracer.close(Duration::from_secs(5)).is_complete());
    drop(tracer);
    let context = work();
    assert!(context.span_id().is_some());
    drop(captured);
    assert_eq!(names(&spans), ["request"], "the tracer was closed before");
}

#[test]
fn spans_of_work_say_where_the_program_asked_for_them() {
    let open = OpenSpans::new();
    let tracer = JaegerTracer::builder("test").observer(open.clone());
    let tracer = tracer.build().expect("named");
    let place = || {
        let [span] = &open.list()[..] else {
            panic!("one span")
        };
        span.place.map(|place| (place.file(), place.line()))
    };
    let (work, line) = (capture().child(tracer.clone(), "work"), line!());
    work.run(|| assert_eq!(place(), Some((file!(), line))));
    let line = line!() + 1;
    let ((), span) = Traced::new(()).receive(&tracer, "handle");
    assert_eq!(place(), Some((file!(), line)));
    span.finish();
}
