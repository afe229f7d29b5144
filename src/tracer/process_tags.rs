//! The tags that describe the process, as all Jaeger clients add them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::UdpSocket;

use crate::metrics::{Counter, Metrics};
use crate::model::{Process, Tag, TagValue, tags};
use crate::record::{Limits, cut, random_id};

/// Returns the process with the user's tags and ours: `jaeger.version` always, `hostname`, `ip` and `client-uuid`
/// unless the user has set them. Of several tags with one key the last one counts.
///
/// The service's name and the user's tags are cut as those of spans are, and counted. They are in every batch, and a
/// batch has a bound.
pub(super) fn process(
    service_name: String,
    user_tags: Vec<Tag>,
    limits: &Limits,
    metrics: &Metrics,
) -> Process {
    let mut all: Vec<Tag> = Vec::with_capacity(user_tags.len() + 4);
    let version = Tag::new(
        tags::JAEGER_VERSION,
        concat!("Rust-", env!("CARGO_PKG_VERSION")),
    );
    let mut truncated = 0;
    // A list from a variable may have thousands of keys.
    let mut places: HashMap<Cow<'static, str>, usize> = HashMap::new();
    for mut tag in user_tags {
        truncated += limit(&mut tag, limits);
        if tag.key == tags::JAEGER_VERSION {
            continue;
        }
        let place = *places.entry(tag.key.clone()).or_insert(all.len());
        match all.get_mut(place) {
            Some(known) => *known = tag,
            None => all.push(tag),
        }
    }
    let cut_name = cut(&service_name, limits.operation_name_bytes);
    truncated += u64::from(cut_name.is_some());
    metrics.add(Counter::TruncatedValues, truncated);
    all.push(version);
    let has = |key| all.iter().any(|tag| tag.key == key);
    let hostname = (!has(tags::HOSTNAME)).then(hostname).flatten();
    let ip = (!has(tags::IP)).then(own_address).flatten();
    // An agent that keeps accounts of loss tells clients apart by this tag, which must be text.
    let uuid = (!has(tags::CLIENT_UUID)).then(|| format!("{:x}", random_id().get()));
    let found = [
        (tags::HOSTNAME, hostname),
        (tags::IP, ip),
        (tags::CLIENT_UUID, uuid),
    ];
    all.extend(
        found
            .into_iter()
            .filter_map(|(key, value)| Some(Tag::new(key, value?))),
    );
    Process::new(cut_name.unwrap_or(service_name), all)
}

/// Cuts the key and the value to the limits of a span's tag. Returns how many of the two were cut.
fn limit(tag: &mut Tag, limits: &Limits) -> u64 {
    let key = cut(&tag.key, limits.key_bytes);
    let mut truncated = u64::from(key.is_some());
    if let Some(key) = key {
        tag.key = key.into();
    }
    match &mut tag.value {
        TagValue::String(text) => {
            if let Some(start) = cut(text, limits.tag_value_bytes) {
                *text = start.into();
                truncated += 1;
            }
        }
        TagValue::Binary(bytes) if bytes.len() > limits.tag_value_bytes => {
            bytes.truncate(limits.tag_value_bytes);
            truncated += 1;
        }
        _ => {}
    }
    truncated
}

fn hostname() -> Option<String> {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

/// Returns the address by which other hosts see this one, or the loopback address if there is none. Connecting a
/// datagram socket sends nothing: it only asks for the route, here to an address reserved for documentation.
fn own_address() -> Option<String> {
    ["192.0.2.1:9", "[2001:db8::1]:9", "127.0.0.1:9"]
        .into_iter()
        .find_map(|far| {
            let any = if far.starts_with('[') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            };
            let socket = UdpSocket::bind(any).ok()?;
            socket.connect(far).ok()?;
            let ip = socket.local_addr().ok()?.ip();
            (!ip.is_unspecified()).then(|| ip.to_string())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(service_name: String, user_tags: Vec<Tag>) -> Process {
        super::process(
            service_name,
            user_tags,
            &Limits::default(),
            &Metrics::default(),
        )
    }

    fn keys(process: &Process) -> Vec<&str> {
        process.tags.iter().map(|tag| &*tag.key).collect()
    }

    #[test]
    fn a_process_has_the_four_tags_of_a_jaeger_client() {
        let process = process("shop".to_owned(), vec![]);
        let keys = keys(&process);
        for key in [
            tags::JAEGER_VERSION,
            tags::HOSTNAME,
            tags::IP,
            tags::CLIENT_UUID,
        ] {
            assert!(keys.contains(&key), "{key} in {keys:?}");
        }
    }

    #[test]
    fn tags_of_the_user_are_kept_once() {
        let user = vec![
            Tag::new("zone", "a"),
            Tag::new(tags::HOSTNAME, "mine"),
            Tag::new("zone", "b"),
            Tag::new(tags::JAEGER_VERSION, "mine"),
        ];
        let process = process("shop".to_owned(), user);
        let value = |key: &str| {
            let all: Vec<_> = process.tags.iter().filter(|tag| tag.key == key).collect();
            assert_eq!(all.len(), 1, "{key}");
            all[0].value.to_string()
        };
        assert_eq!(value("zone"), "b");
        assert_eq!(value(tags::HOSTNAME), "mine");
        assert!(value(tags::JAEGER_VERSION).starts_with("Rust-"));
    }

    #[test]
    fn tags_of_the_user_are_cut_as_those_of_spans_are_and_counted() {
        let limits = Limits::default()
            .tag_value_bytes(8)
            .key_bytes(6)
            .operation_name_bytes(8);
        let metrics = Metrics::default();
        let user = vec![
            Tag::new("zone", "eu-west-1a"),
            Tag::new("a long key", vec![7_u8; 9]),
            Tag::new("node", "n1"),
        ];
        let process = super::process("the web shop".to_owned(), user, &limits, &metrics);
        assert_eq!(process.service_name, "the w…");
        assert_eq!(process.tags[0], Tag::new("zone", "eu-we…"));
        assert_eq!(process.tags[1], Tag::new("a l…", vec![7_u8; 8]));
        assert_eq!(process.tags[2], Tag::new("node", "n1"));
        assert_eq!(metrics.get(Counter::TruncatedValues), 4);
    }
}
