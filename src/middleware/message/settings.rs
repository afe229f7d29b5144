use std::borrow::Cow;
use std::sync::Arc;

use crate::middleware::call_error;
use crate::middleware::database::shown_data;
use crate::middleware::topic_names::TopicNames;
use crate::model::{ReferenceType, tags};
use crate::propagation::{ExtractCarrier, Trust};
use crate::redact;
use crate::redact::sql::holds_secret;
use crate::span::{Span, SpanContext};
use crate::tracer::Tracer;

/// The settings of a message bus, which its messages share.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) tracer: Arc<dyn Tracer>,
    pub(super) system: Cow<'static, str>,
    pub(super) component: Option<Cow<'static, str>>,
    pub(super) peer_service: Option<Cow<'static, str>>,
    pub(super) peer_address: Option<Cow<'static, str>>,
    pub(super) relation: ReferenceType,
    pub(super) trust: Trust,
    pub(super) names: TopicNames,
}

impl Settings {
    pub(super) fn new(tracer: impl Tracer + 'static, system: Cow<'static, str>) -> Self {
        Self {
            tracer: Arc::new(tracer),
            system,
            component: None,
            peer_service: None,
            peer_address: None,
            relation: ReferenceType::FollowsFrom,
            trust: Trust::full(),
            names: TopicNames::default(),
        }
    }

    /// Returns the operation name of a message: `To_orders`.
    pub(super) fn operation_name(&self, direction: &str, topic: &str) -> String {
        [direction, self.names.name_of(&redact::text(topic))].concat()
    }

    /// Reads the context of a message. One that is malformed is counted by the tracer.
    pub(super) fn extract(&self, headers: &(impl ExtractCarrier + ?Sized)) -> Option<SpanContext> {
        self.tracer.extract(&headers).ok().flatten()
    }

    /// Sets the tags that the spans of all messages have.
    pub(super) fn describe(&self, span: &Span, facts: &Facts<'_>) {
        let system = &self.system;
        span.set_tag(
            tags::COMPONENT,
            &**self.component.as_ref().unwrap_or(system),
        )
        .set_tag(
            tags::PEER_SERVICE,
            &**self.peer_service.as_ref().unwrap_or(system),
        )
        .set_tag(tags::PEER_ADDRESS, self.peer_address.as_deref())
        .set_tag(tags::MESSAGE_BUS_DESTINATION, &*redact::text(facts.topic));
        span.set_tag(PARTITION, facts.partition)
            .set_tag(OFFSET, facts.offset)
            .set_tag(MESSAGE_ID, facts.id.map(redact::text).as_deref())
            .set_tag(MESSAGE_BYTES, facts.payload.map(<[u8]>::len));
        if let Some(payload) = facts.payload
            && span.recorded_data().is_everything()
        {
            span.set_tag("message", shown_payload(payload).as_deref());
        }
    }
}

/// The facts about a message that both sides may know.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: Option<i32>,
    pub(super) offset: Option<i64>,
    pub(super) id: Option<&'a str>,
    pub(super) payload: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(topic: &'a str) -> Self {
        Self {
            topic,
            partition: None,
            offset: None,
            id: None,
            payload: None,
        }
    }
}

/// Marks the span of a message as failed.
pub(super) fn fail<E: std::fmt::Display + 'static>(span: &Span, error: &E) {
    call_error::record(span, error, span.recorded_data().is_everything());
}

/// Returns what is shown of a payload: its start, unless that names something secret or is no text.
fn shown_payload(payload: &[u8]) -> Option<String> {
    let start = &payload[..payload.len().min(MAX_PAYLOAD)];
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The cut may split a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return None,
    };
    (!holds_secret(text)).then(|| shown_data(text).into_owned())
}

/// The number of bytes of a payload that are read.
const MAX_PAYLOAD: usize = 16 * 1_024;

pub(super) const PARTITION: &str = "partition";
pub(super) const OFFSET: &str = "offset";
const MESSAGE_ID: &str = "message.id";
const MESSAGE_BYTES: &str = "message.bytes";
pub(super) const MESSAGE_COUNT: &str = "message.count";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_shown_if_it_is_text_without_secrets() {
        let long = format!("{}é", "x".repeat(MAX_PAYLOAD - 1));
        for (payload, shown) in [
            (&b"{\"order\":7}"[..], Some("{\"order\":7}")),
            (b"", Some("")),
            (b"\xff\xfe", None),
            (b"{\"password\":\"canary\"}", None),
            (b"see http://u:canary@h/", Some("see http://h/")),
            (long.as_bytes(), Some(&long[..MAX_PAYLOAD - 1])),
        ] {
            assert_eq!(shown_payload(payload).as_deref(), shown);
        }
    }
}
