//! The list of open spans.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tracehound::metrics::{MetricsPage, TextFormat};
use tracehound::model::SpanKind;
use tracehound::prelude::*;
use tracehound::watch::OpenSpans;

use super::Watched;
use crate::exposition::parse;

fn names(open: &OpenSpans) -> Vec<String> {
    let list = open.list().into_iter();
    list.map(|span| span.operation_name).collect()
}

#[test]
fn the_list_tells_what_is_open_since_when_and_where_it_started() {
    let open = OpenSpans::new();
    let watched = Watched::by(open.clone());
    let (request, line) = (watched.tracer.build_span("request"), line!());
    let request = request.tag("span.kind", "server").start();
    watched.advance(3);
    let in_thread = thread::Builder::new().name("cook".to_owned());
    let query = thread::scope(|scope| {
        let start = || {
            watched
                .tracer
                .build_span("query".to_owned())
                .child_of(&request)
                .start()
        };
        let thread = in_thread.spawn_scoped(scope, start).expect("a thread");
        thread.join().expect("no panic")
    });
    watched.advance(1);
    // The name at the start counts.
    query.set_operation_name("later");

    let list = open.list();
    let [first, second] = &list[..] else {
        panic!("{list:?}")
    };
    let start = UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    assert_eq!(
        (&*first.operation_name, first.kind),
        ("request", Some(SpanKind::Server))
    );
    assert_eq!(Some(first.span_id), request.context().span_id());
    assert_eq!(
        (first.age, first.start_time),
        (Duration::from_secs(4), start)
    );
    let place = first.place.expect("ours");
    assert_eq!((place.file(), place.line()), (file!(), line));
    assert_eq!(&*first.service, "shop");
    assert!(first.is_local_root && !second.is_local_root);
    assert_eq!((&*second.operation_name, second.kind), ("query", None));
    assert_eq!(Some(second.trace_id), request.context().trace_id());
    assert_eq!(
        (second.age, &*second.thread),
        (Duration::from_secs(1), "cook")
    );
    let text = second.to_string();
    let (trace, span) = (second.trace_id, second.span_id);
    let expected = format!(r#""query" for 1.0s, started at {}:"#, file!());
    assert!(text.starts_with(&expected), "{text}");
    assert!(
        text.ends_with(&format!(" on cook, trace {trace}, span {span}")),
        "{text}"
    );

    request.finish();
    assert_eq!(names(&open), ["query"]);
    drop(query);
    assert!(open.is_empty());
}

#[test]
fn a_hundred_thousand_open_spans_keep_ten_thousand_entries_and_an_exact_count() {
    let open = OpenSpans::new();
    let watched = Watched::by(open.clone());
    let start = |n: u32| match n % 2 {
        0 => watched.tracer.start_span("static"),
        _ => watched.tracer.start_span(format!("{n}")),
    };
    let spans: Vec<_> = (0..100_000).map(start).collect();
    assert_eq!(open.len() as u64 + open.untracked(), 100_000);
    assert!((9_000..=10_000).contains(&open.len()), "{}", open.len());
    drop(spans);
    assert_eq!((open.len(), open.untracked()), (0, 0));
    // All of the room is there again.
    let spans: Vec<_> = (0..10_000).map(start).collect();
    assert!(open.len() >= 9_000, "{}", open.len());
    assert_eq!(open.len() as u64 + open.untracked(), 10_000);
    drop(spans);
    assert_eq!((open.len(), open.untracked()), (0, 0));
}

#[test]
fn a_small_limit_of_spans_holds_exactly() {
    for max in [0, 1, 3, 127] {
        let open = OpenSpans::new().max_spans(max);
        let watched = Watched::by(open.clone());
        for _ in 0..3 {
            let spans: Vec<_> = (0..200).map(|_| watched.tracer.start_span("a")).collect();
            assert_eq!((open.len(), open.untracked()), (max, 200 - max as u64));
            drop(spans);
            assert_eq!((open.len(), open.untracked()), (0, 0), "{max}");
        }
    }
}

#[test]
fn spans_that_share_their_ids_are_all_listed() {
    let open = OpenSpans::new();
    let watched = Watched::by(open.clone());
    let first = watched.tracer.start_span("a");
    let twin = || {
        watched
            .tracer
            .build_span("a")
            .context(first.context())
            .start()
    };
    let (second, third) = (twin(), twin());
    watched.advance(1);
    let later = twin();
    assert_eq!(open.len(), 4);
    assert_eq!(open.list().len(), 4);
    for (span, left) in [(second, 3), (later, 2), (first, 1), (third, 0)] {
        span.finish();
        assert_eq!((open.len(), open.list().len()), (left, left));
    }
    assert_eq!(open.untracked(), 0);
}

#[test]
fn spans_that_end_on_other_threads_leave_the_list() {
    const THREADS: usize = 8;
    let open = OpenSpans::new();
    let watched = Watched::by(open.clone());
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (tracer, barrier) = (watched.tracer.clone(), barrier.clone());
            thread::spawn(move || {
                barrier.wait();
                let start =
                    |n: usize| tracer.start_span(if n.is_multiple_of(2) { "even" } else { "odd" });
                (0..1_000).map(start).collect::<Vec<_>>()
            })
        })
        .collect();
    while threads.iter().any(|thread| !thread.is_finished()) {
        assert!(open.list().len() <= THREADS * 1_000);
    }
    let spans: Vec<_> = threads
        .into_iter()
        .map(|it| it.join().expect("no panic"))
        .collect();
    assert_eq!(open.len() as u64 + open.untracked(), 8_000);
    thread::scope(|scope| {
        for spans in spans {
            scope.spawn(|| drop(spans));
        }
    });
    assert_eq!((open.len(), open.untracked()), (0, 0));
}

