//! Polls: when they happen, what they count and say, and how they end.

use std::sync::Weak;

use tracehound::model::TagRef;
use tracehound::sampler::{Sampler, SamplerTags, SamplingDecision, SpanView};
use tracehound::services::Services;

use super::*;

#[test]
fn the_initial_sampler_decides_until_there_is_a_strategy() {
    let scene = Scene::new();
    assert_eq!(scene.state.strategy(), None);
    assert!(scene.kept(100) < 100, "one in a thousand");
    scene.fetch(Err("no agent"));
    scene.fetch(Ok("{}"));
    assert_eq!(scene.state.strategy(), None);
    scene.fetch(Ok(&probabilistic(1.0)));
    assert_eq!(scene.kept(100), 100);
    assert_eq!(
        scene.state.strategy().unwrap().to_string(),
        "probabilistic 1"
    );
}

#[test]
fn a_bad_reply_and_a_failure_change_nothing_and_are_counted() {
    let scene = Scene::new();
    scene.fetch(Ok(&limiting(5.0)));
    assert_eq!(scene.kept(3), 3);
    for bad in [r#"{"probabilisticSampling":{"samplingRate":5}}"#, "x", "{}"] {
        scene.fetch(Ok(bad));
    }
    scene.fetch(Err("refused"));
    scene.fetch(Err("panic"));
    assert_eq!(scene.counts(), [4, 2, 1, 3]);
    assert_eq!(scene.tracer.metrics().get(Counter::CallbackPanics), 1);
    assert_eq!(scene.kept(100), 2, "the bucket as it was");
    scene.fetch(Ok(&probabilistic(1.0)));
    assert_eq!(scene.counts(), [5, 2, 2, 3]);
    assert_eq!(scene.kept(100), 100);
}

#[test]
fn a_change_of_state_makes_one_line_and_a_poll_makes_none() {
    let scene = Scene::new();
    for _ in 0..3 {
        scene.fetch(Err("refused\nby\tall"));
    }
    for _ in 0..3 {
        scene.fetch(Ok(&probabilistic(0.5)));
    }
    for _ in 0..3 {
        scene.fetch(Ok(&limiting(5.0)));
    }
    scene.fetch(Ok(&probabilistic(0.25)));
    let expected = [
        "no sampling strategy from the test: refused\\nby\\tall; sampling goes on as probabilistic 0.001",
        "sampling strategies come from the test again: probabilistic 0.5",
        "sampling follows the test: probabilistic 0.5",
        "sampling follows the test: now ratelimiting 5, before probabilistic 0.5",
        // The next change came within ten seconds.
    ];
    assert_eq!(scene.lines(), expected);
}

