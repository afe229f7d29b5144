use std::fmt;

use async_nats::{
    Client, HeaderMap, Message, PublishError, Request, RequestError, Subject, SubscribeError,
    ToSubject,
};
use bytes::Bytes;

use crate::middleware::MessageBus;
use crate::middleware::message::nats::NatsMessages;

/// A client of the crate `async-nats` whose messages have spans. Cheap to clone.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use tracehound::middleware::{MessageBus, TracedNats};
/// use tracehound::NoopTracer;
///
/// # async fn ship(_: &[u8]) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn example() -> Result<(), async_nats::Error> {
/// let client = async_nats::connect("nats://localhost").await?;
/// let bus = MessageBus::nats(NoopTracer).patterns(["orders.*.created"]);
/// let nats = TracedNats::new(client, bus);
///
/// let mut orders = nats.subscribe("orders.*.created").await?;
/// nats.publish("orders.1234.created", "one teapot".into()).await?; // span: `To_orders.*.created`
/// while let Some(order) = orders.next().await {
///     // span: `From_orders.*.created`
///     order.run(ship(&order.payload)).await?;
/// }
/// # Ok(()) }
/// ```
///
/// # When a span ends
///
/// NATS acknowledges no message, so the span of a [publication](Self::publish) ends when the client has taken it.
/// [`TracedJetStream`](crate::middleware::TracedJetStream) waits for acknowledgements. The span of a
/// [request](Self::request) lasts until the reply.
///
/// A receiver's span follows from the sender's, or is its child if the message names a subject for a reply, because
/// then the sender waits. Its tags are those of [`MessageBus`].
#[derive(Clone)]
pub struct TracedNats {
    client: Client,
    bus: MessageBus,
}

impl TracedNats {
    /// Gives the messages of a client spans of this bus.
    pub fn new(client: Client, bus: MessageBus) -> Self {
        Self { client, bus }
    }

    /// Returns the client, for all that needs no spans.
    pub fn get_ref(&self) -> &Client {
        &self.client
    }

    /// Publishes a message, with the context of its span in the headers.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn publish(
        &self,
        subject: impl ToSubject,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.publish_with_headers(subject, HeaderMap::new(), payload)
            .await
    }

    /// Publishes a message with headers, to which the context of its span is added.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.send(subject.to_subject(), None, headers, payload)
            .await
    }

    /// Publishes a message that names a subject for replies. It does not wait for one.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn publish_with_reply(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.publish_with_reply_and_headers(subject, reply, HeaderMap::new(), payload)
            .await
    }

    /// Publishes a message that names a subject for replies, with headers. It does not wait for a reply.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn publish_with_reply_and_headers(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let reply = Some(reply.to_subject());
        self.send(subject.to_subject(), reply, headers, payload)
            .await
    }

    /// Sends a request and waits for the reply.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn request(
        &self,
        subject: impl ToSubject,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        let request = Request::new().payload(payload);
        self.send_request(subject, request).await
    }

    /// Sends a request with headers and waits for the reply.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn request_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, RequestError> {
        let request = Request::new().headers(headers).payload(payload);
        self.send_request(subject, request).await
    }

    /// Sends a request with settings of its own, such as a timeout, and waits for the reply.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    ///
    /// ```
    /// use std::time::Duration;
    /// use async_nats::{HeaderMap, Request};
    /// use tracehound::middleware::TracedNats;
    ///
    /// async fn ask(nats: &TracedNats) -> Result<(), async_nats::Error> {
    ///     let price = nats.request("price", "teapot".into()).await?;
    ///     println!("{} bytes", price.payload.len());
    ///
    ///     let mut headers = HeaderMap::new();
    ///     headers.insert("x-tenant", "acme");
    ///     nats.request_with_headers("price", headers, "teapot".into()).await?;
    ///
    ///     let half_a_minute = Some(Duration::from_secs(30));
    ///     let patient = Request::new().payload("teapot".into()).timeout(half_a_minute);
    ///     nats.send_request("price", patient).await?;
    ///     Ok(())
    /// }
    /// ```
    pub async fn send_request(
        &self,
        subject: impl ToSubject,
        mut request: Request,
    ) -> Result<Message, RequestError> {
        let subject = subject.to_subject();
        let mut headers = request.headers.take().unwrap_or_default();
        let payload = request.payload.as_deref().unwrap_or_default();
        let sending = self.bus.publish(&subject, &mut headers, payload);
        request.headers = (!headers.is_empty()).then_some(headers);
        let reply = sending
            .run(self.client.send_request(subject, request))
            .await;
        sending.finish();
        reply
    }

    /// Subscribes to a subject, after which the spans of the messages are named.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    pub async fn subscribe(&self, subject: impl ToSubject) -> Result<NatsMessages, SubscribeError> {
        let subject = subject.to_subject();
        let subscriber = self.client.subscribe(subject.clone()).await?;
        Ok(NatsMessages::new(subscriber, self.bus.clone(), subject))
    }

    /// Subscribes to a subject as one of a group, of which one member gets each message.
    ///
    /// # Errors
    ///
    /// Returns the error of the client.
    ///
    /// ```
    /// use async_nats::HeaderMap;
    /// use futures_util::StreamExt;
    /// use tracehound::middleware::TracedNats;
    ///
    /// async fn ship(nats: &TracedNats) -> Result<(), async_nats::Error> {
    ///     let mut orders = nats.queue_subscribe("orders.>", "shipping".to_owned()).await?;
    ///     while let Some(order) = orders.next().await {
    ///         let mut headers = HeaderMap::new();
    ///         headers.insert("x-order", order.subject.as_str());
    ///         nats.publish_with_headers("shipped", headers.clone(), "one teapot".into()).await?;
    ///         nats.publish_with_reply("stock", "stock.seen", "-1 teapot".into()).await?;
    ///         nats.publish_with_reply_and_headers("stock", "stock.seen", headers, "0".into()).await?;
    ///     }
    ///     nats.get_ref().flush().await?; // the client itself
    ///     Ok(())
    /// }
    /// ```
    pub async fn queue_subscribe(
        &self,
        subject: impl ToSubject,
        group: String,
    ) -> Result<NatsMessages, SubscribeError> {
        let subject = subject.to_subject();
        let subscriber = self.client.queue_subscribe(subject.clone(), group).await?;
        Ok(NatsMessages::new(subscriber, self.bus.clone(), subject))
    }

    async fn send(
        &self,
        subject: Subject,
        reply: Option<Subject>,
        mut headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        let sending = self.bus.publish(&subject, &mut headers, &payload);
        let client = &self.client;
        let sent = sending.run(async {
            match (reply, headers.is_empty()) {
                (None, true) => client.publish(subject, payload).await,
                (None, false) => client.publish_with_headers(subject, headers, payload).await,
                (Some(reply), true) => client.publish_with_reply(subject, reply, payload).await,
                (Some(reply), false) => {
                    client
                        .publish_with_reply_and_headers(subject, reply, headers, payload)
                        .await
                }
            }
        });
        let sent = sent.await;
        sending.finish();
        sent
    }
}

impl fmt::Debug for TracedNats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracedNats")
            .field("bus", &self.bus)
            .finish_non_exhaustive()
    }
}
