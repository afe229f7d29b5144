use super::*;
use crate::model::{field, tags};
use crate::record::open::log_draft::LogDraft;
use crate::record::wire::appender::MIN_GROWTH;
use crate::record::wire::decode::Logs;
use crate::record::wire::repeated_keys::without_repeated_keys;

fn log_events(mut buffer: SpanBuffer, limits: &Limits) -> Vec<(i64, String)> {
    buffer.seal(limits);
    let bytes = buffer.bytes();
    Logs::new(&bytes.logs.concat(), bytes.log_count as usize)
        .map(|log| {
            let text = log
                .fields
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>();
            (log.timestamp.as_micros(), text.join(" "))
        })
        .collect()
}

fn tag_bytes(buffer: &SpanBuffer) -> &Vec<u8> {
    &buffer.records.as_ref().expect("not capped").tags
}

fn push_event(buffer: &mut SpanBuffer, n: i64, limits: &Limits) {
    let mut draft = LogDraft::new(Timestamp::from_micros(n));
    draft.push(field("n", n), limits);
    buffer.push_log(draft.finish(), limits);
    draft.discard();
}

#[test]
fn a_span_with_too_many_logs_keeps_the_first_and_the_newest() {
    let limits = Limits::default().logs(6);
    let mut buffer = SpanBuffer::new();
    for n in 0..10 {
        push_event(&mut buffer, n, &limits);
    }
    let marker = (
        6,
        "event=dropped Span logs dropped_log_count=5 component=tracehound".to_owned(),
    );
    let expected: Vec<_> = [0, 1]
        .map(|n| (n, format!("n={n}")))
        .into_iter()
        .chain([marker])
        .chain([7, 8, 9].map(|n| (n, format!("n={n}"))))
        .collect();
    assert_eq!(log_events(buffer, &limits), expected);
}

#[test]
fn a_limit_of_one_log_leaves_only_the_marker() {
    let limits = Limits::default().logs(1);
    let mut buffer = SpanBuffer::new();
    for n in 0..3 {
        push_event(&mut buffer, n, &limits);
    }
    let events = log_events(buffer, &limits);
    assert_eq!(events.len(), 1);
    assert!(events[0].1.contains("dropped_log_count=3"), "{events:?}");
}

#[test]
fn a_span_keeps_as_many_logs_as_the_limit() {
    let limits = Limits::default().logs(6);
    let mut buffer = SpanBuffer::new();
    for n in 0..6 {
        push_event(&mut buffer, n, &limits);
    }
    let events = log_events(buffer, &limits);
    assert_eq!(
        events.iter().map(|event| event.0).collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
}

#[test]
fn a_full_span_leaves_tags_out_and_marks_how_many() {
    let limits = Limits::default().span_bytes(100);
    let mut buffer = SpanBuffer::new();
    for n in 0..50 {
        buffer.push_tag(&format!("key-{n:02}"), TagRef::Long(n), &limits);
    }
    buffer.seal(&limits);
    let tags: Vec<_> = buffer.tags().collect();
    let kept = tags.len() - 1;
    assert_eq!(tags[kept].0, tags::DROPPED_ITEMS);
    assert_eq!(tags[kept].1.to_string(), (50 - kept).to_string());
}

#[test]
fn a_tag_set_a_million_times_takes_one_place() {
    let limits = Limits::default().span_bytes(1_000);
    let mut buffer = SpanBuffer::new();
    buffer.push_tag("other", TagRef::Bool(true), &limits);
    let times = if cfg!(miri) { 1_000 } else { 100_000 };
    for n in 0..times {
        assert_eq!(buffer.push_tag("n", TagRef::Long(n), &limits).dropped, 0);
    }
    buffer.seal(&limits);
    assert!(buffer.end(Flags::default(), 0).has_repeated_keys);
    let (bytes, count) = without_repeated_keys(buffer.tags());
    let tags: Vec<_> = Tags::new(&bytes, count as usize)
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(tags, ["other=true".to_owned(), format!("n={}", times - 1)]);
}

#[test]
fn long_values_and_keys_are_cut() {
    let limits = Limits::default().tag_value_bytes(4).key_bytes(4);
    let mut buffer = SpanBuffer::new();
    let added = buffer.push_tag("longer", TagRef::String("longer"), &limits);
    assert_eq!(added.truncated, 2);
    assert_eq!(
        buffer
            .push_tag("b", TagRef::Binary(&[1; 9]), &limits)
            .truncated,
        1
    );
    buffer.seal(&limits);
    let tags: Vec<_> = buffer.tags().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        tags,
        ["l…=l…", "b=01010101", "tracehound.truncated_binary=b"]
    );
}

#[test]
fn the_memory_of_tags_begins_small_and_doubles() {
    let (mut buffer, limits) = (SpanBuffer::new(), Limits::default());
    let mut sizes = Vec::new();
    for _ in 0..200 {
        buffer.push_tag("key", TagRef::String("value"), &limits);
        let size = tag_bytes(&buffer).capacity();
        if sizes.last() != Some(&size) {
            sizes.push(size);
        }
    }
    assert_eq!(sizes[0], MIN_GROWTH);
    let is_doubled = sizes.windows(2).all(|two| two[1] == 2 * two[0]);
    assert!(is_doubled, "{sizes:?}");
    buffer.clear();
    for _ in 0..200 {
        buffer.push_tag("key", TagRef::String("value"), &limits);
    }
    assert_eq!(tag_bytes(&buffer).capacity(), sizes[sizes.len() - 1]);
}

#[test]
fn the_buffer_of_a_capped_span_takes_a_name_and_nothing_else() {
    let (mut buffer, limits) = (SpanBuffer::capped(), Limits::default());
    buffer.begin("name".into(), &limits);
    push_event(&mut buffer, 1, &limits);
    assert!(!buffer.push_short_log(Timestamp::from_micros(2), &[field("n", 2)], &limits));
    let added = [
        buffer.push_tag("k", TagRef::Long(1), &limits),
        buffer.push_tags(&[("k", TagRef::Long(1))], &limits),
        buffer.drop_item(),
    ];
    assert_eq!(added, [Added::default(); 3]);
    let long = "x".repeat(limits.operation_name_bytes + 1);
    buffer.set_operation_name(long.clone().into());
    assert!(!buffer.seal(&limits));
    assert_eq!(
        buffer.bytes().frame_len(),
        SpanBuffer::new().bytes().frame_len() + long.len()
    );
    assert_eq!(
        (buffer.tags().count(), buffer.copied_tags()),
        (0, (Vec::new(), 0))
    );
    assert_eq!(buffer.end(Flags::default(), 0).tag_count, 0);
    assert!(!buffer.is_tags_only() && !buffer.is_name_only());
}
