use std::fmt::{self, Display};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_nats::{Message, Subject, Subscriber};
use futures_core::Stream;

use crate::middleware::message::nats::{INBOX, is_inbox, start_handling};
use crate::middleware::{ConsumerSpan, MessageBus};
use crate::model::ReferenceType;

/// The messages of a subscription, each of which gets a span. [`TracedNats::subscribe`] makes it.
///
/// A span starts when its message is taken from this stream. It is named after the subject of the subscription, as in
/// `From_orders.*.created`.
///
/// [`TracedNats::subscribe`]: crate::middleware::TracedNats::subscribe
///
/// ```
/// use futures_util::StreamExt;
/// use tracehound::middleware::TracedNats;
///
/// async fn first_ten(nats: &TracedNats) -> Result<(), async_nats::Error> {
///     let mut orders = nats.subscribe("orders.*.created").await?;
///     orders.get_mut().unsubscribe_after(10).await?;
///     while let Some(order) = orders.next().await {
///         order.handling().span().log_event("seen");
///     }
///     Ok(())
/// }
/// ```
#[must_use = "a stream does nothing unless it is polled"]
pub struct NatsMessages {
    subscriber: Subscriber,
    bus: MessageBus,
    subject: Subject,
}

impl NatsMessages {
    pub(super) fn new(subscriber: Subscriber, bus: MessageBus, subject: Subject) -> Self {
        Self {
            subscriber,
            bus,
            subject,
        }
    }

    /// Returns the subscription, to end it for example. Messages that are taken from it have no spans.
    pub fn get_mut(&mut self) -> &mut Subscriber {
        &mut self.subscriber
    }
}

impl Stream for NatsMessages {
    type Item = NatsMessage;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<NatsMessage>> {
        let this = self.get_mut();
        let message = Pin::new(&mut this.subscriber).poll_next(cx);
        message.map(|message| Some(NatsMessage::new(message?, &this.bus, &this.subject)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.subscriber.size_hint()
    }
}

impl fmt::Debug for NatsMessages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsMessages")
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

/// A message of a subscription with its span, which ends when this is dropped. [`NatsMessages`] gives it out.
///
/// It can be used as the [`Message`] that it holds.
///
/// ```
/// use tracehound::middleware::NatsMessage;
///
/// # async fn ship(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
/// async fn handle(order: NatsMessage) {
///     let shipped = order.run(ship(&order.payload)).await;
///     let (message, handling) = order.into_parts();
///     handling.span().set_tag("shipped", shipped.is_ok()).set_tag("bytes", message.length);
///     handling.finish();
/// }
/// ```
#[must_use = "the span of the message ends when this is dropped"]
pub struct NatsMessage {
    message: Message,
    handling: ConsumerSpan,
}

impl NatsMessage {
    fn new(message: Message, bus: &MessageBus, subject: &str) -> Self {
        let name = if is_inbox(subject) { INBOX } else { subject };
        let incoming = bus.receive(&message.subject).name(name);
        let incoming = match message.reply {
            Some(_) => incoming.relation(ReferenceType::ChildOf),
            None => incoming,
        };
        let incoming = incoming.payload(&message.payload);
        let handling = start_handling(incoming, message.headers.as_ref());
        Self { message, handling }
    }

    /// Returns the span of the message.
    pub fn handling(&self) -> &ConsumerSpan {
        &self.handling
    }

    /// Runs the handler of the message with the span active, as [`ConsumerSpan::run`] does.
    ///
    /// # Errors
    ///
    /// Returns the error of the handler.
    pub fn run<'s, T, E, F>(
        &'s self,
        handler: F,
    ) -> impl Future<Output = Result<T, E>> + use<'s, T, E, F>
    where
        F: Future<Output = Result<T, E>>,
        E: Display + 'static,
    {
        self.handling.run(handler)
    }

    /// Returns the message and its span.
    pub fn into_parts(self) -> (Message, ConsumerSpan) {
        (self.message, self.handling)
    }
}

impl Deref for NatsMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl fmt::Debug for NatsMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsMessage")
            .field("subject", &self.message.subject)
            .field("handling", &self.handling)
            .finish_non_exhaustive()
    }
}
