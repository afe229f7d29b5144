//! Buckets and operations over polls that change the strategy, or do not.

use super::*;

#[test]
fn an_emptied_bucket_stays_empty_through_a_thousand_identical_polls() {
    for json in [limiting(5.0), by_operation(1.0, &[("checkout", 0.0)])] {
        let scene = Scene::new();
        scene.fetch(Ok(&json));
        let credits = scene.kept(100);
        assert!(matches!(credits, 1 | 5), "{credits} at once");
        for _ in 0..1_000 {
            scene.fetch(Ok(&json));
            assert_eq!(scene.kept(1), 0);
        }
        assert_eq!(scene.counts(), [1_001, 0, 1, 0]);
        scene.clock.advance(Duration::from_secs(1));
        assert_eq!(scene.kept(100), credits);
    }
}

#[test]
fn a_bucket_is_as_full_in_proportion_after_a_change_of_the_rate() {
    let scene = Scene::new();
    scene.fetch(Ok(&limiting(10.0)));
    assert_eq!(scene.kept(5), 5);
    scene.fetch(Ok(&limiting(4.0)));
    assert_eq!(scene.kept(100), 2, "half of 4");
    scene.fetch(Ok(&limiting(1_000.0)));
    assert_eq!(scene.kept(100), 0, "nothing of 1000");
    scene.clock.advance(Duration::from_millis(10));
    assert_eq!(scene.kept(100), 10);
}

#[test]
fn a_strategy_that_comes_back_finds_its_bucket_as_it_was() {
    let scene = Scene::new();
    let strategies = [limiting(5.0), by_operation(1.0, &[])];
    for json in &strategies {
        scene.fetch(Ok(json));
        assert!(scene.kept(100) > 0);
    }
    for _ in 0..3 {
        for json in &strategies {
            scene.fetch(Ok(&probabilistic(0.0)));
            assert_eq!(scene.kept(10), 0);
            scene.fetch(Ok(json));
            assert_eq!(scene.kept(10), 0, "{json}");
        }
    }
    scene.fetch(Ok(&limiting(0.0)));
    assert_eq!(scene.kept(10), 0, "a rate of 0 keeps nothing");
    scene.fetch(Ok(&limiting(5.0)));
    assert_eq!(scene.kept(10), 0, "and what follows it begins empty");
}

#[test]
fn learned_operations_live_on_and_their_new_probability_counts() {
    let scene = Scene::new();
    scene.fetch(Ok(&by_operation(1.0, &[("listed", 0.0)])));
    for operation in ["listed", "learned"] {
        assert_eq!(
            scene.kept_of(operation, 10),
            1,
            "{operation}, by the lower bound"
        );
    }
    scene.fetch(Ok(&by_operation(1.0, &[("learned", 1.0)])));
    assert_eq!(scene.kept_of("learned", 10), 10);
    assert_eq!(scene.kept_of("listed", 10), 0, "its bucket is still empty");
    scene.fetch(Ok(&by_operation(1.0, &[])));
    assert_eq!(scene.kept_of("learned", 10), 0);
    assert_eq!(scene.kept_of("new", 10), 1);
}

#[test]
fn a_rename_asks_again_when_the_strategy_is_by_operation() {
    let scene = Scene::new();
    scene.fetch(Ok(&by_operation(0.0, &[("GET /order", 1.0)])));
    assert_eq!(scene.kept_of("HTTP GET", 1), 0);
    let span = scene.tracer.start_span("HTTP GET");
    span.set_operation_name("GET /order");
    assert!(span.context().is_sampled());
}

#[test]
fn the_order_of_operations_and_repeated_names_are_no_change() {
    let scene = Scene::new();
    scene.fetch(Ok(&by_operation(1.0, &[("a", 0.5), ("b", 0.25)])));
    scene.fetch(Ok(&by_operation(1.0, &[("b", 0.25), ("a", 0.5)])));
    scene.fetch(Ok(&by_operation(
        1.0,
        &[("a", 0.1), ("b", 0.25), ("a", 0.5)],
    )));
    assert_eq!(scene.counts(), [3, 0, 1, 0]);
    scene.fetch(Ok(&by_operation(
        1.0,
        &[("a", 0.5), ("b", 0.25), ("a", 0.1)],
    )));
    assert_eq!(scene.counts(), [4, 0, 2, 0]);
}

#[test]
fn strategies_change_while_threads_decide() {
    let scene = Scene::new();
    let jsons = [
        probabilistic(1.0),
        limiting(1e9),
        by_operation(1e9, &[("checkout", 1.0)]),
        limiting(2e9),
    ];
    scene.fetch(Ok(&jsons[0]));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let (tracer, is_over) = (&scene.tracer, &is_over);
    let is_kept = |_: &usize| tracer.start_span("checkout").context().is_sampled();
    thread::scope(|scope| {
        let deciders: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    let (mut kept, mut all) = (0, 0);
                    while !is_over.load(relaxed) {
                        kept += (0..10).filter(is_kept).count();
                        all += 10;
                    }
                    (kept, all)
                })
            })
            .collect();
        for n in 0..200 {
            scene
                .orders
                .send(Ok(jsons[n % jsons.len()].clone().into_bytes()))
                .unwrap();
            scene.clock.advance(Duration::from_secs(1));
            thread::yield_now();
        }
        until("every strategy has been applied", || {
            scene.counts()[0] == 201
        });
        is_over.store(true, relaxed);
        for decider in deciders {
            let (kept, all) = decider.join().unwrap();
            // A limiter whose balance moves at this moment may refuse the trace.
            assert!(kept + 400 >= all && all > 0, "{kept} of {all}");
        }
    });
    assert_eq!(scene.counts()[3], 0);
}
