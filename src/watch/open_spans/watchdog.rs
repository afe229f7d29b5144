//! The watchdog: looks for spans that are open too long, on the poller's thread of a tracer.

use std::sync::{Arc, OnceLock};

use crate::poller::{Poller, PollerTask};
use crate::services::Services;
use crate::sync::PerProcess;
use crate::watch::open_spans::shared::Shared;

/// The task of one tracer. It ends when the tracer is closed or dropped.
pub(super) struct Watchdog {
    poller: Poller,
    shared: Arc<Shared>,
    /// A forked child has no thread, so it adds a task of its own at its first span.
    task: PerProcess<OnceLock<PollerTask>>,
}

impl Watchdog {
    /// Adds the task and starts the poller's thread.
    pub(super) fn start(services: &Services, shared: &Arc<Shared>) -> Self {
        let watchdog = Self {
            poller: services.poller().clone(),
            shared: shared.clone(),
            task: PerProcess::new(OnceLock::new()),
        };
        watchdog.ensure_task();
        watchdog
    }

    /// Adds the task if this process has none. The rest of the time this reads two words.
    pub(super) fn ensure_task(&self) {
        self.task.get(|_| OnceLock::new()).get_or_init(|| {
            let shared = self.shared.clone();
            let look = move || Some(shared.look().1);
            let task = self
                .poller
                .add("the watchdog of open spans", Box::new(look));
            task.ensure_thread();
            task
        });
    }
}
