use super::*;
use crate::model::field;
use crate::record::open::log_draft::LogDraft;
use crate::record::wire::decode::Logs;

fn log_events(mut buffer: SpanBuffer, limits: &Limits) -> Vec<(i64, String)> {
    buffer.seal(limits);
    let bytes = [&*buffer.logs.first, &*buffer.logs.joined].concat();
    Logs::new(&bytes, buffer.logs.first_count as usize)
        .map(|log| {
            let text = log
                .fields
                .map(|(k, v)| format!("{k}={v}"))
                .collect::<Vec<_>>();
            (log.timestamp.as_micros(), text.join(" "))
        })
        .collect()
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
    let mut buffer = SpanBuffer::default();
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
    let mut buffer = SpanBuffer::default();
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
    let mut buffer = SpanBuffer::default();
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
    let mut buffer = SpanBuffer::default();
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
    let mut buffer = SpanBuffer::default();
    buffer.push_tag("other", TagRef::Bool(true), &limits);
    let times = if cfg!(miri) { 1_000 } else { 100_000 };
    for n in 0..times {
        assert_eq!(buffer.push_tag("n", TagRef::Long(n), &limits).dropped, 0);
    }
    buffer.seal(&limits);
    assert!(buffer.keys.has_repeated);
    let (bytes, count) = without_repeated_keys(buffer.tags());
    let tags: Vec<_> = Tags::new(&bytes, count as usize)
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(tags, ["other=true".to_owned(), format!("n={}", times - 1)]);
}

#[test]
fn long_values_and_keys_are_cut() {
    let limits = Limits::default().tag_value_bytes(4).key_bytes(4);
    let mut buffer = SpanBuffer::default();
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
fn a_tag_that_finds_no_room_reserves_some_for_short_tags() {
    let (mut buffer, limits) = (SpanBuffer::default(), Limits::default());
    for _ in 0..200 {
        let before = buffer.tags.capacity();
        buffer.push_tag("key", TagRef::String("value"), &limits);
        let room = buffer.tags.capacity() - buffer.tags.len();
        // If the capacity has changed, this tag found no room.
        assert!(buffer.tags.capacity() == before || room >= SHORT_TAG_BYTES);
    }
    let full = buffer.tags.capacity();
    buffer.clear();
    for _ in 0..200 {
        buffer.push_tag("key", TagRef::String("value"), &limits);
    }
    assert_eq!(buffer.tags.capacity(), full);
}
