use std::borrow::Cow;
use std::sync::Arc;

use crate::middleware::known_names::KnownNames;

/// The topics and channels that may stand in operation names: the first ones that are seen, and patterns for others.
#[derive(Clone)]
pub(crate) struct TopicNames {
    patterns: Arc<[Pattern]>,
    limit: usize,
    seen: Arc<KnownNames>,
}

impl TopicNames {
    /// The number of topics that are named by default.
    pub(crate) const LIMIT: usize = 100;

    /// The longest topic that is named, in bytes. Kafka and AMQP have no longer ones.
    const MAX_BYTES: usize = 255;

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn set_patterns(&mut self, patterns: impl IntoIterator<Item = Cow<'static, str>>) {
        self.patterns = patterns.into_iter().map(Pattern).collect();
    }

    /// Returns the pattern that a topic fits, or else the topic, unless there are too many.
    pub(crate) fn name_of<'t>(&'t self, topic: &'t str) -> &'t str {
        let mut patterns = self.patterns.iter();
        if let Some(pattern) = patterns.find(|pattern| pattern.fits(topic)) {
            return &pattern.0;
        }
        let is_named = topic.len() <= Self::MAX_BYTES && self.seen.learn(topic, self.limit);
        if is_named { topic } else { "other" }
    }
}

impl Default for TopicNames {
    fn default() -> Self {
        Self {
            patterns: Arc::default(),
            limit: Self::LIMIT,
            seen: Arc::default(),
        }
    }
}

/// A topic with wildcards: `*` is one word between dots, `>` or `#` at the end is any number of words.
struct Pattern(Cow<'static, str>);

impl Pattern {
    fn fits(&self, topic: &str) -> bool {
        let mut words = topic.split('.');
        let mut parts = self.0.split('.').peekable();
        while let Some(part) = parts.next() {
            if matches!(part, ">" | "#") && parts.peek().is_none() {
                // NATS asks for a word where `>` stands, AMQP none where `#` stands.
                return part == "#" || words.next().is_some();
            }
            match words.next() {
                Some(word) if part == "*" || part == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_word_by_word() {
        for (pattern, topic, fits) in [
            ("orders", "orders", true),
            ("orders", "orders.7", false),
            ("orders.*.created", "orders.7.created", true),
            ("orders.*.created", "orders.7.8.created", false),
            ("orders.*", "orders", false),
            ("orders.>", "orders.7.created", true),
            ("orders.>", "orders", false),
            ("orders.#", "orders", true),
            ("#", "anything.at.all", true),
            ("*.created", "orders.created", true),
            (">.created", "orders.created", false),
            ("", "orders", false),
        ] {
            assert_eq!(
                Pattern(pattern.into()).fits(topic),
                fits,
                "{pattern}, {topic}"
            );
        }
    }

    #[test]
    fn topics_beyond_the_limit_and_long_ones_share_a_name() {
        let mut names = TopicNames::default();
        names.set_limit(2);
        let long = "x".repeat(256);
        for (topic, name) in [
            (&*long, "other"),
            ("a", "a"),
            ("b", "b"),
            ("c", "other"),
            ("a", "a"),
        ] {
            assert_eq!(names.name_of(topic), name, "{topic}");
        }
        let clone = names.clone();
        assert_eq!(clone.name_of("c"), "other");
        names.set_patterns(["c".into(), "orders.*".into()]);
        assert_eq!(names.name_of("c"), "c");
        assert_eq!(names.name_of("orders.7"), "orders.*");
    }
}
