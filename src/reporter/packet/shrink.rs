//! Making a span smaller that is too large for any packet.
//!
//! There are three steps, each taken only as far as it must be:
//!
//! 1. Leave out log records, the largest first.
//! 2. Cut the longest values, all to one length.
//! 3. Leave out tags that no convention knows, the largest first.
//!
//! The tag `tracehound.degraded` tells which steps were taken, such as `logs, values`. The tag
//! `tracehound.dropped_items` tells how many logs and tags are missing, with those that the limits had left out before.

use std::borrow::Cow;
use std::cmp::Reverse;

use crate::model::tags::{
    COMPONENT, DB_INSTANCE, DB_STATEMENT, DB_TYPE, DB_USER, ERROR, HTTP_METHOD, HTTP_STATUS_CODE,
    HTTP_URL, JAEGER_DEBUG_ID, MESSAGE_BUS_DESTINATION, PEER_ADDRESS, PEER_HOSTNAME, PEER_IPV4,
    PEER_IPV6, PEER_PORT, PEER_SERVICE, SAMPLER_PARAM, SAMPLER_TYPE, SAMPLING_PRIORITY, SPAN_KIND,
};
use crate::model::{TagRef, otel_tags};
use crate::record::wire::encode::{write_log, write_tag};
use crate::record::{FinishedSpan, FrameBytes, FrameHeader, LogView, cut};
use crate::reporter::packet::marks::{Marks, missing_records};

/// Counts of what was taken from a span to make it smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loss {
    /// Tags and log records.
    pub(super) items: u64,
    /// Values that were cut.
    pub(super) values: u64,
}

