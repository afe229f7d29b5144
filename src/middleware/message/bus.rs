use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::middleware::message::settings::Settings;
use crate::middleware::message::{IncomingMessage, OutgoingMessage};
use crate::model::ReferenceType;
use crate::propagation::Trust;
use crate::redact;
use crate::tracer::Tracer;

/// A message broker or queue that a program sends to and receives from, as the spans of its messages name it.
///
/// It works with every client, async or blocking. A sender [starts](OutgoingMessage::start) a span, which writes the
/// trace into the headers of the message, and runs the client's future until the broker has acknowledged. A receiver
/// starts one from the headers, and runs its handler. Cheap to clone.
///
/// ```
/// use tracehound::middleware::MessageBus;
/// use tracehound::prelude::*;
/// use tracehound::propagation::MessageHeaders;
/// use tracehound::reporter::InMemoryReporter;
/// use tracehound::sampler::ConstSampler;
///
/// # async fn publish(_: &str, _: &[(String, Vec<u8>)]) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn pack(_: &str) -> Result<(), std::io::Error> { Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let spans = InMemoryReporter::new();
/// let tracer = JaegerTracer::builder("shop")
///     .sampler(ConstSampler::new(true))
///     .reporter(spans.clone())
///     .build()?;
/// let bus = MessageBus::new(tracer, "kafka");
///
/// // The sender:
/// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
/// let sending = bus.send("orders").start(&mut MessageHeaders(&mut headers));
/// sending.run(publish("one teapot", &headers)).await?;
/// sending.finish();
///
/// // The receiver:
/// let handling = bus.receive("orders").start(&MessageHeaders(&headers[..]));
/// handling.run(pack("one teapot")).await?;
/// handling.finish();
///
/// assert_eq!(spans.tree(), "To_orders\n  From_orders");
/// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a span records
///
/// | tag | value |
/// |---|---|
/// | `span.kind` | `producer` or `consumer` |
/// | `component`, `peer.service` | the kind of broker, or as they are set here |
/// | `peer.address` | as it is set here |
/// | `message_bus.destination` | the topic, queue or subject |
/// | `partition`, `offset`, `message.id` | the place of the message, if the program tells it |
/// | `message.bytes` | the size of the payload, if the program tells it |
/// | `message.count` | how many messages a batch has |
/// | `message.redeliveries` | how many times the message was delivered before, if it was |
/// | `message.unreferenced` | how many messages of a batch are left out of its span's references |
/// | `queue.wait_us` | microseconds from the message's own time to its reception, by the clocks of two hosts |
/// | `message` | the start of the payload, only at [`Recording::everything`](crate::model::Recording::everything) |
/// | `error` | true, if the client or the handler returned an error; its text is logged without the values that it quotes |
///
/// The names are `To_` and `From_` with the topic, as in Jaeger's Java clients. They are never data: topics beyond
/// [a hundred](Self::max_names) are named `To_other` and `From_other`, and [patterns](Self::patterns) stand for subjects
/// such as `orders.1234.created`.
///
/// # How spans relate
///
/// A producer's span is a child of the active span. A consumer's span follows from the producer's, because the producer
/// does not wait for it; [`relation`](Self::relation) makes it a child. What is active where a message is received is
/// never the parent: that is the loop that receives, and not what the message asks for. A message without a context, or
/// with a malformed one, begins a trace.
#[derive(Clone)]
pub struct MessageBus {
    settings: Arc<Settings>,
}

impl MessageBus {
    /// Names a bus by its kind: `kafka`, `rabbitmq`, `nats`, `sqs`. That is the tags `component` and `peer.service`.
    pub fn new(tracer: impl Tracer + 'static, system: impl Into<Cow<'static, str>>) -> Self {
        Self {
            settings: Arc::new(Settings::new(tracer, system.into())),
        }
    }

    /// Sets the value of the tag `component`, which names the client. Defaults to the kind of broker.
    #[must_use]
    pub fn component(mut self, component: impl Into<Cow<'static, str>>) -> Self {
        self.settings_mut().component = Some(component.into());
        self
    }

    /// Sets the name under which a backend shows the broker, which is the tag `peer.service`. Defaults to the kind of
    /// broker.
    #[must_use]
    pub fn peer_service(mut self, service: impl Into<Cow<'static, str>>) -> Self {
        self.settings_mut().peer_service = Some(service.into());
        self
    }

