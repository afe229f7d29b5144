//! Roots that have lost their trace on the way to another thread or task.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use tracehound::metrics::{Counter, MetricsPage, TextFormat};
use tracehound::prelude::*;
use tracehound::scope::{activate_context, capture};
use tracehound::watch::Orphans;

use super::{Watched, tracer};
use crate::exposition::parse;

fn counts(orphans: &Orphans) -> (u64, u64) {
    (orphans.proven(), orphans.suspected())
}

fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a closure on a thread of its own.
fn elsewhere<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

#[test]
fn a_root_is_proven_an_orphan_only_if_something_was_active_where_its_work_was_spawned() {
    let orphans = Orphans::new();
    let watched = Watched::by(orphans.clone());
    let tracer = &watched.tracer;
    let parent = tracer.start_span("parent");
    let remote = parent.context();
    let root = || tracer.start_span("root").finish();
    type Spawn<'a> = &'a dyn Fn();
    let rows: [(&str, u64, Spawn<'_>); 10] = [
        ("a span was active", 1, &|| {
            let work = parent.in_scope(|| orphans.watched(root));
            elsewhere(work);
        }),
        ("a context was active", 1, &|| {
            let scope = activate_context(&remote);
            let work = orphans.watched(root);
            drop(scope);
            elsewhere(work);
        }),
        ("nothing was active", 0, &|| {
            elsewhere(orphans.watched(root))
        }),
        ("the context was handed over", 0, &|| {
            let work = parent.in_scope(|| orphans.watched(capture().wrap(root)));
            elsewhere(work);
        }),
        ("nothing was handed over on purpose", 0, &|| {
            let nothing = capture();
            let work = parent.in_scope(|| orphans.watched(nothing.wrap(root)));
            elsewhere(|| parent.in_scope(work));
        }),
        ("the span names its parent", 0, &|| {
            let child = || {
                tracer
                    .build_span("child")
                    .child_of(&remote)
                    .start()
                    .finish()
            };
            let work = parent.in_scope(|| orphans.watched(child));
            elsewhere(work);
        }),
        ("the program asks for a root", 0, &|| {
            let root = || {
                tracer
                    .build_span("root")
                    .ignore_active_span()
                    .start()
                    .finish()
            };
            let work = parent.in_scope(|| orphans.watched(root));
            elsewhere(work);
        }),
        ("two roots", 2, &|| {
            let roots = || (root(), root());
            let work = parent.in_scope(|| orphans.watched(roots));
            elsewhere(work);
        }),
        ("a root and its child", 1, &|| {
            let tree = || tracer.start_span("root").in_scope(root);
            let work = parent.in_scope(|| orphans.watched(tree));
            elsewhere(work);
        }),
        ("work after watched work on the same thread", 1, &|| {
            let work = parent.in_scope(|| orphans.watched(root));
            elsewhere(|| {
                work();
                root();
            });
        }),
    ];
    let mut expected = 0;
    for (spawned, more, spawn) in rows {
        spawn();
        expected += more;
        assert_eq!(counts(&orphans), (expected, 0), "{spawned}");
    }
}

#[test]
fn a_line_names_both_places_and_comes_once_for_each_pair_of_them() {
    let orphans = Orphans::new();
    let watched = Watched::by(orphans.clone());
    let checkout = watched.tracer.start_active_span("check\nout");
    let mut lines = BTreeSet::new();
    let charge = || watched.tracer.start_span("charge").finish();
    for _ in 0..3 {
        let (work, first) = (orphans.watched(charge), line!());
        let (other, second) = (orphans.watched(charge), line!());
        elsewhere(work);
        elsewhere(other);
        lines.extend([first, second]);
    }
    let said = watched.lines();
    let file = file!();
    assert_eq!(said.len(), 2, "{said:?}");
    for (line, spawned) in said.iter().zip(&lines) {
        assert!(
            line.starts_with(&format!(r#""charge" at {file}:"#)),
            "{line}"
        );
        let expected = format!(
            r#" starts a trace of its own: its work was spawned at {file}:{spawned} while "check\nout" was active, and no context is active in it now"#
        );
        assert!(line.contains(&expected), "{line}");
    }
    let list = orphans.list();
    assert_eq!(list.iter().map(|it| it.count).collect::<Vec<_>>(), [3, 3]);
    let spawned: BTreeSet<_> = list
        .iter()
        .filter_map(|it| Some(it.spawned_at?.line()))
        .collect();
    assert_eq!(spawned, lines);
    assert!(
        list.iter()
            .all(|it| it.is_proven() && it.operation_name == "charge")
    );
    assert_eq!(orphans.proven(), 6);
    checkout.finish();
}

#[test]
fn a_future_is_watched_in_every_poll_and_in_its_drop_and_nowhere_else() {
    struct StartsOnDrop<'a>(&'a tracehound::JaegerTracer);
    impl Drop for StartsOnDrop<'_> {
        fn drop(&mut self) {
            self.0.start_span("cleanup").finish();
        }
    }

    let orphans = Orphans::new();
    let watched = Watched::by(orphans.clone());
    let tracer = &watched.tracer;
    let checkout = tracer.start_active_span("checkout");
    let mut future = Box::pin(orphans.watched_future(async {
        let _last = StartsOnDrop(tracer);
        loop {
            tracer.start_span("step").finish();
            let mut is_first = true;
            std::future::poll_fn(|_| match std::mem::take(&mut is_first) {
                true => Poll::<()>::Pending,
                false => Poll::Ready(()),
            })
            .await;
        }
    }));
    checkout.finish();
    for polls in 1..=3 {
        assert!(poll_once(future.as_mut()).is_pending());
        tracer.start_span("between").finish();
        assert_eq!(counts(&orphans), (polls, 0));
    }
    drop(future);
    tracer.start_span("after").finish();
    assert_eq!(counts(&orphans), (4, 0));
    let mut names: Vec<_> = orphans
        .list()
        .into_iter()
        .map(|it| it.operation_name)
        .collect();
    names.sort();
    assert_eq!(names, ["cleanup", "step"]);
}

#[test]
fn work_that_lost_work_spawns_descends_from_it() {
    let orphans = Orphans::new();
    let watched = Watched::by(orphans.clone());
    let tracer = &watched.tracer;
    let checkout = tracer.start_active_span("checkout");
    let inner = || elsewhere(orphans.watched(|| tracer.start_span("deep").finish()));
    let outer = || elsewhere(orphans.watched(inner));
    let (outer, line) = (orphans.watched(outer), line!());
    checkout.finish();
    elsewhere(outer);
    assert_eq!(counts(&orphans), (1, 0));
    let said = watched.lines();
    let expected = format!(
        "its work descends from work that was spawned at {}:{line} while",
        file!()
    );
    assert!(said[0].contains(&expected), "{said:?}");
}

#[test]
fn a_panic_in_watched_work_leaves_no_mark_on_its_thread() {
    let orphans = Orphans::new();
    let watched = Watched::by(orphans.clone());
    let tracer = &watched.tracer;
    let checkout = tracer.start_active_span("checkout");
    let work = orphans.watched(|| panic!("of the work"));
    let future = orphans.watched_future(async { panic!("of the future") });
    checkout.finish();
    elsewhere(|| {
        let caught = |work: &mut dyn FnMut()| {
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err()
        };
        let mut work = Some(work);
        assert!(caught(&mut || if let Some(work) = work.take() {
            work()
        }));
        let mut future = pin!(future);
        assert!(caught(&mut || {
            let _ = poll_once::<()>(future.as_mut());
        }));
        tracer.start_span("root").finish();
    });
    assert_eq!(counts(&orphans), (0, 0));
    assert_eq!(tracer.metrics().get(Counter::CallbackPanics), 0);
}

#[test]
fn a_root_is_suspected_only_while_other_spans_are_open_and_nothing_says_that_it_is_meant() {
    let orphans = Orphans::new().suspects(true);
    let watched = Watched::by(orphans.clone());
    let tracer = &watched.tracer;
    let root = || tracer.start_span("root").finish();
    root();
    let of_nothing = capture();
    let future_of_nothing = async { root() }.in_active_span();
    assert_eq!(counts(&orphans), (0, 0), "no other span is open");
    let open = tracer.start_span("open");
    let rows: [(&str, u64, &dyn Fn()); 6] = [
        ("a root", 1, &root),
        ("a root on another thread", 1, &|| elsewhere(root)),
        ("a child", 0, &|| open.in_scope(root)),
        ("a child on another thread", 0, &|| {
            elsewhere(open.in_scope(|| capture().wrap(root)));
        }),
        ("nothing was handed over, on purpose", 0, &|| {
            elsewhere(of_nothing.wrap(root));
        }),
        ("the program asks for a root", 0, &|| {
            tracer.build_span("root").new_trace().start().finish();
        }),
    ];
    let mut expected = 0;
    for (start, more, run) in rows {
        run();
        expected += more;
        assert_eq!(counts(&orphans), (0, expected), "{start}");
    }
    assert!(poll_once(pin!(future_of_nothing)).is_ready());
    assert_eq!(counts(&orphans), (0, 2));
    let said = watched.lines();
    assert_eq!(said.len(), 1, "{said:?}");
    let expected = " starts a trace of its own: no context is active here, while one other span is open in this process; if";
    assert!(said[0].contains(expected), "{said:?}");
    open.finish();
    root();
    assert_eq!(counts(&orphans), (0, 2), "no other span is open any more");

    let page = MetricsPage::new(TextFormat::Prometheus)
        .with(&orphans)
        .finish();
    parse(&page, false);
    let line = r#"tracehound_orphan_roots_total{certainty="suspected"} 2"#;
    assert!(page.lines().any(|it| it == line), "{page}");
}

#[test]
fn what_is_known_is_not_suspected_as_well() {
    let orphans = Orphans::new().suspects(true);
    let watched = Watched::by(orphans.clone());
    let tracer = &watched.tracer;
    let open = tracer.start_active_span("open");
    elsewhere(orphans.watched(|| tracer.start_span("root").finish()));
    assert_eq!(counts(&orphans), (1, 0));
    open.finish();
}

#[test]
fn orphans_of_too_many_places_are_counted_without_a_line_each() {
    let orphans = Orphans::new();
    let (diagnostics, lines) = crate::support::kept_lines();
    let (tracer, _) = tracer(orphans.clone(), diagnostics);
    let (jobs, waiting) = mpsc::channel::<String>();
    let open = tracer.start_active_span("open");
    // A place is known for each of these spans, so the names of a place's operations do not matter.
    let work = orphans.watched(|| {
        for name in waiting {
            tracer.start_span(name).finish();
        }
    });
    thread::scope(|scope| {
        scope.spawn(work);
        for n in 0..3_000 {
            jobs.send(format!("job {n}")).expect("it waits");
        }
        drop(jobs);
    });
    assert_eq!((orphans.proven(), orphans.list().len()), (3_000, 1));
    assert_eq!(lines.lock().unwrap().len(), 1);
    open.finish();
}
