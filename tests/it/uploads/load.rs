//! Slow collectors: the program goes on, and every span is accounted for.

use super::*;

fn note(shop: &Shop, spans: usize, bytes: usize) {
    let note = "x".repeat(bytes);
    for _ in 0..spans {
        let span = shop.tracer.start_span("checkout");
        span.set_tag("note", note.as_str());
        span.finish();
    }
}

#[test]
fn spans_of_eight_mebibytes_flow_while_a_request_hangs() {
    let server = CollectorServer::start(Act::Hang);
    let shop = Shop::uploading_to(&server);
    note(&shop, 1, 10);
    shop.tracer.flush(Duration::ZERO);
    server.wait_for(1);
    // About 1,000 bytes each.
    note(&shop, 8 << 10, 900);
    let report = shop.tracer.report();
    assert_eq!(report.dropped.total(), 0, "{report}");
    assert_balanced(&report);
    let report = shop.close(Duration::from_millis(200));
    assert_eq!(report.sent, 0, "{report}");
}

#[test]
fn a_queue_that_a_hanging_collector_fills_is_told_of_with_the_collector() {
    let server = CollectorServer::start(Act::Hang);
    let (diagnostics, lines) = kept_lines();
    let tracer = JaegerTracer::builder("shop")
        .sampler(ConstSampler::new(true))
        .reporter(RemoteReporter::new(sender_to(&server)))
        .diagnostics(diagnostics)
        .queue_size(4_000)
        .build()
        .expect("a service");
    let shop = Shop { tracer, lines };
    // The request that hangs and the one behind it have 1 MiB each, the queue has 2 MiB.
    until("a line about the queue that names the collector", || {
        note(&shop, 1_000, 900);
        shop.tracer.flush(Duration::ZERO);
        let lines = shop.lines();
        let mut full = lines
            .iter()
            .filter(|line| line.contains("found no room in the queue"));
        full.any(|line| {
            line.contains("more slowly than spans come") || line.contains("not answered it for")
        })
    });
    shop.close(Duration::from_millis(100));
}

#[test]
fn a_close_counts_what_was_not_answered() {
    let server = CollectorServer::start(Act::Hang);
    let shop = Shop::uploading_to(&server);
    let report = shop.finish(3).close(Duration::from_millis(300));
    assert_lost(&report, DropCause::Unknown);
    let lines = shop.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("had answered about 3 spans"), "{lines:?}");
}

#[test]
fn a_flush_waits_for_the_answers() {
    let (ask, asked) = std::sync::mpsc::channel();
    let asked = Mutex::new(asked);
    let server = CollectorServer::by(move |_| {
        asked.lock().unwrap().recv().expect("the test says when");
        Act::status(202)
    });
    let shop = Shop::uploading_to(&server);
    let report = shop.finish(3).tracer.flush(Duration::from_millis(50));
    assert_eq!((report.sent, report.queued), (0, 3), "{report}");
    ask.send(()).expect("the server waits");
    assert_eq!(shop.flush().sent, 3);
}

#[test]
fn all_of_a_burst_arrives_at_a_collector_that_keeps_up() {
    let server = CollectorServer::start(Act::status(202));
    let shop = Shop::uploading_to(&server);
    note(&shop, 5_000, 900);
    let report = shop.flush();
    assert!(report.is_complete(), "{report}");
    assert_eq!(spans_of(&server), 5_000);
    let sizes = server.received();
    assert!(sizes.iter().all(|request| request.body.len() <= 1 << 20));
}

#[test]
fn two_senders_do_not_disturb_each_other() {
    let (hanging, open) = (
        CollectorServer::start(Act::Hang),
        CollectorServer::start(Act::status(202)),
    );
    let (one, other) = (Shop::uploading_to(&hanging), Shop::uploading_to(&open));
    one.finish(2).tracer.flush(Duration::ZERO);
    hanging.wait_for(1);
    assert_eq!(other.finish(3).flush().sent, 3);
    let report = one.close(Duration::from_millis(100));
    assert_lost(&report, DropCause::Unknown);
}

#[test]
fn the_last_tracer_goes_without_waiting_for_a_request() {
    let server = CollectorServer::start(Act::Hang);
    let shop = Shop::uploading_to(&server);
    shop.finish(1);
    server.wait_for(1);
    shop.tracer.close(Duration::ZERO);
    let start = Instant::now();
    drop(shop);
    assert!(start.elapsed() < Duration::from_secs(5));
}