    /// Sets the address of the broker, such as `kafka:9092`, which is the tag `peer.address`. Defaults to none.
    ///
    /// A user name and a password in it are hidden.
    #[must_use]
    pub fn peer_address(mut self, address: impl Into<Cow<'static, str>>) -> Self {
        let address: Cow<'static, str> = address.into();
        let hidden = redact::value(&address).into_owned();
        self.settings_mut().peer_address = Some(hidden.into());
        self
    }

    /// Sets the reference of a consumer's span to the producer's. Defaults to
    /// [`FollowsFrom`](ReferenceType::FollowsFrom).
    ///
    /// Choose [`ChildOf`](ReferenceType::ChildOf) if the producer waits for what the consumer does, as for a reply.
    /// [`IncomingMessage::relation`] sets it for one message.
    #[must_use]
    pub fn relation(mut self, relation: ReferenceType) -> Self {
        self.settings_mut().relation = relation;
        self
    }

    /// Sets how much of a message's context is believed. Defaults to [`Trust::full`].
    ///
    /// Set it where strangers can put messages into the queue.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.settings_mut().trust = trust;
        self
    }

    /// Sets how many topics this bus and its clones name, the first ones that they see. The spans of others are named
    /// `To_other` and `From_other`, with the topic in the tag `message_bus.destination`. Defaults to 100.
    ///
    /// A topic of more than 255 bytes is never named.
    ///
    /// ```
    /// use tracehound::NoopTracer;
    /// use tracehound::middleware::{MessageBus, Trust};
    /// use tracehound::model::ReferenceType;
    ///
    /// let bus = MessageBus::new(NoopTracer, "kafka")
    ///     .component("rdkafka")
    ///     .peer_service("orders-cluster")
    ///     .peer_address("kafka:9092")
    ///     .relation(ReferenceType::ChildOf)
    ///     .trust(Trust::ids_only()) // strangers can send to it
    ///     .max_names(500);
    /// bus.receive("orders").start(&[("uber-trace-id", "1:2:0:1")]).finish();
    /// ```
    #[must_use]
    pub fn max_names(mut self, topics: usize) -> Self {
        self.settings_mut().names.set_limit(topics);
        self
    }

    /// Sets patterns, each of which names all topics that fit it. The first one that fits wins. Defaults to none.
    ///
    /// Topics that hold data, such as the id of an order, need it: each would be a name of its own. Words are
    /// separated by dots, `*` is one word, and the last word may stand for the rest: `>` for one word or more, as in
    /// NATS, `#` for any number, as in AMQP.
    ///
    /// ```
    /// use tracehound::middleware::MessageBus;
    /// use tracehound::prelude::*;
    /// use tracehound::propagation::MessageHeaders;
    /// use tracehound::reporter::InMemoryReporter;
    /// use tracehound::sampler::ConstSampler;
    ///
    /// let spans = InMemoryReporter::new();
    /// let tracer = JaegerTracer::builder("shop")
    ///     .sampler(ConstSampler::new(true))
    ///     .reporter(spans.clone())
    ///     .build()?;
    /// let bus = MessageBus::new(tracer, "nats").patterns(["orders.*.created"]);
    /// let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
    /// bus.send("orders.1234.created").start(&mut MessageHeaders(&mut headers)).finish();
    /// assert_eq!(spans.tree(), "To_orders.*.created");
    /// # Ok::<(), tracehound::tracer::BuildError>(())
    /// ```
    #[must_use]
    pub fn patterns(
        mut self,
        patterns: impl IntoIterator<Item = impl Into<Cow<'static, str>>>,
    ) -> Self {
        let patterns = patterns.into_iter().map(Into::into);
        self.settings_mut().names.set_patterns(patterns);
        self
    }

    /// Begins a message to a topic, queue or subject.
    pub fn send<'a>(&'a self, topic: &'a str) -> OutgoingMessage<'a> {
        OutgoingMessage::new(&self.settings, topic)
    }

    /// Begins the handling of a message from a topic, queue or subject.
    pub fn receive<'a>(&'a self, topic: &'a str) -> IncomingMessage<'a> {
        IncomingMessage::new(&self.settings, topic)
    }

    fn settings_mut(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

impl fmt::Debug for MessageBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBus")
            .field("system", &self.settings.system)
            .finish_non_exhaustive()
    }
}
