//! The worker of a forked child.

use std::sync::Arc;
use std::time::Instant;

use crate::metrics::{DropCause, DropCounts};
use crate::model::{Process, Tag, tags};
use crate::record::{FinishedSpan, random_id};
use crate::reporter::guarded::guarded;
use crate::reporter::worker::handle::attached_turn;
use crate::reporter::worker::mailbox::Mailbox;
use crate::reporter::worker::turn::WorkerTurn;
use crate::reporter::{Reporter, Unsent};

/// Makes the first turn of a forked child, with a reporter of its own.
pub(super) fn make_turn(mailbox: &Arc<Mailbox>) -> Box<WorkerTurn> {
    let mut options = mailbox.options().clone();
    let made = mailbox
        .after_fork()
        .and_then(|make| guarded(options.services.metrics(), make));
    let reporter = made.unwrap_or_else(|| {
        options.services.diagnostics().warn("no_reporter", || {
            "spans of a forked process are lost: its reporter cannot be made again".to_owned()
        });
        Box::new(NoReporter::default())
    });
    if !options.keeps_uuid {
        let process = with_new_uuid(options.services.process());
        options.services = options.services.with_process(process);
    }
    attached_turn(mailbox, options, reporter)
}

/// The reporter of a forked child whose parent's reporter cannot be made again: counts every span as lost.
#[derive(Default)]
struct NoReporter {
    lost: DropCounts,
}

impl Reporter for NoReporter {
    fn report(&mut self, _: &FinishedSpan<'_>) {
        self.lost.add(DropCause::NoWorker, 1);
    }

    fn flush(&mut self, _: Instant) -> Unsent {
        Unsent::new(self.lost, 0)
    }
}

/// Returns the process with another `client-uuid`, because a forked child numbers its batches from one.
fn with_new_uuid(process: &Process) -> Process {
    let mut process = process.clone();
    for tag in &mut process.tags {
        if tag.key == tags::CLIENT_UUID {
            *tag = Tag::new(tags::CLIENT_UUID, format!("{:x}", random_id().get()));
        }
    }
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_is_another_client_of_its_parents_service() {
        let user = Tag::new("zone", "eu-1");
        let tags = vec![
            user.clone(),
            Tag::new(tags::CLIENT_UUID, "5b2b4e1f9d3a7c60"),
        ];
        let parent = Process::new("shop", tags);
        let child = with_new_uuid(&parent);
        assert_eq!(child.service_name, "shop");
        assert_eq!(child.tags[0], user);
        assert_eq!(child.tags[1].key, parent.tags[1].key);
        assert_ne!(child.tags[1].value, parent.tags[1].value);
        assert_eq!(child.tags.len(), 2);
    }
}