#[test]
fn the_state_tells_what_it_does_since_when_and_by_whom() {
    let scene = Scene::with(|sampler| {
        let text = format!("{sampler:?}");
        assert!(
            text.contains(r#"decides: "nothing, as no tracer has it""#),
            "{text}"
        );
        sampler
    });
    let text = format!("{:?}", scene.state);
    assert!(
        text.contains(r#"decides: "probabilistic 0.001", told_by: "the program""#),
        "{text}"
    );
    scene.clock.advance(Duration::from_secs(7));
    assert_eq!(scene.state.age(), Duration::from_secs(7));
    assert_eq!(scene.state.last_reply(), None);
    scene.fetch(Ok(&limiting(5.0)));
    assert_eq!(scene.state.age(), Duration::ZERO);
    scene.clock.advance(Duration::from_secs(3));
    scene.fetch(Ok(&limiting(5.0)));
    scene.clock.advance(Duration::from_secs(2));
    assert_eq!(scene.state.age(), Duration::from_secs(5));
    assert_eq!(scene.state.last_reply(), Some(Duration::from_secs(2)));
    assert_eq!(scene.state.error(), None);
    scene.fetch(Err("refused"));
    assert_eq!(scene.state.error().as_deref(), Some("refused"));
    let text = format!("{:?}", scene.state);
    for part in [
        r#"decides: "ratelimiting 5""#,
        r#"told_by: "the test""#,
        "for: 5s",
        r#"asks: "the test""#,
        "last_reply: Some(2s)",
        r#"error: Some("refused")"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn close_cancels_the_fetch_in_flight_and_the_fetcher_goes() {
    let scene = Scene::new();
    scene.fetch(Ok(&probabilistic(1.0)));
    // The next fetch waits for an order that never comes.
    scene.tracer.close(LONG);
    until("the fetcher is dropped", || {
        Arc::strong_count(&scene.fetcher) == 1
    });
    assert_eq!(
        scene.counts(),
        [1, 0, 1, 0],
        "a cancelled fetch has not failed"
    );
    assert_eq!(scene.state.error(), None);
    assert_eq!(scene.kept(1), 1, "the last strategy goes on to decide");
}

#[test]
fn a_tracer_that_is_dropped_ends_its_polls() {
    let Scene {
        tracer,
        fetcher,
        orders,
        ..
    } = Scene::new();
    drop(tracer);
    until("the fetcher is dropped", || {
        Arc::strong_count(&fetcher) == 1
    });
    drop(orders);
}

#[test]
fn a_sampler_without_a_tracer_fetches_nothing_and_decides_as_the_initial_one() {
    struct Never;
    impl StrategyFetcher for Never {
        fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
            panic!("asked")
        }
    }
    let sampler = RemoteSampler::new(Never).initial(Whole::default());
    let id = tracehound::model::TraceId::new(0, 1).unwrap();
    let root = SpanView::new(id, "checkout", true);
    assert!(matches!(
        sampler.on_create_span(&root),
        SamplingDecision::Sample(_)
    ));
    assert_eq!(sampler.description(), "remote Never, now whole");
}

/// A sampler that answers in its own way to every question, and counts the calls.
#[derive(Default)]
struct Whole(Arc<Mutex<Vec<&'static str>>>);

impl Whole {
    fn note(&self, call: &'static str) {
        self.0.lock().unwrap().push(call);
    }
}

impl Sampler for Whole {
    fn attach(&mut self, _: &Services) {
        self.note("attach");
    }

    fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.note("create");
        SamplingDecision::Sample(SamplerTags::new("whole", true))
    }

    fn on_set_operation_name(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.note("rename");
        SamplingDecision::Delay
    }

    fn on_set_tag(&self, _: &SpanView<'_>, _: &str, _: TagRef<'_>) -> SamplingDecision {
        self.note("tag");
        SamplingDecision::Delay
    }

    fn on_finish_span(&self, _: &SpanView<'_>) -> SamplingDecision {
        self.note("finish");
        SamplingDecision::Delay
    }

    fn depends_on_operation_name(&self) -> bool {
        self.note("depends");
        true
    }

    fn description(&self) -> String {
        "whole".to_owned()
    }

    fn explain(&self, operation_name: &str) -> String {
        format!("wholly {operation_name}")
    }

    fn close(&self) {
        self.note("close");
    }
}

#[test]
fn every_question_reaches_the_initial_sampler() {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let initial = Whole(calls.clone());
    let services = Services::detached(tracehound::model::Process::new("shop", vec![]));
    struct Never;
    impl StrategyFetcher for Never {
        fn fetch(&mut self, _: &str) -> Result<Strategy, FetchError> {
            Err(FetchError::failed("never"))
        }
    }
    let services = services.with_diagnostics(Diagnostics::silent());
    let mut sampler: Box<dyn Sampler> = Box::new(RemoteSampler::new(Never).initial(initial));
    sampler.attach(&services);
    let id = tracehound::model::TraceId::new(0, 1).unwrap();
    let root = SpanView::new(id, "checkout", true);
    sampler.on_create_span(&root);
    sampler.on_set_operation_name(&root);
    sampler.on_set_tag(&root, "key", TagRef::Bool(true));
    sampler.on_finish_span(&root);
    assert!(sampler.depends_on_operation_name());
    assert!(sampler.constant_decision().is_none());
    let explained = sampler.explain("checkout");
    assert_eq!(
        explained,
        "remote, no strategy from Never yet: wholly checkout"
    );
    sampler.close();
    let expected = [
        "attach", "create", "rename", "tag", "finish", "depends", "close",
    ];
    assert_eq!(*calls.lock().unwrap(), expected);
}

#[test]
fn a_large_reply_is_applied_in_a_moment() {
    let scene = Scene::new();
    let name = |n: usize| format!("{n:-<460}");
    let names: Vec<_> = (0..2_000).map(name).collect();
    let operations: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    let mut json = by_operation(1.0, &operations);
    assert!(json.len() < Strategy::MAX_JSON_BYTES);
    json.push_str(&" ".repeat(Strategy::MAX_JSON_BYTES - json.len()));
    let before = Instant::now();
    scene.fetch(Ok(&json));
    println!("1 MiB and 2000 operations took {:?}", before.elapsed());
    // The bar is 50 ms in a release build on an idle machine.
    assert!(before.elapsed() < Duration::from_secs(5));
    let text = scene.state.strategy().unwrap().to_string();
    assert_eq!(
        text,
        "per operation, 2000 listed, else probabilistic 0, lowerbound 1/s"
    );
    json.push(' ');
    scene.fetch(Ok(&json));
    assert_eq!(scene.counts(), [2, 0, 1, 1], "a byte more is refused");
}

#[test]
fn the_tracer_is_not_kept_alive_by_its_sampler() {
    let scene = Scene::new();
    let weak: Weak<()> = Arc::downgrade(&scene.fetcher);
    scene.fetch(Ok(&by_operation(1.0, &[])));
    drop(scene);
    until("everything is dropped", || weak.strong_count() == 0);
}

#[test]
fn the_initial_sampler_is_told_of_the_end_and_ends_with_the_tracer_after_it_was_replaced() {
    struct Initial(mpsc::Sender<&'static str>);
    impl Sampler for Initial {
        fn on_create_span(&self, _: &SpanView<'_>) -> SamplingDecision {
            SamplingDecision::Drop
        }

        fn close(&self) {
            let _ = self.0.send("closed");
        }
    }
    impl Drop for Initial {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
            panic!("an end");
        }
    }
    let (tell, told) = mpsc::channel();
    let mut scene = Scene::with(|sampler| sampler.initial(Initial(tell)));
    scene.fetch(Ok(&probabilistic(1.0)));
    assert_eq!(scene.kept(10), 10);
    assert_eq!(scene.counts(), [1, 0, 1, 0]);
    assert!(told.try_recv().is_err(), "nothing has happened to it");
    scene.tracer.close(LONG);
    assert_eq!(told.recv_timeout(LONG), Ok("closed"));
    assert_eq!(scene.tracer.metrics().get(Counter::CallbackPanics), 0);
    scene.tracer = JaegerTracer::disabled();
    assert_eq!(told.recv_timeout(LONG), Ok("dropped"));
}
