use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::future::BoxFuture;
use sqlx::Error;

/// A stream of the items that a future hands over on its way. The future may keep what they come from.
pub(super) struct Steps<'e, T> {
    /// None after its end.
    work: Option<BoxFuture<'e, Result<(), Error>>>,
    slot: Slot<T>,
}

impl<'e, T> Steps<'e, T> {
    pub(super) fn new<F>(work: impl FnOnce(Slot<T>) -> F) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'e,
    {
        let slot = Slot(Arc::default());
        let work = work(Slot(slot.0.clone()));
        Self {
            work: Some(Box::pin(work)),
            slot,
        }
    }
}

impl<T> Stream for Steps<'_, T> {
    type Item = Result<T, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(work) = &mut this.work else {
            return Poll::Ready(None);
        };
        let polled = work.as_mut().poll(cx);
        if let Some(item) = this.slot.take() {
            return Poll::Ready(Some(Ok(item)));
        }
        let Poll::Ready(ended) = polled else {
            return Poll::Pending;
        };
        this.work = None;
        Poll::Ready(ended.err().map(Err))
    }
}

/// The place of one item between a future and its stream.
pub(super) struct Slot<T>(Arc<Mutex<Option<T>>>);

impl<T> Slot<T> {
    /// Hands an item over. Nobody wakes the future then: the stream polls it for the next item.
    pub(super) async fn put(&self, item: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(item);
        let mut has_waited = false;
        poll_fn(|_| match mem::replace(&mut has_waited, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::task::Waker;

    use super::*;

    fn next<T>(steps: &mut Steps<'_, T>) -> Poll<Option<Result<T, Error>>> {
        Pin::new(steps).poll_next(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn items_come_one_by_one_and_an_error_is_the_last() {
        let mut steps = Steps::new(|slot| async move {
            slot.put(1).await;
            slot.put(2).await;
            Err(Error::PoolClosed)
        });
        for expected in [1, 2] {
            assert!(matches!(next(&mut steps), Poll::Ready(Some(Ok(item))) if item == expected));
        }
        let last = next(&mut steps);
        assert!(matches!(last, Poll::Ready(Some(Err(Error::PoolClosed)))));
        for _ in 0..2 {
            assert!(matches!(next(&mut steps), Poll::Ready(None)));
        }
    }

    #[test]
    fn a_future_that_waits_lets_the_stream_wait() {
        let mut steps = Steps::new(|slot| async move {
            slot.put(()).await;
            pending().await
        });
        assert!(matches!(next(&mut steps), Poll::Ready(Some(Ok(())))));
        assert!(next(&mut steps).is_pending());
        assert!(next(&mut steps).is_pending());
    }
}
