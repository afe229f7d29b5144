//! What a worker needs in the child of a `fork`.

use std::time::Instant;

use crate::metrics::{DropCause, DropCounts};
use crate::model::{Process, Tag, tags};
use crate::record::{FinishedSpan, random_id};
use crate::reporter::{Reporter, Unsent};

/// Stands for a reporter that cannot be made again in a forked child.
#[derive(Default)]
pub(super) struct NoReporter {
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

/// The process as its agent is to know it beside the one that it was forked from, whose batches have numbers of their
/// own.
pub(super) fn renamed(process: &Process) -> Process {
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
    fn a_child_is_another_client_of_the_same_service() {
        let user = Tag::new("zone", "eu-1");
        let tags = vec![
            user.clone(),
            Tag::new(tags::CLIENT_UUID, "5b2b4e1f9d3a7c60"),
        ];
        let parent = Process::new("shop", tags);
        let child = renamed(&parent);
        assert_eq!(child.service_name, "shop");
        assert_eq!(child.tags[0], user);
        assert_eq!(child.tags[1].key, parent.tags[1].key);
        assert_ne!(child.tags[1].value, parent.tags[1].value);
        assert_eq!(child.tags.len(), 2);
    }
}
