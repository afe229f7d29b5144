//! Finished spans that the worker has taken from their threads and has not reported yet.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::thread_queue::{Chunk, ThreadQueue};
use crate::sync::generation;

/// Chunks of several thread queues, in the order in which they were taken.
///
/// Their memory stays charged to the budget until their last span is reported: spans that wait here count as waiting.
#[derive(Default)]
pub(crate) struct Backlog {
    queues: VecDeque<(Arc<ThreadQueue>, VecDeque<Chunk>)>,
    taken: u64,
    done: u64,
}

/// A place in a [`Backlog`]: the end of what had been taken at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BacklogMark(u64);

impl Backlog {
    /// Adds what was taken from a thread queue.
    pub(crate) fn add(&mut self, thread_queue: Arc<ThreadQueue>, chunks: VecDeque<Chunk>) {
        if chunks.is_empty() {
            thread_queue.keep(chunks);
        } else {
            self.taken += 1;
            self.queues.push_back((thread_queue, chunks));
        }
    }

    /// Hands spans before `mark` to `report` until it returns false; returns how many it got. Chunks that are read go back
    /// to their thread queues.
    pub(crate) fn read_on(
        &mut self,
        mark: BacklogMark,
        mut report: impl FnMut(FinishedSpan<'_>) -> bool,
    ) -> u64 {
        let (mut count, process, mut wants_more) = (0, generation(), true);
        while !self.is_past(mark)
            && let Some((thread_queue, chunks)) = self.queues.front_mut()
        {
            while let Some(chunk) = chunks.front_mut() {
                let is_read = chunk.frames().read_on(|span| {
                    count += 1;
                    wants_more = report(span);
                    wants_more
                });
                // A reporter may have forked: in the child the thread queue is another process's.
                if generation() != process {
                    return count;
                }
                if is_read && let Some(chunk) = chunks.pop_front() {
                    thread_queue.recycle(chunk);
                }
                if !wants_more && !chunks.is_empty() {
                    return count;
                }
            }
            if let Some((thread_queue, chunks)) = self.queues.pop_front() {
                thread_queue.keep(chunks);
                self.done += 1;
            }
            if !wants_more {
                return count;
            }
        }
        count
    }

    /// Gives the memory of all chunks back, read or not.
    pub(crate) fn abandon(&mut self) {
        for (thread_queue, chunks) in self.queues.drain(..) {
            for chunk in chunks {
                thread_queue.recycle(chunk);
            }
        }
        self.done = self.taken;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// The end of what has been taken so far.
    pub(crate) fn end(&self) -> BacklogMark {
        BacklogMark(self.taken)
    }

    /// Whether every span before `mark` has been reported.
    pub(crate) fn is_past(&self, mark: BacklogMark) -> bool {
        BacklogMark(self.done) >= mark
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backlog({} of {})", self.done, self.taken)
    }
}
