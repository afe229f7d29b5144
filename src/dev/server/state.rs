use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock::instant_now;
use crate::decode::{ReceivedBatch, datagram_in};
use crate::dev::printing::printer::{Footer, Printer};
use crate::dev::printing::schedule::{PrintSchedule, PrintStep};
use crate::dev::store::TraceStore;
use crate::dev::strategies::ServedStrategies;
use crate::thrift::Protocol;
use crate::view::OpenSpan;
use crate::watch::OpenSpans;

/// The state that the threads of the server share.
#[derive(Debug)]
pub(crate) struct ServerState {
    /// Where marks come from.
    marker: SocketAddr,
    /// Where traces can be read.
    query: SocketAddr,
    /// The open spans of this program's tracers.
    pub(crate) open_spans: OpenSpans,
    strategies: Option<Arc<ServedStrategies>>,
    progress: Mutex<Progress>,
    /// Notified when a span has come, a mark has been seen, or it is time to stop.
    changed: Condvar,
    /// Notified as well, for the views that show traces as they come.
    news: watch::Sender<()>,
    /// Never locked together with `progress`: a writer may block.
    printer: Mutex<Option<Printer>>,
}

/// The traces, and how far receiving and printing have come.
#[derive(Debug)]
pub(crate) struct Progress {
    store: TraceStore,
    schedule: PrintSchedule,
    is_printing: bool,
    /// A picture is being drawn and written.
    is_drawing: bool,
    /// The latest mark that was read from the compact and the binary socket.
    marks_seen: [u64; 2],
    is_stopping: bool,
}

impl Progress {
    /// Returns how many spans have come since the start.
    pub(crate) fn received(&self) -> u64 {
        self.store.totals().received
    }

    /// Returns whether both sockets have been read up to that mark.
    pub(crate) fn has_seen(&self, mark: u64) -> bool {
        self.marks_seen.iter().all(|&seen| seen >= mark)
    }

    /// Returns whether every trace that has come is printed.
    pub(crate) fn has_printed(&self) -> bool {
        let is_done =
            !self.is_drawing && self.schedule.is_empty() && self.store.unshown().is_empty();
        is_done || !self.is_printing
    }
}

impl ServerState {
    /// Returns the state of a server that receives its marks from `marker`, shows its traces at `query`, and tells the
    /// strategies of what comes.
    pub(crate) fn new(
        store: TraceStore,
        printer: Option<Printer>,
        strategies: Option<Arc<ServedStrategies>>,
        marker: SocketAddr,
        query: SocketAddr,
    ) -> Self {
        Self {
            marker,
            query,
            open_spans: OpenSpans::new(),
            strategies,
            progress: Mutex::new(Progress {
                store,
                schedule: PrintSchedule::default(),
                is_printing: printer.is_some(),
                is_drawing: false,
                marks_seen: [0; 2],
                is_stopping: false,
            }),
            changed: Condvar::new(),
            news: watch::Sender::new(()),
            printer: Mutex::new(printer),
        }
    }

    /// Stores batches.
    pub(crate) fn insert(&self, batches: impl IntoIterator<Item = ReceivedBatch>) {
        let now = instant_now();
        self.change(|progress| {
            for batch in batches {
                if let Some(strategies) = &self.strategies {
                    strategies.record(&batch);
                }
                progress.store.insert(batch, now);
            }
        });
    }

    /// Counts a datagram or body that could not be read.
    pub(crate) fn count_undecodable(&self) {
        self.change(|progress| progress.store.count_undecodable());
    }

    /// Records a span of this process that has started.
    pub(crate) fn note_open(&self, span: OpenSpan) {
        // No thread waits for this: a span that starts brings no trace to rest.
        self.lock().store.note_open(span);
    }

    /// Drops all traces.
    pub(crate) fn clear(&self) {
        self.change(|progress| progress.store.clear());
    }

    /// Prints by this printer from now on.
    pub(crate) fn print_to(&self, printer: Printer) {
        *self.printer() = Some(printer);
        self.change(|progress| progress.is_printing = true);
    }

    /// Returns whether traces are drawn.
    pub(crate) fn is_printing(&self) -> bool {
        self.lock().is_printing
    }

    /// Asks every waiting thread to stop.
    pub(crate) fn stop(&self) {
        self.change(|progress| progress.is_stopping = true);
    }

    /// Calls a function with the store, which is locked meanwhile: programs wait for it when they start a trace.
    ///
    /// The function copies what it needs. To look through spans is for the time after, see [`assert_unlocked`].
    pub(crate) fn look<R>(&self, look: impl FnOnce(&TraceStore) -> R) -> R {
        let progress = self.lock();
        while_locked(|| look(&progress.store))
    }

