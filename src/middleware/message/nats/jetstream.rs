use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{self, Poll};

use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::{HeaderMap, ToSubject};
use bytes::Bytes;

use crate::middleware::MessageBus;
use crate::middleware::message::nats::{JetStreamMessages, STREAM};
use crate::middleware::message::settings::OFFSET;

/// A context of JetStream, of the crate `async-nats`, whose messages have spans. Cheap to clone.
///
/// As with async-nats itself, publishing takes two steps: the message is sent, and the server acknowledges it. The span
/// ends with the second.
///
/// ```no_run
/// use async_nats::jetstream;
/// use futures_util::{StreamExt, TryStreamExt};
/// use tracehound::middleware::{MessageBus, TracedJetStream};
/// use tracehound::NoopTracer;
///
/// # async fn ship(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn example(consumer: jetstream::consumer::PullConsumer) -> Result<(), async_nats::Error> {
/// let client = async_nats::connect("nats://localhost").await?;
/// let bus = MessageBus::nats(NoopTracer).patterns(["orders.*.created"]);
/// let orders = TracedJetStream::new(jetstream::new(client), bus);
///
/// let ack = orders.publish("orders.1234.created", "one teapot".into()).await?;
/// ack.await?; // the span `To_orders.*.created` ends here
///
/// let mut messages = orders.messages(consumer.messages().await?).subject("orders.*.created");
/// while let Some(order) = messages.try_next().await? {
///     match order.run(ship(&order.payload)).await {
///         Ok(()) => order.ack().await?,
///         Err(_) => order.ack_with(jetstream::AckKind::Nak(None)).await?,
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TracedJetStream {
    context: Context,
    bus: MessageBus,
}

impl TracedJetStream {
    /// Gives the messages of a context spans of this bus.
    pub fn new(context: Context, bus: MessageBus) -> Self {
        Self { context, bus }
    }

    /// Returns the context, for all that needs no spans.
    pub fn get_ref(&self) -> &Context {
        &self.context
    }

    /// Publishes a message, with the context of its span in the headers. What is returned waits for the
    /// acknowledgement.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn publish(
        &self,
        subject: impl ToSubject,
        payload: Bytes,
    ) -> Result<TracedAck, PublishError> {
        let message = PublishMessage::build().payload(payload);
        self.send_publish(subject.to_subject(), message).await
    }

    /// Publishes a message with headers, to which the context of its span is added. What is returned waits for the
    /// acknowledgement.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<TracedAck, PublishError> {
        let message = PublishMessage::build().headers(headers).payload(payload);
        self.send_publish(subject.to_subject(), message).await
    }

    /// Publishes a message with settings of its own, such as an id. What is returned waits for the acknowledgement.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    ///
    /// ```
    /// use async_nats::HeaderMap;
    /// use async_nats::jetstream::message::PublishMessage;
    /// use tracehound::middleware::TracedJetStream;
    ///
    /// async fn publish(orders: &TracedJetStream) -> Result<(), async_nats::Error> {
    ///     let once = PublishMessage::build().message_id("order-7").payload("one teapot".into());
    ///     orders.send_publish("orders.7.created", once).await?.await?;
    ///
    ///     let mut headers = HeaderMap::new();
    ///     headers.insert("x-tenant", "acme");
    ///     orders.publish_with_headers("orders.8.created", headers, "a cup".into()).await?.await?;
    ///     let _context = orders.get_ref(); // for all that needs no spans
    ///     Ok(())
    /// }
    /// ```
    pub async fn send_publish(
        &self,
        subject: impl ToSubject,
        message: PublishMessage,
    ) -> Result<TracedAck, PublishError> {
        // Only in this form its parts can be seen.
        let message = message.outbound_message(subject);
        let (subject, payload) = (message.subject, message.payload);
        let mut headers = message.headers.unwrap_or_default();
        let sending = self.bus.publish(&subject, &mut headers, &payload);
        let message = PublishMessage::build().payload(payload);
        let message = match headers.is_empty() {
            true => message,
            false => message.headers(headers),
        };
        let sent = self.context.send_publish(subject, message);
        let ack = sending.run(sent).await?;
        Ok(TracedAck(Box::pin(async move {
            let acknowledged = sending.run(ack.into_future()).await;
            if let Ok(ack) = &acknowledged {
                let is_duplicate = ack.duplicate.then_some(true);
                let span = sending.span();
                span.set_tag(OFFSET, ack.sequence)
                    .set_tag(STREAM, &*ack.stream)
                    .set_tag("message.duplicate", is_duplicate);
            }
            sending.finish();
            acknowledged
        })))
    }

    /// Gives the messages of a consumer spans: the stream of a pull consumer's `messages`, `batch` or `fetch`, or of a
    /// push consumer.
    pub fn messages<S>(&self, messages: S) -> JetStreamMessages<S> {
        JetStreamMessages::new(messages, self.bus.clone())
    }
}

/// The acknowledgement of a published message, with which the message's span ends. [`TracedJetStream::publish`] makes
/// it.
///
/// If it is dropped before it was polled, the span ends then, and says nothing about the acknowledgement.
///
/// ```
/// use tracehound::middleware::{TracedAck, TracedJetStream};
///
/// async fn publish(orders: &TracedJetStream) -> Result<u64, async_nats::Error> {
///     let ack: TracedAck = orders.publish("orders.7.created", "one teapot".into()).await?;
///     Ok(ack.await?.sequence) // the span ends here
/// }
/// ```
#[must_use = "without the acknowledgement the message may not be stored"]
pub struct TracedAck(Pin<Box<dyn Future<Output = Result<PublishAck, PublishError>> + Send>>);

impl Future for TracedAck {
    type Output = Result<PublishAck, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for TracedAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TracedAck")
    }
}

impl fmt::Debug for TracedJetStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedJetStream")
            .field("bus", &self.bus)
            .finish_non_exhaustive()
    }
}
