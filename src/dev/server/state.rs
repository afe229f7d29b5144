use std::net::{SocketAddr, UdpSocket};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::instant_now;
use crate::dev::store::Store;
use crate::dev::store::trace::OpenSpan;
use crate::dev::view::printer::{Foot, Output, Turn, Turns};
use crate::thrift::{Batch, Protocol, decode_message};

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    marker: SocketAddr,
    query: SocketAddr,
    state: Mutex<State>,
    /// A span has come, a mark has been seen, or it is time to stop.
    changed: Condvar,
    /// Never locked together with the state: a writer may block.
    output: Mutex<Option<Output>>,
}

#[derive(Debug)]
pub(crate) struct State {
    store: Store,
    turns: Turns,
    is_printing: bool,
    /// A picture is on its way to the output.
    is_drawing: bool,
    marks_seen: [u64; 2],
    is_stopping: bool,
}

impl State {
    /// How many spans have come since the start.
    pub(crate) fn received(&self) -> u64 {
        self.store.totals().received
    }

    /// Whether both sockets have been read up to that mark.
    pub(crate) fn has_seen(&self, mark: u64) -> bool {
        self.marks_seen.iter().all(|&seen| seen >= mark)
    }

    /// Whether nothing that has come is still to be printed.
    pub(crate) fn has_printed(&self) -> bool {
        let is_done = !self.is_drawing && self.turns.is_empty() && self.store.unshown().is_empty();
        is_done || !self.is_printing
    }
}

impl Shared {
    /// Marks come from `marker`; traces can be read at `query`.
    pub(crate) fn new(
        store: Store,
        output: Option<Output>,
        marker: SocketAddr,
        query: SocketAddr,
    ) -> Self {
        Self {
            marker,
            query,
            state: Mutex::new(State {
                store,
                turns: Turns::default(),
                is_printing: output.is_some(),
                is_drawing: false,
                marks_seen: [0; 2],
                is_stopping: false,
            }),
            changed: Condvar::new(),
            output: Mutex::new(output),
        }
    }

    /// Takes a batch in.
    pub(crate) fn insert(&self, batch: Batch) {
        self.change(|state| state.store.insert(batch, instant_now()));
    }

    /// Counts what could not be read.
    pub(crate) fn count_undecodable(&self) {
        self.change(|state| state.store.count_undecodable());
    }

    /// Remembers a span of this process that has started.
    pub(crate) fn note_open(&self, span: OpenSpan) {
        // No notice to anybody: a span that has started brings no trace to rest.
        self.lock().store.note_open(span);
    }

    /// Forgets all traces.
    pub(crate) fn clear(&self) {
        self.change(|state| state.store.clear());
    }

    /// Prints there from now on.
    pub(crate) fn print_to(&self, output: Output) {
        *self.output() = Some(output);
        self.change(|state| state.is_printing = true);
    }

    /// Has all threads come to an end that wait here.
    pub(crate) fn stop(&self) {
        self.change(|state| state.is_stopping = true);
    }

    /// Looks into the store.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Store) -> R) -> R {
        look(&self.lock().store)
    }

    /// Waits until `is_so`, or until the deadline; false then.
    pub(crate) fn wait_until(&self, deadline: Instant, is_so: impl Fn(&State) -> bool) -> bool {
        let mut state = self.lock();
        while !is_so(&state) {
            let left = deadline.saturating_duration_since(instant_now());
            if left.is_zero() {
                return false;
            }
            state = self.wait(state, Some(left));
        }
        true
    }

    /// Reads datagrams until it is time to stop.
    pub(crate) fn receive(&self, socket: &UdpSocket, protocol: Protocol) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let received = socket.recv_from(&mut buffer);
            // Looked at after every datagram: the mark that is to wake this thread is lost when the socket is full.
            if self.lock().is_stopping {
                return;
            }
            match received {
                Ok((len, from)) => {
                    let bytes = buffer.get(..len).unwrap_or_default();
                    match bytes.try_into().map(u64::from_be_bytes) {
                        Ok(mark) if from == self.marker => self.see_mark(protocol, mark),
                        _ => match decode_message(protocol, bytes) {
                            Ok(message) => self.insert(message.batch),
                            Err(_) => self.count_undecodable(),
                        },
                    }
                }
                // Errors are of single datagrams; should one stay, it must not cost a processor.
                Err(_) => thread::park_timeout(Duration::from_millis(10)),
            }
        }
    }

    /// Prints traces as they come to rest, until it is time to stop.
    pub(crate) fn print(&self) {
        let mut state = self.lock();
        while !state.is_stopping {
            let now = instant_now();
            let turn = match &mut *state {
                State {
                    store,
                    turns,
                    is_printing: true,
                    ..
                } => turns.next(store, now),
                _ => Turn::Wait(None),
            };
            state = match turn {
                Turn::Wait(until) => {
                    self.wait(state, until.map(|at| at.saturating_duration_since(now)))
                }
                Turn::Print(trace_id, skipped) => {
                    let foot = Foot {
                        query: Some(self.query),
                        totals: state.store.totals(),
                    };
                    let trace = state.store.trace(trace_id);
                    state.is_drawing = true;
                    drop(state);
                    if let (Some(trace), Some(output)) = (trace, self.output().as_mut()) {
                        output.print(&trace, &foot);
                        output.print_skipped(skipped);
                    }
                    self.change(|state| state.is_drawing = false);
                    self.lock()
                }
            };
        }
    }

    /// Prints what the end has found unprinted.
    pub(crate) fn print_what_is_left(&self) {
        let mut output = self.output();
        let Some(output) = output.as_mut() else {
            return;
        };
        let (traces, more, foot) = {
            let mut state = self.lock();
            let State { store, turns, .. } = &mut *state;
            let (ids, more) = turns.last(store);
            let traces: Vec<_> = ids.into_iter().filter_map(|id| store.trace(id)).collect();
            let foot = Foot {
                query: None,
                totals: store.totals(),
            };
            (traces, more, foot)
        };
        for trace in &traces {
            output.print(trace, &foot);
        }
        output.print_skipped(more);
    }

    fn see_mark(&self, protocol: Protocol, mark: u64) {
        self.change(|state| {
            let seen = &mut state.marks_seen[usize::from(protocol == Protocol::Binary)];
            *seen = mark.max(*seen);
        });
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    fn wait<'a>(
        &self,
        state: MutexGuard<'a, State>,
        timeout: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match timeout {
            Some(timeout) => {
                let result = self.changed.wait_timeout(state, timeout);
                result.unwrap_or_else(PoisonError::into_inner).0
            }
            None => self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn output(&self) -> MutexGuard<'_, Option<Output>> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The largest there are.
const MAX_DATAGRAM: usize = 65_536;
