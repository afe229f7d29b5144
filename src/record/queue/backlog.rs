//! Finished spans that the worker has taken and has not yet reported.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::record::queue::finished_span::FinishedSpan;
use crate::record::queue::thread_queue::ThreadQueue;
use crate::record::queue::thread_queue::chunk::Chunk;
use crate::sync::generation;

/// Chunks of several thread queues, in the order in which the worker took them.
///
/// The budget keeps charging a chunk until its last span is reported, so spans that wait here still count against it.
#[derive(Default)]
pub(crate) struct Backlog {
    queues: VecDeque<(Arc<ThreadQueue>, VecDeque<Chunk>)>,
    taken: u64,
    done: u64,
}

/// A position in a [`Backlog`]: the end of all that the worker had taken at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BacklogMark(u64);

impl Backlog {
    /// Adds chunks that were taken from a thread queue.
    pub(crate) fn add(&mut self, thread_queue: Arc<ThreadQueue>, chunks: VecDeque<Chunk>) {
        if chunks.is_empty() {
            thread_queue.keep(chunks);
        } else {
            self.taken += 1;
            self.queues.push_back((thread_queue, chunks));
        }
    }

    /// Hands the spans before `mark` to `report` until it returns false. Returns how many it handed over. Chunks that
    /// are read go back to their thread queues.
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
                // A reporter may have forked. In the forked child the thread queue belongs to another process.
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

    /// Drops all chunks, read or not, and gives their memory back.
    pub(crate) fn abandon(&mut self) {
        for (thread_queue, chunks) in self.queues.drain(..) {
            for chunk in chunks {
                thread_queue.recycle(chunk);
            }
        }
        self.done = self.taken;
    }

    /// Returns whether every span that was taken has been reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Returns the end of all that has been taken so far.
    pub(crate) fn end(&self) -> BacklogMark {
        BacklogMark(self.taken)
    }

    /// Returns whether every span before `mark` has been reported.
    pub(crate) fn is_past(&self, mark: BacklogMark) -> bool {
        BacklogMark(self.done) >= mark
    }
}

impl fmt::Debug for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Backlog({} of {})", self.done, self.taken)
    }
}
