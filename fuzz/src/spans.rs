//! Spans with anything in them.

use std::time::Duration;

use arbitrary::{Result, Unstructured};
use tracehound::model::{
    Flags, LogRecord, Process, ReferenceType, ReportedReference, SpanId, Tag, TagValue, Timestamp,
    TraceId, tags,
};
use tracehound::reporter::OwnedSpan;

/// Up to `most` spans. Few ids are used, so that spans are parents of each other.
pub fn spans(u: &mut Unstructured<'_>, most: usize) -> Result<Vec<OwnedSpan>> {
    let count = u.int_in_range(0..=most)?;
    let mut spans = Vec::new();
    for _ in 0..count {
        if u.is_empty() {
            break;
        }
        spans.push(span(u)?);
    }
    Ok(spans)
}

/// The process of the spans.
pub fn process(u: &mut Unstructured<'_>) -> Result<Process> {
    Ok(Process::new(text(u)?, list(u, 3, tag)?))
}

fn span(u: &mut Unstructured<'_>) -> Result<OwnedSpan> {
    let mut span = OwnedSpan::new(trace_id(u)?, span_id(u)?, text(u)?);
    span.parent_id = SpanId::new(id(u)?);
    span.flags = Flags::from_bits(u.arbitrary()?);
    span.start = time(u)?;
    span.duration = Duration::from_micros(u.arbitrary::<u64>()? >> u.int_in_range(1..=63)?);
    span.tags = list(u, 12, tag)?;
    span.logs = list(u, 4, |u| Ok(LogRecord::new(time(u)?, list(u, 5, tag)?)))?;
    span.references = list(u, 3, |u| {
        let kind = match u.arbitrary()? {
            true => ReferenceType::ChildOf,
            false => ReferenceType::FollowsFrom,
        };
        Ok(ReportedReference::new(kind, trace_id(u)?, span_id(u)?))
    })?;
    Ok(span)
}

fn list<T>(
    u: &mut Unstructured<'_>,
    most: usize,
    item: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = u.int_in_range(0..=most)?;
    (0..count).map(|_| item(u)).collect()
}

fn tag(u: &mut Unstructured<'_>) -> Result<Tag> {
    let key = match u.int_in_range(0..=7)? {
        0 => tags::ERROR.to_owned(),
        1 => tags::HTTP_URL.to_owned(),
        2 => tags::MESSAGE.to_owned(),
        3 => tags::HTTP_STATUS_CODE.to_owned(),
        4 => "tracehound.dropped_items".to_owned(),
        _ => text(u)?,
    };
    let value = match u.int_in_range(0..=5)? {
        0 | 1 => TagValue::from(text(u)?),
        2 => TagValue::Bool(u.arbitrary()?),
        3 => TagValue::Long(u.arbitrary()?),
        4 => TagValue::Double(u.arbitrary()?),
        _ => TagValue::Binary(text(u)?.into_bytes()),
    };
    Ok(Tag::new(key, value))
}

/// Short mostly, and now and then longer than a packet.
fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let bytes = u.int_in_range(0..=40)?.min(u.len());
    let text = String::from_utf8_lossy(u.bytes(bytes)?).into_owned();
    let times = match u.arbitrary::<u8>()? {
        times @ 250.. => usize::from(times - 249) * 50,
        _ => 1,
    };
    Ok(text.repeat(times))
}

fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(match u.arbitrary::<u8>()? {
        0..=3 => u.arbitrary()?,
        near => 1_700_000_000_000_000 + i64::from(near) * i64::from(u.arbitrary::<u16>()?),
    }))
}

fn id(u: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u.arbitrary::<u8>()? {
        255 => u.arbitrary()?,
        few => u64::from(few % 16),
    })
}

fn trace_id(u: &mut Unstructured<'_>) -> Result<TraceId> {
    let low = id(u)? % 4;
    Ok(TraceId::new(low / 2, low % 2).unwrap_or(TraceId::new(0, 1).expect("not zero")))
}

fn span_id(u: &mut Unstructured<'_>) -> Result<SpanId> {
    Ok(SpanId::new(id(u)?).unwrap_or(SpanId::new(1).expect("not zero")))
}
