//! Baggage in both forms.

use std::ptr;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage as OtelBaggage, BaggageExt as _, KeyValueMetadata};
use tracehound::SpanContext;
use tracehound::model::Baggage;

/// Returns the items as OpenTelemetry's baggage, in which properties are called metadata. Items whose keys it does not
/// allow are left out.
pub(crate) fn to_otel(baggage: &Baggage) -> OtelBaggage {
    let items = baggage.iter_with_properties();
    items
        .map(|(key, value, properties)| {
            KeyValueMetadata::new(key.to_owned(), value.to_owned(), properties)
        })
        .collect()
}

/// Returns a parent's context with the baggage of a [`Context`] joined to its own.
///
/// Both may have changed since they were one: OpenTelemetry's by a new context, ours on the span. The baggage `before`,
/// as it was extracted, tells which one has. An empty baggage of the `Context` removes everything.
pub(crate) fn joined(parent: SpanContext, cx: &Context, before: Option<&Baggage>) -> SpanContext {
    if parent.baggage().is_empty() && cx.baggage().is_empty() {
        return parent;
    }
    let Some(theirs) = baggage_of(cx) else {
        return parent;
    };
    let joined = join(parent.baggage(), theirs, before);
    if is_same(&joined, parent.baggage()) {
        parent
    } else {
        parent.with_baggage(joined)
    }
}

/// Returns the baggage of a context if it has any, even an empty one.
fn baggage_of(cx: &Context) -> Option<&OtelBaggage> {
    // A context without baggage shows one that all such contexts share.
    let without = Context::new();
    let baggage = cx.baggage();
    (!ptr::eq(baggage, without.baggage())).then_some(baggage)
}

fn join(ours: &Baggage, theirs: &OtelBaggage, before: Option<&Baggage>) -> Baggage {
    if theirs.is_empty() {
        return Baggage::default();
    }
    let value_before = |key| before.and_then(|before| before.get(key));
    let mut joined = ours.clone();
    for (key, _) in ours.iter() {
        if theirs.get(key).is_none() && value_before(key).is_some() {
            joined = joined.without(key);
        }
    }
    let mut items: Vec<_> = theirs.iter().collect();
    items.sort_unstable_by_key(|(key, _)| *key);
    for (key, (value, metadata)) in items {
        let (key, value) = (key.as_str(), value.as_str());
        let is_unchanged = value_before(key) == Some(value);
        let is_removed_by_us = is_unchanged && ours.get(key).is_none();
        let is_changed_by_us = is_unchanged && ours.get(key) != Some(value);
        if is_removed_by_us || is_changed_by_us || is_item(ours, key, value, metadata.as_str()) {
            continue;
        }
        // Without room for the item, or for its properties, it goes on without them or not at all.
        if let Ok(with) = joined
            .with_properties(key, value, metadata.as_str())
            .or_else(|_| joined.with(key, value))
        {
            joined = with;
        }
    }
    joined
}

fn is_item(baggage: &Baggage, key: &str, value: &str, properties: &str) -> bool {
    baggage.get(key) == Some(value) && baggage.properties(key) == properties
}

fn is_same(one: &Baggage, other: &Baggage) -> bool {
    one.iter_with_properties().eq(other.iter_with_properties())
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    fn ours(items: &[(&str, &str)]) -> Baggage {
        let empty = Baggage::default();
        items.iter().fold(empty, |baggage, (key, value)| {
            baggage.with(key, value).expect("short")
        })
    }

    fn theirs(items: &[(&'static str, &'static str)]) -> OtelBaggage {
        let items = items.iter();
        items
            .map(|(key, value)| KeyValue::new(*key, *value))
            .collect()
    }

    #[test]
    fn the_side_that_has_changed_an_item_decides() {
        let rows: [(&[_], &[_], Option<&[_]>, &[_]); 10] = [
            (&[], &[("a", "1")], None, &[("a", "1")]),
            (
                &[("b", "2")],
                &[("a", "1")],
                None,
                &[("b", "2"), ("a", "1")],
            ),
            (&[("a", "1")], &[("a", "2")], None, &[("a", "2")]),
            // Of what was extracted, they have removed b.
            (
                &[("a", "1"), ("b", "2")],
                &[("a", "1")],
                Some(&[("a", "1"), ("b", "2")]),
                &[("a", "1")],
            ),
            // We have added c.
            (
                &[("a", "1"), ("c", "3")],
                &[("a", "1")],
                Some(&[("a", "1")]),
                &[("a", "1"), ("c", "3")],
            ),
            // We have changed a.
            (
                &[("a", "9")],
                &[("a", "1")],
                Some(&[("a", "1")]),
                &[("a", "9")],
            ),
            // They have changed a.
            (
                &[("a", "1")],
                &[("a", "9")],
                Some(&[("a", "1")]),
                &[("a", "9")],
            ),
            // We have removed a.
            (
                &[("b", "2")],
                &[("a", "1"), ("b", "2")],
                Some(&[("a", "1"), ("b", "2")]),
                &[("b", "2")],
            ),
            // They have cleared it.
            (&[("a", "1"), ("c", "3")], &[], Some(&[("a", "1")]), &[]),
            (&[("a", "1")], &[], None, &[]),
        ];
        for (n, (mine, other, before, expected)) in rows.into_iter().enumerate() {
            let joined = join(&ours(mine), &theirs(other), before.map(ours).as_ref());
            assert!(is_same(&joined, &ours(expected)), "row {n}: {joined:?}");
        }
    }

    #[test]
    fn a_context_without_baggage_is_told_from_one_with_empty_baggage() {
        let parent = SpanContext::default().with_baggage(ours(&[("a", "1")]));
        let kept = joined(parent.clone(), &Context::new(), None);
        assert_eq!(kept.baggage().get("a"), Some("1"));
        let unrelated = Context::new().with_value(1_u8);
        assert_eq!(joined(parent.clone(), &unrelated, None).baggage().len(), 1);
        let cleared = Context::new().with_cleared_baggage();
        assert!(joined(parent, &cleared, None).baggage().is_empty());
    }

    #[test]
    fn properties_are_metadata_on_the_other_side() {
        let baggage = Baggage::default();
        let baggage = baggage.with_properties("a", "1", "ttl=3").expect("legal");
        let baggage = baggage.with("not a token", "x").expect("short");
        let otel = to_otel(&baggage);
        let (value, metadata) = otel.get_with_metadata("a").expect("is there");
        assert_eq!((value.as_str(), metadata.as_str()), ("1", "ttl=3"));
        assert_eq!(otel.len(), 1);
        let back = join(&Baggage::default(), &otel, None);
        assert_eq!(back.properties("a"), "ttl=3");
        // A comma would end the item on the wire.
        let mut otel = OtelBaggage::new();
        otel.insert_with_metadata("a", "1", "x,y");
        let back = join(&Baggage::default(), &otel, None);
        assert_eq!((back.get("a"), back.properties("a")), (Some("1"), ""));
    }
}
