use std::cell::Cell;
use std::sync::mpsc;

use super::*;
use crate::clock::deadline_after;

thread_local! {
    /// This thread cannot start a poller's thread.
    pub(crate) static NO_THREADS: Cell<bool> = const { Cell::new(false) };
}

fn poller() -> (Poller, mpsc::Receiver<String>) {
    let (sender, lines) = mpsc::channel();
    let diagnostics = Diagnostics::with_handler(move |line| {
        let _ = sender.send(line.to_owned());
    });
    (Poller::new(Metrics::default(), diagnostics), lines)
}

/// Says when it is dropped, and on which thread.
struct Owned(mpsc::Sender<Option<String>>);

impl Drop for Owned {
    fn drop(&mut self) {
        let thread = thread::current();
        let _ = self.0.send(thread.name().map(str::to_owned));
    }
}

fn has_thread(poller: &Poller) -> bool {
    poller.inner.lock().has_thread
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = deadline_after(LONG);
    while !is_so() {
        assert!(instant_now() < deadline, "{what}");
        thread::yield_now();
    }
}

#[test]
fn tasks_run_at_once_and_then_after_the_pauses_that_they_ask_for() {
    let (poller, _lines) = poller();
    let (tell, told) = mpsc::channel();
    let task = |name: &'static str, pauses: Vec<Option<Duration>>| -> RunTask {
        let (tell, mut pauses) = (tell.clone(), pauses.into_iter());
        Box::new(move || {
            let _ = tell.send(name);
            pauses.next().flatten()
        })
    };
    let now = Some(Duration::ZERO);
    let seldom = poller.add("seldom", task("seldom", vec![Some(LONG)]));
    let often = poller.add("often", task("often", vec![now, now, None]));
    assert!(!has_thread(&poller), "no thread before it is asked for");
    assert!(seldom.ensure_thread());
    assert!(often.ensure_thread());
    let mut runs: Vec<_> = (0..4)
        .map(|_| told.recv_timeout(LONG).expect("a run"))
        .collect();
    runs.sort_unstable();
    assert_eq!(runs, ["often", "often", "often", "seldom"]);
    drop(often);
    assert!(has_thread(&poller), "one task is left");
    drop(seldom);
    wait_until("the thread ends with the last task", || {
        !has_thread(&poller)
    });
    let again = poller.add("again", task("again", vec![None]));
    assert!(again.ensure_thread());
    assert_eq!(told.recv_timeout(LONG), Ok("again"));
}

#[test]
fn a_panic_of_a_task_is_counted_and_the_others_go_on() {
    let (poller, lines) = poller();
    let (tell, told) = mpsc::channel();
    let bad = poller.add("the bad task", Box::new(|| panic!("a task")));
    let good = poller.add(
        "the good task",
        Box::new(move || tell.send(()).ok().map(|()| Duration::from_millis(1))),
    );
    assert!(bad.ensure_thread());
    for _ in 0..3 {
        told.recv_timeout(LONG).expect("a run");
    }
    assert_eq!(poller.inner.metrics.get(Counter::CallbackPanics), 1);
    assert_eq!(
        lines.recv_timeout(LONG).expect("a line"),
        "the bad task panicked"
    );
    drop((bad, good));
}

#[test]
fn close_does_not_wait_for_a_run_and_the_thread_ends_after_it() {
    let (poller, _lines) = poller();
    let (started, has_started) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel::<()>();
    let (gone, has_gone) = mpsc::channel();
    let owned = Owned(gone.clone());
    let running = poller.add(
        "running",
        Box::new(move || {
            let _ = (&owned, started.send(()));
            let _ = may_go_on.recv_timeout(LONG);
            Some(LONG)
        }),
    );
    assert!(running.ensure_thread());
    has_started.recv_timeout(LONG).expect("it runs");
    let owned = Owned(gone);
    let waiting = poller.add(
        "waiting",
        Box::new(move || {
            let _ = &owned;
            Some(LONG)
        }),
    );
    poller.close();
    assert!(has_thread(&poller), "close has not waited for the run");
    assert!(has_gone.try_recv().is_err());
    go_on.send(()).expect("it still runs");
    for _ in 0..2 {
        let thread = has_gone.recv_timeout(LONG).expect("both are dropped");
        assert_eq!(thread.as_deref(), Some("tracehound-poller"));
    }
    wait_until("the thread ends", || !has_thread(&poller));
    drop((running, waiting));
}

#[test]
fn a_task_after_close_never_runs_and_is_dropped() {
    let (poller, _lines) = poller();
    poller.close();
    let (gone, has_gone) = mpsc::channel();
    let owned = Owned(gone);
    let task = poller.add("late", Box::new(move || panic!("{:p} ran", &owned)));
    assert!(task.ensure_thread());
    assert!(!has_thread(&poller));
    drop(task);
    assert!(has_gone.try_recv().is_ok());
    assert!(poller.inner.lock().tasks.is_empty());
}

#[test]
fn a_task_without_a_thread_is_dropped_with_its_owner() {
    let (poller, _lines) = poller();
    let (gone, has_gone) = mpsc::channel();
    let owned = Owned(gone);
    let task = poller.add(
        "idle",
        Box::new(move || {
            let _ = &owned;
            None
        }),
    );
    assert!(task.is_of_this_process());
    drop(task);
    assert!(has_gone.try_recv().is_ok());
}

const LONG: Duration = Duration::from_secs(30);
