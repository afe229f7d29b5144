//! Random calls of both APIs on two threads, made twice: with the layer, and with a model that only keeps lists. Both
//! must have the same parents, ends, order of ends, log records, and questions to the sampler.
//!
//! The threads take turns, so every outcome is determined. `PROPTEST_CASES` sets the number of runs.

mod model;
mod real;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;

use self::model::Model;
use self::real::{Guard, World};

/// A call. Its numbers choose among the spans and guards that exist at that time, modulo their number.
#[derive(Clone, Debug)]
enum Action {
    /// Makes a span of `tracing`.
    New(Parent),
    Enter(usize),
    /// Drops a guard of this thread: of a span that was entered, or of one that was activated.
    Leave(usize),
    /// Drops a handle to a span of `tracing`.
    DropHandle(usize),
    Start,
    Activate(usize),
    DropSpan(usize),
    /// Makes a span of `tracing` a child of one of ours.
    SetParent(usize, usize),
    /// Makes a span of `tracing` a child of another one.
    SetTracingParent(usize, usize),
    Event,
    EventOf(usize),
    /// Asks for the active context.
    Look,
    Record(usize),
}

#[derive(Clone, Copy, Debug)]
enum Parent {
    Contextual,
    Root,
    Of(usize),
}

#[derive(Clone, Debug)]
struct Step {
    /// Runs on the second of two threads.
    is_elsewhere: bool,
    action: Action,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = || 0..8_usize;
    let parent = prop_oneof![
        6 => Just(Parent::Contextual),
        1 => Just(Parent::Root),
        2 => n().prop_map(Parent::Of),
    ];
    let action = prop_oneof![
        6 => parent.prop_map(Action::New),
        6 => n().prop_map(Action::Enter),
        6 => n().prop_map(Action::Leave),
        4 => n().prop_map(Action::DropHandle),
        3 => Just(Action::Start),
        3 => n().prop_map(Action::Activate),
        2 => n().prop_map(Action::DropSpan),
        2 => (n(), n()).prop_map(|(span, parent)| Action::SetParent(span, parent)),
        1 => (n(), n()).prop_map(|(span, parent)| Action::SetTracingParent(span, parent)),
        3 => Just(Action::Event),
        1 => n().prop_map(Action::EventOf),
        1 => Just(Action::Look),
        1 => n().prop_map(Action::Record),
    ];
    let step = (any::<bool>(), action).prop_map(|(is_elsewhere, action)| Step {
        is_elsewhere,
        action,
    });
    vec(step, 1..80)
}

/// The state that a program observes after a call.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Nothing,
    /// Whether the span took another parent.
    IsSet(bool),
    /// Whether a span is active.
    IsActive(bool),
}

fn runs() -> Config {
    Config {
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(runs())]

    #[test]
    fn both_apis_give_what_a_simple_model_gives(steps in steps()) {
        run(&steps);
    }
}

fn run(steps: &[Step]) {
    let mut model = Model::default();
    let world = Mutex::new(World::new());
    let dispatch = world.lock().expect("not poisoned").dispatch.clone();
    thread::scope(|threads| {
        let (ask, asked) = channel::<Action>();
        let (answer, answers) = channel();
        let (world, elsewhere) = (&world, dispatch.clone());
        threads.spawn(move || {
            tracing::dispatcher::with_default(&elsewhere, || work(world, &asked, answer));
        });
        tracing::dispatcher::with_default(&dispatch, || {
            let mut guards = Vec::new();
            let mut both = |is_elsewhere: bool, action: &Action| {
                let seen = if is_elsewhere {
                    ask.send(action.clone()).expect("the other thread lives");
                    answers.recv().expect("the other thread has not panicked")
                } else {
                    act(world, &mut guards, action)
                };
                assert_eq!(seen, model.act(is_elsewhere, action), "{action:?}");
                model.has_guards(is_elsewhere)
            };
            for step in steps {
                both(step.is_elsewhere, &step.action);
            }
            for is_elsewhere in [false, true] {
                while both(is_elsewhere, &Action::Leave(0)) {}
            }
            for _ in 0..steps.len() {
                both(false, &Action::DropSpan(0));
                both(false, &Action::DropHandle(0));
            }
        });
        drop(ask);
    });
    world.into_inner().expect("not poisoned").compare(&model);
}

/// Runs the second thread: it carries out the actions that it receives, with guards of its own.
fn work(world: &Mutex<World>, asked: &Receiver<Action>, answer: Sender<Seen>) {
    let mut guards = Vec::new();
    for action in asked {
        if answer.send(act(world, &mut guards, &action)).is_err() {
            return;
        }
    }
}

fn act(world: &Mutex<World>, guards: &mut Vec<Guard>, action: &Action) -> Seen {
    world.lock().expect("not poisoned").act(guards, action)
}
