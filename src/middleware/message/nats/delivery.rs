use std::fmt::{self, Display};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use async_nats::Error;
use async_nats::jetstream::{AckKind, Message};
use futures_core::Stream;
use pin_project::pin_project;

use crate::middleware::message::nats::{STREAM, message_id, start_handling};
use crate::middleware::{ConsumerSpan, MessageBus};

/// The messages of a consumer of JetStream, each of which gets a span. [`TracedJetStream::messages`] makes it.
///
/// A span starts when its message is taken from this stream, and has these tags besides those of [`MessageBus`]:
/// `offset` is the sequence number in the stream, `nats.stream` and `nats.consumer` are the names of both.
///
/// [`TracedJetStream::messages`]: crate::middleware::TracedJetStream::messages
///
/// ```
/// use async_nats::jetstream::consumer::PullConsumer;
/// use futures_util::TryStreamExt;
/// use tracehound::middleware::TracedJetStream;
///
/// async fn receive(
///     orders: &TracedJetStream,
///     consumer: PullConsumer,
/// ) -> Result<(), async_nats::Error> {
///     let mut messages = orders.messages(consumer.messages().await?).subject("orders.*.created");
///     while let Some(order) = messages.try_next().await? {
///         order.ack().await?;
///     }
///     Ok(())
/// }
/// ```
#[pin_project]
#[must_use = "a stream does nothing unless it is polled"]
pub struct JetStreamMessages<S> {
    #[pin]
    messages: S,
    bus: MessageBus,
    subject: Option<String>,
}

impl<S> JetStreamMessages<S> {
    pub(super) fn new(messages: S, bus: MessageBus) -> Self {
        Self {
            messages,
            bus,
            subject: None,
        }
    }

    /// Sets the subject after which the spans are named, usually the filter of the consumer: `orders.*.created`.
    /// Defaults to the subject of each message, or the [pattern](MessageBus::patterns) that it fits.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

impl<S, E> Stream for JetStreamMessages<S>
where
    S: Stream<Item = Result<Message, E>>,
{
    type Item = Result<JetStreamMessage, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        this.messages.poll_next(cx).map(|message| {
            let message = message?;
            Some(
                message.map(|message| {
                    JetStreamMessage::new(message, this.bus, this.subject.as_deref())
                }),
            )
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.messages.size_hint()
    }
}

impl<S> fmt::Debug for JetStreamMessages<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStreamMessages")
            .field("bus", &self.bus)
            .finish_non_exhaustive()
    }
}

/// A message of JetStream with its span, which ends when this is dropped. [`JetStreamMessages`] gives it out.
///
/// It can be used as the [`Message`] that it holds. Acknowledge it by the methods here, so that the span logs it: `ack`,
/// `nak`, `term`, `in_progress`.
///
/// ```
/// use std::time::Duration;
/// use async_nats::jetstream::AckKind;
/// use tracehound::middleware::JetStreamMessage;
///
/// # async fn ship(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
/// async fn handle(order: JetStreamMessage) -> Result<(), async_nats::Error> {
///     order.handling().span().set_tag("shop", "north");
///     match order.run(ship(&order.payload)).await {
///         Ok(()) => order.ack().await?, // or `double_ack`, which waits for the server
///         Err(_) => order.ack_with(AckKind::Nak(Some(Duration::from_secs(5)))).await?,
///     }
///     Ok(())
/// }
///
/// async fn give_up(order: JetStreamMessage) -> Result<(), async_nats::Error> {
///     order.double_ack_with(AckKind::Term).await?;
///     let (message, handling) = order.into_parts(); // the span ends with `handling`
///     println!("{} bytes are lost", message.payload.len());
///     handling.finish();
///     Ok(())
/// }
///
/// async fn confirm(order: JetStreamMessage) -> Result<(), async_nats::Error> {
///     order.double_ack().await
/// }
/// ```
#[must_use = "the span of the message ends when this is dropped"]
pub struct JetStreamMessage {
    message: Message,
    handling: ConsumerSpan,
}

impl JetStreamMessage {
    fn new(message: Message, bus: &MessageBus, subject: Option<&str>) -> Self {
        let mut incoming = bus.receive(&message.subject).payload(&message.payload);
        if let Some(subject) = subject {
            incoming = incoming.name(subject);
        }
        let id = message.headers.as_ref().and_then(message_id);
        if let Some(id) = &id {
            incoming = incoming.id(id);
        }
        let info = message.info().ok();
        if let Some(info) = &info {
            let before = u64::try_from(info.delivered.saturating_sub(1));
            incoming = incoming
                .redeliveries(before.unwrap_or_default())
                .sent_at(SystemTime::from(info.published));
            if let Ok(sequence) = i64::try_from(info.stream_sequence) {
                incoming = incoming.offset(sequence);
            }
        }
        let handling = start_handling(incoming, message.headers.as_ref());
        if let Some(info) = &info {
            let span = handling.span();
            span.set_tag(STREAM, info.stream)
                .set_tag("nats.consumer", info.consumer);
        }
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

    /// Acknowledges the message, and logs `ack`.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn ack(&self) -> Result<(), Error> {
        self.handling.settle("ack", self.message.ack()).await
    }

    /// Tells the server what became of the message, and logs it.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn ack_with(&self, kind: AckKind) -> Result<(), Error> {
        let told = self.message.ack_with(kind);
        self.handling.settle(event(kind), told).await
    }

    /// Acknowledges the message, waits until the server has taken that, and logs `ack`.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn double_ack(&self) -> Result<(), Error> {
        self.handling.settle("ack", self.message.double_ack()).await
    }

    /// Tells the server what became of the message, waits until it has taken that, and logs it.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn double_ack_with(&self, kind: AckKind) -> Result<(), Error> {
        let told = self.message.double_ack_with(kind);
        self.handling.settle(event(kind), told).await
    }

    /// Returns the message and its span.
    pub fn into_parts(self) -> (Message, ConsumerSpan) {
        (self.message, self.handling)
    }
}

fn event(kind: AckKind) -> &'static str {
    match kind {
        AckKind::Ack => "ack",
        AckKind::Nak(_) => "nak",
        AckKind::Progress => "in_progress",
        AckKind::Next => "next",
        AckKind::Term => "term",
    }
}

impl Deref for JetStreamMessage {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl fmt::Debug for JetStreamMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JetStreamMessage")
            .field("subject", &self.message.subject)
            .field("handling", &self.handling)
            .finish_non_exhaustive()
    }
}