/// Shows smaller and smaller forms of `span` to `fits`. If one fits, the last one shown does, and its loss is returned.
pub(super) fn shrink(
    span: &FinishedSpan<'_>,
    fits: impl FnMut(&FinishedSpan<'_>) -> bool,
) -> Option<Loss> {
    let mut shrinker = Shrinker::new(span, fits);
    shrinker.shrink().then_some(shrinker.loss)
}

/// The length to which values are cut at most, in bytes, before tags are left out.
const SHORTEST_CUT: usize = 64;

/// A form of a span, given by the parts that it leaves out.
#[derive(Clone, Copy, Default)]
struct Cut {
    /// The number of log records that it leaves out, the largest.
    logs: usize,
    /// The length to which it cuts values and the operation name.
    longest_value: Option<usize>,
    /// The number of tags that it leaves out, the largest of those that no convention knows.
    tags: usize,
}

struct Shrinker<'a, F> {
    span: FinishedSpan<'a>,
    /// Each log record, with the number of larger ones.
    logs: Vec<(LogView<'a>, usize)>,
    /// Each tag. One that may be left out has the number of larger ones that may.
    tags: Vec<(&'a str, TagRef<'a>, Option<usize>)>,
    optional_tags: usize,
    /// The marks that the limits have left.
    marks: Marks,
    fits: F,
    /// The loss of the form that was shown last.
    loss: Loss,
}

impl<'a, F: FnMut(&FinishedSpan<'_>) -> bool> Shrinker<'a, F> {
    fn new(span: &FinishedSpan<'a>, fits: F) -> Self {
        let logs: Vec<_> = span.logs().collect();
        let log_ranks = ranks(logs.iter().map(|log| Some(log_len(log))));
        let mut marks = Marks::default();
        let tags = span.tags().filter(|&(key, value)| !marks.read(key, value));
        let tags: Vec<_> = tags.collect();
        let tag_ranks = ranks(
            tags.iter()
                .map(|&(key, value)| (!STANDARD.contains(&key)).then(|| tag_len(key, value))),
        );
        Self {
            span: *span,
            logs: logs
                .into_iter()
                .zip(log_ranks.into_iter().flatten())
                .collect(),
            optional_tags: tag_ranks.iter().flatten().count(),
            tags: tags
                .into_iter()
                .zip(tag_ranks)
                .map(|((key, value), rank)| (key, value, rank))
                .collect(),
            marks,
            fits,
            loss: Loss::default(),
        }
    }

    /// Returns whether a form fits, which is the last one shown then.
    fn shrink(&mut self) -> bool {
        let mut cut = Cut::default();
        let (logs, tags) = (self.logs.len(), self.optional_tags);

        cut.logs = logs;
        if logs > 0 && self.fits(cut) {
            return self.least(logs, |n| Cut { logs: n, ..cut });
        }
        cut.longest_value = Some(SHORTEST_CUT);
        if self.fits(cut) {
            return self.longest(|n| Cut {
                longest_value: Some(n),
                ..cut
            });
        }
        cut.tags = tags;
        tags > 0 && self.fits(cut) && self.least(tags, |n| Cut { tags: n, ..cut })
    }

    /// Finds the smallest of the cuts `1..=most` that fits. The largest must fit.
    fn least(&mut self, most: usize, cut: impl Fn(usize) -> Cut) -> bool {
        let (mut too_few, mut enough) = (0, most);
        while enough - too_few > 1 {
            let middle = too_few.midpoint(enough);
            if self.fits(cut(middle)) {
                enough = middle;
            } else {
                too_few = middle;
            }
        }
        self.fits(cut(enough))
    }

    /// Finds the longest values that fit. `SHORTEST_CUT` must fit, and uncut values must not.
    fn longest(&mut self, cut: impl Fn(usize) -> Cut) -> bool {
        let texts = self.tags.iter().map(|(_, value, _)| match value {
            TagRef::String(text) => text.len(),
            TagRef::Binary(bytes) => bytes.len(),
            _ => 0,
        });
        let name = self.span.operation_name().len();
        let (mut fits, mut too_long) = (SHORTEST_CUT, texts.fold(name, usize::max));
        while fits + 1 < too_long {
            let middle = fits.midpoint(too_long);
            if self.fits(cut(middle)) {
                fits = middle;
            } else {
                too_long = middle;
            }
        }
        self.fits(cut(fits))
    }

    /// Shows one form.
    fn fits(&mut self, cut: Cut) -> bool {
        let (mut tags, mut tag_count) = (Vec::new(), 0);
        let mut marks = self.marks.clone();
        let mut loss = Loss {
            items: cut.tags as u64,
            values: 0,
        };
        for &(key, value, rank) in &self.tags {
            if rank.is_none_or(|rank| rank >= cut.tags) {
                let was_cut = write_cut_tag(&mut tags, key, value, cut.longest_value);
                loss.values += u64::from(was_cut);
                if was_cut && matches!(value, TagRef::Binary(_)) {
                    marks.truncated_keys.insert(key);
                }
                tag_count += 1;
            }
        }
        let (name, was_cut) = cut_text(self.span.operation_name(), cut.longest_value);
        loss.values += u64::from(was_cut);

        let (mut logs, mut log_count) = (Vec::new(), 0);
        for (log, rank) in &self.logs {
            if *rank >= cut.logs {
                write_log(&mut logs, log.timestamp, &log.field_refs());
                log_count += 1;
            } else if let Some(missing) = missing_records(log) {
                // These were counted before, but with `log` gone only the mark tells of them.
                marks.dropped_items = marks.dropped_items.saturating_add(missing);
            } else {
                loss.items += 1;
            }
        }
        let done = [
            ("logs", cut.logs > 0),
            ("values", loss.values > 0),
            ("tags", cut.tags > 0),
        ];
        let done: Vec<_> = done
            .iter()
            .filter_map(|(what, is_done)| is_done.then_some(*what))
            .collect();
        marks.dropped_items = marks.dropped_items.saturating_add(loss.items);
        tag_count += marks.write(&mut tags, &done.join(", "));
        self.loss = loss;

        let header = FrameHeader {
            tag_count,
            ..*self.span.header()
        };
        let bytes = FrameBytes {
            operation_name: &name,
            tags: &tags,
            logs: [&logs, &[]],
            log_count,
            ..self.span.frame_bytes()
        };
        (self.fits)(&FinishedSpan::new(header, bytes))
    }
}

