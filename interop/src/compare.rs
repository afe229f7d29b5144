use std::{collections::BTreeMap, fmt};

use crate::StoredSpan;

/// A span that was not read back as expected.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Mismatch {
    /// No read span has its ids.
    Missing {
        /// The index of the expected span.
        index: usize,
        /// The span.
        span: Box<StoredSpan>,
    },
    /// A span was read, but not expected.
    Surplus {
        /// The span.
        span: Box<StoredSpan>,
    },
    /// The nearest read span differs in some fields.
    Differs {
        /// The index of the expected span.
        index: usize,
        /// Its operation and ids.
        span: String,
        /// Each differing field, as `field: expected …, read …`.
        fields: Vec<String>,
    },
}

/// Pairs `expected` with `read` in any order and returns the differences; empty if all is equal.
///
/// Equal spans are paired first. The others are paired by ids, nearest first, so that a message
/// names the fields that differ.
///
/// ```
/// use tracehound_interop::{StoredSpan, compare};
///
/// let sent = StoredSpan { operation: "checkout".into(), ..StoredSpan::default() };
/// let read = StoredSpan { operation: "cart".into(), ..StoredSpan::default() };
/// assert!(compare(&[sent.clone()], &[sent.clone()]).is_empty());
/// assert_eq!(
///     compare(&[sent], &[read])[0].to_string(),
///     "span \"checkout\" 0:0 differs:\n  operation: expected \"checkout\", read \"cart\"",
/// );
/// ```
pub fn compare(expected: &[StoredSpan], read: &[StoredSpan]) -> Vec<Mismatch> {
    let mut read: Vec<&StoredSpan> = read.iter().collect();
    let mut unmatched = Vec::new();
    for (index, span) in expected.iter().enumerate() {
        match read.iter().position(|candidate| *candidate == span) {
            Some(i) => drop(read.swap_remove(i)),
            None => unmatched.push((index, span)),
        }
    }
    let mut mismatches: Vec<Mismatch> = unmatched
        .into_iter()
        .map(|(index, span)| match nearest(span, &read) {
            Some((i, fields)) => {
                read.swap_remove(i);
                Mismatch::Differs {
                    index,
                    span: title(span),
                    fields,
                }
            }
            None => Mismatch::Missing {
                index,
                span: Box::new(span.clone()),
            },
        })
        .collect();
    mismatches.extend(read.into_iter().map(|span| Mismatch::Surplus {
        span: Box::new(span.clone()),
    }));
    mismatches
}

impl Mismatch {
    /// Returns the index of the expected span; `None` for a surplus one.
    pub const fn expected_index(&self) -> Option<usize> {
        match self {
            Self::Missing { index, .. } | Self::Differs { index, .. } => Some(*index),
            Self::Surplus { .. } => None,
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { span, .. } => write!(f, "span {} is missing: {span:#?}", title(span)),
            Self::Surplus { span } => {
                write!(f, "span {} was not expected: {span:#?}", title(span))
            }
            Self::Differs { span, fields, .. } => {
                write!(f, "span {span} differs:\n  {}", fields.join("\n  "))
            }
        }
    }
}

/// Returns the read span with the same ids that differs least, with its differences.
fn nearest(span: &StoredSpan, read: &[&StoredSpan]) -> Option<(usize, Vec<String>)> {
    read.iter()
        .enumerate()
        .filter(|(_, other)| (other.trace_id, other.span_id) == (span.trace_id, span.span_id))
        .map(|(i, other)| (i, differing_fields(span, other)))
        .min_by_key(|(_, fields)| fields.len())
}

fn differing_fields(expected: &StoredSpan, read: &StoredSpan) -> Vec<String> {
    let mut read = fields(read);
    let mut differing = Vec::new();
    for (field, value) in fields(expected) {
        match read.remove(&field) {
            Some(other) if other == value => {}
            Some(other) => differing.push(format!("{field}: expected {value}, read {other}")),
            None => differing.push(format!("{field}: expected {value}, read nothing")),
        }
    }
    differing.extend(
        read.into_iter()
            .map(|(field, value)| format!("{field}: unexpected {value}")),
    );
    differing
}

/// Returns every field as text, lists by position.
fn fields(span: &StoredSpan) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::from([
        ("trace id".to_owned(), format!("{:032x}", span.trace_id)),
        ("span id".to_owned(), format!("{:016x}", span.span_id)),
        ("operation".to_owned(), format!("{:?}", span.operation)),
        ("flags".to_owned(), span.flags.to_string()),
        ("start".to_owned(), span.start_us.to_string()),
        ("duration".to_owned(), span.duration_us.to_string()),
        ("service".to_owned(), format!("{:?}", span.service)),
    ]);
    let mut list = |name: String, values: Vec<String>| {
        fields.extend(
            values
                .into_iter()
                .enumerate()
                .map(|(i, v)| (format!("{name}[{i}]"), v)),
        );
    };
    let tag = |tag: &crate::Tag| format!("{} = {:?}", tag.key, tag.value);
    list(
        "references".to_owned(),
        span.references.iter().map(|r| format!("{r:x?}")).collect(),
    );
    list("tags".to_owned(), span.tags.iter().map(tag).collect());
    list(
        "process tags".to_owned(),
        span.process_tags.iter().map(tag).collect(),
    );
    list("warnings".to_owned(), span.warnings.clone());
    let timestamps = span.logs.iter().map(|log| log.timestamp_us.to_string());
    list("log timestamps".to_owned(), timestamps.collect());
    for (i, log) in span.logs.iter().enumerate() {
        list(
            format!("logs[{i}].fields"),
            log.fields.iter().map(tag).collect(),
        );
    }
    fields
}

fn title(span: &StoredSpan) -> String {
    format!(
        "{:?} {:x}:{:x}",
        span.operation, span.trace_id, span.span_id
    )
}

#[cfg(test)]
mod tests {
    use crate::Tag;

    use super::*;

    #[test]
    fn spans_are_compared_in_any_order_and_as_often_as_they_come() {
        let span = |operation: &str| StoredSpan {
            operation: operation.into(),
            ..StoredSpan::default()
        };
        assert_eq!(
            compare(
                &[span("a"), span("b"), span("a")],
                &[span("a"), span("a"), span("b")]
            ),
            []
        );
        assert_eq!(
            compare(&[span("a")], &[span("a"), span("a")]),
            [Mismatch::Surplus {
                span: Box::new(span("a"))
            }],
        );
        let other_ids = StoredSpan {
            span_id: 7,
            ..span("a")
        };
        assert_eq!(
            compare(&[span("a")], std::slice::from_ref(&other_ids)),
            [
                Mismatch::Missing {
                    index: 0,
                    span: Box::new(span("a"))
                },
                Mismatch::Surplus {
                    span: Box::new(other_ids)
                }
            ],
        );
    }

    #[test]
    fn a_tag_of_another_type_is_a_difference() {
        let span = |tag| StoredSpan {
            tags: vec![tag],
            ..StoredSpan::default()
        };
        let mismatches = compare(&[span(Tag::new("n", 1))], &[span(Tag::new("n", 1.0))]);
        assert_eq!(
            mismatches,
            [Mismatch::Differs {
                index: 0,
                span: "\"\" 0:0".to_owned(),
                fields: vec!["tags[0]: expected n = 1, read n = 1.0 (3ff0000000000000)".to_owned()],
            }],
        );
    }
}
