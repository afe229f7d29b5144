//! A request to the worker as a future.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::reporter::worker::mailbox::waiters::{Ticket, WaiterKey};
use crate::reporter::worker::mailbox::{Mailbox, Request};

/// A future that ends when a request is served or its time is up. It leaves the request when it is first polled.
///
/// If it is dropped after that, the worker serves the request all the same.
#[must_use = "nothing is asked until it is polled"]
pub(in crate::reporter::worker) struct Served {
    mailbox: Arc<Mailbox>,
    request: Request,
    timeout: Duration,
    key: WaiterKey,
    ticket: Option<Ticket>,
}

impl Mailbox {
    /// Returns a future that asks the worker for something, and ends with whether that was done in time.
    pub(in crate::reporter::worker) fn served(
        self: &Arc<Self>,
        request: Request,
        timeout: Duration,
    ) -> Served {
        Served {
            mailbox: self.clone(),
            request,
            timeout,
            key: WaiterKey::new(),
            ticket: None,
        }
    }
}

impl Future for Served {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let ticket = match self.ticket {
            Some(ticket) => ticket,
            None => match self.mailbox.leave(self.request, self.timeout) {
                Some(ticket) => *self.ticket.insert(ticket),
                None => return Poll::Ready(true),
            },
        };
        // Wakers are user code, and so they are cloned and dropped without the lock.
        let waker = context.waker().clone();
        let mut state = self.mailbox.lock();
        if let Some(is_served) = state.outcome(ticket) {
            return Poll::Ready(is_served);
        }
        let replaced = state.waiters.add(self.key, ticket, waker);
        drop(state);
        drop(replaced);
        self.mailbox.attend();
        Poll::Pending
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.ticket.is_none() {
            return;
        }
        let waker = self.mailbox.lock().waiters.remove(self.key);
        if waker.is_some() {
            // The thread that keeps its deadline may end.
            self.mailbox.process_state().wakes_callers.notify_all();
        }
    }
}