    /// Returns a receiver that is woken by each change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// Waits until `is_so` holds. Returns false if it does not by the deadline.
    pub(crate) fn wait_until(&self, deadline: Instant, is_so: impl Fn(&Progress) -> bool) -> bool {
        let mut progress = self.lock();
        while !is_so(&progress) {
            let left = deadline.saturating_duration_since(instant_now());
            if left.is_zero() {
                return false;
            }
            progress = self.wait(progress, Some(left));
        }
        true
    }

    /// Reads datagrams until it is time to stop.
    pub(crate) fn receive(&self, socket: &UdpSocket, protocol: Protocol) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let received = socket.recv_from(&mut buffer);
            // Checked after every datagram: a full socket drops the mark that should wake this thread.
            if self.lock().is_stopping {
                return;
            }
            match received {
                Ok((len, from)) => {
                    let bytes = buffer.get(..len).unwrap_or_default();
                    match bytes.try_into().map(u64::from_be_bytes) {
                        Ok(mark) if from == self.marker => self.see_mark(protocol, mark),
                        _ => match datagram_in(protocol, bytes) {
                            Ok(batch) => self.insert([batch]),
                            Err(_) => self.count_undecodable(),
                        },
                    }
                }
                // An error concerns one datagram. If it persists, the pause keeps this thread from spinning.
                Err(_) => thread::park_timeout(Duration::from_millis(10)),
            }
        }
    }

    /// Prints traces when they are at rest, until it is time to stop.
    pub(crate) fn print(&self) {
        let mut progress = self.lock();
        while !progress.is_stopping {
            let now = instant_now();
            let step = match &mut *progress {
                Progress {
                    store,
                    schedule,
                    is_printing: true,
                    ..
                } => schedule.next(store, now),
                _ => PrintStep::Wait(None),
            };
            progress = match step {
                PrintStep::Wait(until) => {
                    self.wait(progress, until.map(|at| at.saturating_duration_since(now)))
                }
                PrintStep::Print(trace_id, skipped) => {
                    let footer = Footer {
                        query: Some(self.query),
                        totals: progress.store.totals(),
                    };
                    let trace = progress.store.trace(trace_id);
                    progress.is_drawing = true;
                    drop(progress);
                    if let (Some(trace), Some(printer)) = (trace, self.printer().as_mut()) {
                        printer.print(&trace, &footer);
                        printer.print_skipped(skipped);
                    }
                    self.change(|progress| progress.is_drawing = false);
                    self.lock()
                }
            };
        }
    }

    /// Prints the remaining traces when the server ends.
    pub(crate) fn print_remaining(&self) {
        let mut printer = self.printer();
        let Some(printer) = printer.as_mut() else {
            return;
        };
        let (traces, more, footer) = {
            let mut progress = self.lock();
            let Progress {
                store, schedule, ..
            } = &mut *progress;
            let (ids, more) = schedule.last(store);
            let traces: Vec<_> = ids.into_iter().filter_map(|id| store.trace(id)).collect();
            let footer = Footer {
                query: None,
                totals: store.totals(),
            };
            (traces, more, footer)
        };
        for trace in &traces {
            printer.print(trace, &footer);
        }
        printer.print_skipped(more);
    }

    fn see_mark(&self, protocol: Protocol, mark: u64) {
        self.change(|progress| {
            let seen = &mut progress.marks_seen[usize::from(protocol == Protocol::Binary)];
            *seen = mark.max(*seen);
        });
    }

    fn change<R>(&self, change: impl FnOnce(&mut Progress) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        self.news.send_replace(());
        result
    }

    fn wait<'a>(
        &self,
        progress: MutexGuard<'a, Progress>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, Progress> {
        match timeout {
            Some(timeout) => {
                let result = self.changed.wait_timeout(progress, timeout);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self
                .changed
                .wait(progress)
                .unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn printer(&self) -> MutexGuard<'_, Option<Printer>> {
        self.printer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of the largest UDP datagram.
const MAX_DATAGRAM: usize = 65_536;

#[cfg(not(test))]
pub(crate) use self::unwatched::assert_unlocked;
#[cfg(not(test))]
use self::unwatched::while_locked;
#[cfg(test)]
pub(crate) use self::watched::assert_unlocked;
#[cfg(test)]
use self::watched::while_locked;

/// The lock of the store as programs have it.
#[cfg(not(test))]
mod unwatched {
    pub(super) fn while_locked<R>(look: impl FnOnce() -> R) -> R {
        look()
    }

    /// Does nothing. In tests it panics in a thread that has locked the store.
    pub(crate) fn assert_unlocked() {}
}

/// The lock of the store, whose thread is known.
#[cfg(test)]
mod watched {
    use std::cell::Cell;

    thread_local! {
        static IS_LOCKED: Cell<bool> = const { Cell::new(false) };
    }

    pub(super) fn while_locked<R>(look: impl FnOnce() -> R) -> R {
        IS_LOCKED.set(true);
        let result = look();
        IS_LOCKED.set(false);
        result
    }

    pub(crate) fn assert_unlocked() {
        assert!(
            !IS_LOCKED.get(),
            "spans are looked through while the store is locked"
        );
    }
}
