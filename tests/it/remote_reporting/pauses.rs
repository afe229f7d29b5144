//! A remote reporter while its sender has no room.

use super::*;

/// Returns a reporter whose sender has no room for a number of attempts, and the sizes of the batches that it sends.
fn without_room(attempts: usize) -> (RemoteReporter, Arc<Mutex<Vec<u64>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (sink, mut attempts) = (sent.clone(), attempts);
    let sender = Scripted::new(move |batch| {
        if attempts > 0 {
            attempts -= 1;
            let soon = Instant::now() + Duration::from_millis(1);
            return SendOutcome::new(SendResult::Later(soon));
        }
        sink.lock().unwrap().push(batch.span_count);
        SendOutcome::default()
    });
    let mut reporter = RemoteReporter::new(sender);
    reporter.attach(&listening_worker().0);
    (reporter, sent)
}

fn wait_for_pause(reporter: &RemoteReporter) {
    while reporter
        .paused_until()
        .is_some_and(|at| at > Instant::now())
    {
        std::thread::yield_now();
    }
}

#[test]
fn a_batch_without_room_is_kept_and_sent_later() {
    let (mut reporter, sent) = without_room(3);
    let spans: Vec<_> = (1..=1_000).map(span).collect();
    let mut taken = 0;
    for span in &spans {
        if reporter.paused_until().is_some() {
            break;
        }
        report(&mut reporter, std::slice::from_ref(span));
        taken += 1;
    }
    assert!(
        (10..200).contains(&taken),
        "a full batch, and it pauses: {taken}"
    );
    for _ in 0..2 {
        wait_for_pause(&reporter);
        reporter.resume();
        assert!(reporter.paused_until().is_some());
    }
    wait_for_pause(&reporter);
    reporter.resume();
    assert_eq!(reporter.paused_until(), None);
    assert_eq!(sent.lock().unwrap().iter().sum::<u64>(), taken - 1);
    let unsent = reporter.flush(soon());
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
    assert_eq!(sent.lock().unwrap().iter().sum::<u64>(), taken);
}

#[test]
fn without_room_a_flush_returns_and_a_close_waits_until_its_deadline() {
    let (mut reporter, sent) = without_room(5);
    report(&mut reporter, &[span(1), span(2)]);
    let unsent = reporter.flush(soon());
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 2));
    assert!(reporter.paused_until().is_some());
    let unsent = reporter.close(soon());
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 0));
    assert_eq!(*sent.lock().unwrap(), [2]);

    let (mut reporter, sent) = without_room(usize::MAX);
    report(&mut reporter, &[span(1), span(2)]);
    let unsent = reporter.close(Instant::now() + Duration::from_millis(30));
    assert_eq!((unsent.dropped.total(), unsent.queued), (0, 2));
    assert!(sent.lock().unwrap().is_empty());
}

#[test]
fn spans_that_are_reported_in_spite_of_a_pause_take_bounded_memory() {
    let (mut reporter, _) = without_room(usize::MAX);
    let mut large = span(1);
    large.tags = vec![Tag::new("sql", "x".repeat(900)); 2];
    for _ in 0..5_000 {
        report(&mut reporter, std::slice::from_ref(&large));
    }
    let unsent = reporter.flush(soon());
    let lost = unsent.dropped.get(DropCause::QueueFull);
    assert_eq!(lost + unsent.queued, 5_000);
    assert!(unsent.queued < 1_000, "{unsent:?}");
}
