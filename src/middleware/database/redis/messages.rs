use redis::Msg;

use crate::middleware::Database;
use crate::middleware::database::settings::{Shown, shown_data};
use crate::model::tags;
use crate::redact;
use crate::scope::active_context;
use crate::span::{Span, SpanContext};
use crate::tracer::TracerExt;

/// The messages of a subscription to channels of Redis, each of which gets a span.
///
/// A span follows from the span that was active when this was made, usually that of the code that subscribed. Redis
/// carries no context with a message, so the trace of its sender is not known. The name is `From_` and the channel, or
/// the pattern of a subscription by pattern. A `Database` and its clones name the first hundred that they see, because
/// channels such as `user:42` may be many. The spans of others are named `From_other`, with the channel in the tag
/// `message_bus.destination`.
///
/// ```
/// use tracehound::middleware::{Database, RedisMessages};
/// use tracehound::prelude::*;
///
/// fn listen(mut subscription: redis::PubSub<'_>, cache: &Database) -> redis::RedisResult<()> {
///     subscription.subscribe("orders")?;
///     let messages = RedisMessages::new(cache);
///     loop {
///         let message = subscription.get_message()?;
///         let span = messages.span(&message); // `From_orders`
///         span.in_scope(|| println!("{message:?}"));
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RedisMessages {
    database: Database,
    subscriber: SpanContext,
}

impl RedisMessages {
    /// Captures the active span, from which the spans of messages will follow. Without one, each begins a trace.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            subscriber: active_context(),
        }
    }

    /// Starts the span of a message.
    ///
    /// It has the tags `span.kind=consumer` and `message_bus.destination`. The message itself is data; the tag
    /// `message` shows it only at [`Recording::everything`](crate::model::Recording::everything).
    pub fn span(&self, message: &Msg) -> Span {
        let settings = self.database.settings();
        let tracer = &*settings.tracer;
        if tracer.is_noop() {
            return Span::noop();
        }
        let destination = match message.from_pattern() {
            true => message.get_pattern::<String>().ok(),
            false => Some(message.get_channel_name().to_owned()),
        };
        let destination = destination.unwrap_or_default();
        let destination = redact::text(&destination);
        let name = settings.channels.name_of(&destination);
        let span = tracer
            .build_span(format!("From_{name}"))
            .tag(tags::SPAN_KIND, tags::SPAN_KIND_CONSUMER)
            .follows_from(&self.subscriber)
            .ignore_active_span()
            .start();
        settings.describe(&span);
        span.set_tag(tags::MESSAGE_BUS_DESTINATION, &*destination);
        if settings.shown(span.recorded_data()) == Shown::Everything {
            let payload = String::from_utf8_lossy(message.get_payload_bytes());
            span.set_tag("message", &*shown_data(&payload));
        }
        span
    }
}