/// The tags of the semantic conventions and of the samplers, which stay because they tell what the span is.
const STANDARD: [&str; 38] = [
    COMPONENT,
    DB_INSTANCE,
    DB_STATEMENT,
    DB_TYPE,
    DB_USER,
    ERROR,
    HTTP_METHOD,
    HTTP_STATUS_CODE,
    HTTP_URL,
    JAEGER_DEBUG_ID,
    MESSAGE_BUS_DESTINATION,
    PEER_ADDRESS,
    PEER_HOSTNAME,
    PEER_IPV4,
    PEER_IPV6,
    PEER_PORT,
    PEER_SERVICE,
    SAMPLER_PARAM,
    SAMPLER_TYPE,
    SAMPLING_PRIORITY,
    SPAN_KIND,
    otel_tags::CLIENT_ADDRESS,
    otel_tags::DB_NAMESPACE,
    otel_tags::DB_OPERATION_NAME,
    otel_tags::DB_QUERY_SUMMARY,
    otel_tags::DB_QUERY_TEXT,
    otel_tags::DB_SYSTEM_NAME,
    otel_tags::ERROR_TYPE,
    otel_tags::HTTP_REQUEST_METHOD,
    otel_tags::HTTP_RESPONSE_STATUS_CODE,
    otel_tags::HTTP_ROUTE,
    otel_tags::NETWORK_PEER_ADDRESS,
    otel_tags::NETWORK_PEER_PORT,
    otel_tags::SERVER_ADDRESS,
    otel_tags::SERVER_PORT,
    otel_tags::URL_FULL,
    otel_tags::URL_PATH,
    otel_tags::URL_SCHEME,
];

/// Returns, for each item that has a length, how many of the others are larger.
fn ranks(lengths: impl Iterator<Item = Option<usize>>) -> Vec<Option<usize>> {
    let lengths: Vec<_> = lengths.collect();
    let mut order: Vec<_> = (0..lengths.len())
        .filter(|&n| lengths[n].is_some())
        .collect();
    order.sort_by_key(|&n| Reverse(lengths[n]));
    let mut ranks = vec![None; lengths.len()];
    for (rank, n) in order.into_iter().enumerate() {
        ranks[n] = Some(rank);
    }
    ranks
}

fn log_len(log: &LogView<'_>) -> usize {
    let mut bytes = Vec::new();
    write_log(&mut bytes, log.timestamp, &log.field_refs());
    bytes.len()
}

fn tag_len(key: &str, value: TagRef<'_>) -> usize {
    let mut bytes = Vec::new();
    write_tag(&mut bytes, key, value);
    bytes.len()
}

/// Writes the tag. Returns whether its value was cut.
fn write_cut_tag(out: &mut Vec<u8>, key: &str, value: TagRef<'_>, longest: Option<usize>) -> bool {
    match (value, longest) {
        (TagRef::String(text), _) => {
            let (text, was_cut) = cut_text(text, longest);
            write_tag(out, key, TagRef::String(&text));
            was_cut
        }
        (TagRef::Binary(bytes), Some(longest)) if bytes.len() > longest => {
            write_tag(out, key, TagRef::Binary(&bytes[..longest]));
            true
        }
        _ => {
            write_tag(out, key, value);
            false
        }
    }
}

/// Cuts the text to whole characters of at most `longest` bytes, a mark included. Also returns whether it was cut.
fn cut_text(text: &str, longest: Option<usize>) -> (Cow<'_, str>, bool) {
    match longest.and_then(|longest| cut(text, longest)) {
        Some(shorter) => (Cow::Owned(shorter), true),
        None => (Cow::Borrowed(text), false),
    }
}
