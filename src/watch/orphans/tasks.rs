//! The tasks of a tokio runtime that were spawned while something was active.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::runtime::{Builder, TaskMeta};
use tokio::task::Id;

use crate::watch::Orphans;
use crate::watch::orphans::loss::{self, Loss};

impl Orphans {
    /// Watches the tasks of a runtime that is about to be built: a trace that is lost over `tokio::spawn` is proven,
    /// with the place of the spawn.
    ///
    /// It uses the runtime's hooks `on_task_spawn`, `on_before_task_poll`, `on_after_task_poll` and
    /// `on_task_terminate`. A runtime has one function for each, so hooks of yours must be set later, or not at all; to
    /// have both, call the methods of [`TaskHooks`] in yours. Work of `spawn_blocking` and of a `LocalSet` is not
    /// watched, because tokio does not tell of it. At most 10 000 tasks are watched at a time; others are as if they
    /// were not watched.
    ///
    /// Only in builds with `--cfg tokio_unstable`, as tokio has these hooks only there.
    ///
    /// ```
    /// use tracehound::JaegerTracer;
    /// use tracehound::diagnostics::Diagnostics;
    /// use tracehound::prelude::*;
    /// use tracehound::watch::Orphans;
    ///
    /// let orphans = Orphans::new();
    /// let builder = JaegerTracer::builder("shop").diagnostics(Diagnostics::silent());
    /// let tracer = builder.observer(orphans.clone()).build()?;
    /// let runtime = orphans.watch(&mut tokio::runtime::Builder::new_current_thread()).build()?;
    /// runtime.block_on(async {
    ///     let in_task = tracer.clone();
    ///     let charge = async move { in_task.start_span("charge").finish() };
    ///     let task = tracer.start_span("checkout").in_scope(|| tokio::spawn(charge));
    ///     task.await
    /// })?;
    /// assert_eq!(orphans.proven(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch<'b>(&self, runtime: &'b mut Builder) -> &'b mut Builder {
        let hooks = TaskHooks::new();
        let [spawned, begins, ends, over] = [(); 4].map(|()| hooks.clone());
        runtime
            .on_task_spawn(move |task| spawned.spawned(task))
            .on_before_task_poll(move |task| begins.poll_begins(task))
            .on_after_task_poll(move |task| ends.poll_ends(task))
            .on_task_terminate(move |task| over.terminated(task))
    }
}

/// The hooks that [`Orphans::watch`] sets, for a runtime that has hooks of its own. Cheap to clone; clones share the
/// tasks.
///
/// Each method belongs into the hook that it names. None of them panics. They wait for each other only while a
/// task is added or removed.
#[derive(Clone, Debug, Default)]
pub struct TaskHooks {
    tasks: Arc<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    marks: RwLock<HashMap<Id, Arc<Loss>>>,
    /// Their number. Most programs lose nothing, and look no further.
    len: AtomicUsize,
}

impl TaskHooks {
    /// Makes hooks that know of no task.
    pub fn new() -> Self {
        Self::default()
    }

    /// Belongs into `on_task_spawn`.
    pub fn spawned(&self, task: &TaskMeta<'_>) {
        if let Some(mark) = Loss::of_work_spawned_at(task.spawned_at()) {
            let marks = self.tasks.marks.write();
            let mut marks = marks.unwrap_or_else(PoisonError::into_inner);
            if marks.len() < MAX_TASKS {
                marks.insert(task.id(), mark);
                self.tasks.len.store(marks.len(), Ordering::Relaxed);
            }
        }
    }

    /// Belongs into `on_before_task_poll`.
    pub fn poll_begins(&self, task: &TaskMeta<'_>) {
        // A task is scheduled after its hook has run, so its own mark is seen here.
        let mark = match self.tasks.len.load(Ordering::Relaxed) {
            0 => None,
            _ => {
                let marks = self.tasks.marks.read();
                let marks = marks.unwrap_or_else(PoisonError::into_inner);
                marks.get(&task.id()).cloned()
            }
        };
        drop(loss::set(mark));
    }

    /// Belongs into `on_after_task_poll`.
    pub fn poll_ends(&self, _: &TaskMeta<'_>) {
        drop(loss::set(None));
    }

    /// Belongs into `on_task_terminate`.
    pub fn terminated(&self, task: &TaskMeta<'_>) {
        if self.tasks.len.load(Ordering::Relaxed) > 0 {
            let marks = self.tasks.marks.write();
            let mut marks = marks.unwrap_or_else(PoisonError::into_inner);
            let mark = marks.remove(&task.id());
            self.tasks.len.store(marks.len(), Ordering::Relaxed);
            drop(marks);
            drop(mark);
        }
    }
}

const MAX_TASKS: usize = 10_000;