#[test]
fn one_list_serves_several_tracers() {
    let open = OpenSpans::new();
    let (shop, pay) = (Watched::by(open.clone()), Watched::by(open.clone()));
    let (checkout, charge) = (
        shop.tracer.start_span("checkout"),
        pay.tracer.start_span("charge"),
    );
    let mut both = names(&open);
    both.sort();
    assert_eq!(both, ["charge", "checkout"]);
    checkout.finish();
    assert_eq!(names(&open), ["charge"]);
    drop(charge);
}

#[test]
fn a_start_time_of_the_users_gives_the_age() {
    let open = OpenSpans::new();
    let watched = Watched::by(open.clone());
    let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
    let rows: [(SystemTime, u64); 3] = [
        (at(1_499_999_000), 1_000),
        (at(1_600_000_000), 0),
        (UNIX_EPOCH, 1_500_000_000),
    ];
    for (start, age) in rows {
        let span = watched
            .tracer
            .build_span("import")
            .start_time(start)
            .start();
        assert_eq!(open.list()[0].age, Duration::from_secs(age));
        assert_eq!(open.list()[0].start_time, start);
        span.finish();
        assert!(open.is_empty());
    }
}

#[test]
fn the_metrics_page_has_the_number_and_the_oldest_age() {
    let open = OpenSpans::new().max_spans(2).limit(Duration::from_secs(10));
    let watched = Watched::by(open.clone());
    let _spans: Vec<_> = (0..3).map(|_| watched.tracer.start_span("a")).collect();
    watched.advance(25);
    open.look();
    let page = MetricsPage::new(TextFormat::Prometheus)
        .with(&open)
        .finish();
    parse(&page, false);
    for line in [
        "tracehound_open_spans 2",
        "tracehound_open_spans_untracked 1",
        "tracehound_open_span_age_seconds_max 25",
        "tracehound_spans_over_limit_total 2",
    ] {
        assert!(page.lines().any(|it| it == line), "{line} in\n{page}");
    }
}
