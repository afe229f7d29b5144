//! Tracers that send to the embedded agent.

use tracehound::Span;
use tracehound::dev::DevServer;
use tracehound::model::{ReferenceType, TagRef, TagValue, field};
use tracehound::prelude::*;

use super::printing::Paper;
use super::{PATIENCE, quiet, start};

#[test]
fn spans_can_be_read_after_a_flush() {
    let server = start();
    let (shop, pay) = (
        server.tracer("shop").unwrap(),
        server.tracer("pay").unwrap(),
    );
    let checkout = shop.start_span("checkout");
    let charge = pay.build_span("charge").child_of(&checkout).start();
    charge
        .set_tag("error", true)
        .log([field("message", "declined"), field("n", 3)]);
    let mail = pay.build_span("mail").follows_from(&charge).start();
    for span in [mail, charge, checkout] {
        span.finish();
    }
    assert!(shop.flush(PATIENCE).is_complete());
    assert!(pay.flush(PATIENCE).is_complete());

    let traces = server.traces();
    assert_eq!(traces.len(), 1);
    assert_eq!(traces[0].services(), ["pay", "shop"]);
    assert!(traces[0].open.is_empty());
    let span = |name: &str| {
        let found = traces[0]
            .spans
            .iter()
            .find(|span| span.span.operation_name == name);
        found.unwrap_or_else(|| panic!("{name} is missing"))
    };
    let (checkout, charge, mail) = (span("checkout"), span("charge"), span("mail"));
    assert!(matches!(
        checkout.span.tag("sampler.type"),
        Some(TagRef::String("const"))
    ));
    assert!(matches!(
        checkout.span.tag("sampler.param"),
        Some(TagRef::Bool(true))
    ));
    assert_eq!(charge.span.parent_id, Some(checkout.span.span_id));
    assert!(charge.is_error());
    assert_eq!(charge.span.logs[0].fields[1].value, TagValue::Long(3));
    assert_eq!(mail.span.references[0].kind, ReferenceType::FollowsFrom);
    assert_eq!(mail.span.references[0].span_id, charge.span.span_id);
    assert_eq!(server.totals().received, 3);
    assert_eq!(server.totals().undecodable, 0);
}

#[test]
fn a_root_that_has_started_is_known_to_be_open() {
    let server = start();
    let shop = server.tracer("shop").unwrap();
    let checkout = shop.start_span("checkout");
    shop.build_span("charge")
        .child_of(&checkout)
        .start()
        .finish();
    shop.flush(PATIENCE);
    let open = &server.traces()[0].open;
    assert_eq!(open.len(), 1);
    assert_eq!(
        (&*open[0].operation_name, &*open[0].service_name),
        ("checkout", "shop")
    );
    assert_eq!(Some(open[0].span_id), checkout.context().span_id());
    checkout.finish();
    shop.flush(PATIENCE);
    assert!(server.traces()[0].open.is_empty());
}

#[test]
fn the_last_tracer_prints_the_remaining_traces() {
    let paper = Paper::default();
    let server = DevServer::start(quiet().waterfall_to(paper.clone())).unwrap();
    let (shop, pay) = (
        server.tracer("shop").unwrap(),
        server.tracer("pay").unwrap(),
    );
    drop(server);
    let checkout = shop.start_span("checkout");
    pay.build_span("charge")
        .child_of(&checkout)
        .start()
        .finish();
    drop(pay);
    assert_eq!(paper.text(), "");
    assert!(shop.close(PATIENCE).is_complete());
    let text = paper.text();
    let rows: Vec<_> = text.lines().collect();
    assert!(rows[1].starts_with("shop  checkout   |"), "{text}");
    assert!(rows[1].ends_with("~ open"), "{text}");
    assert!(rows[2].starts_with(r"pay    \ charge  "), "{text}");
    assert!(text.ends_with("(received 1, dropped 0)\n\n"), "{text}");
    checkout.finish();
}

#[test]
fn an_open_span_does_not_keep_the_server_running() {
    let paper = Paper::default();
    let server = DevServer::start(quiet().waterfall_to(paper.clone())).unwrap();
    let tracer = server.tracer("shop").unwrap();
    let forgotten = tracer.start_span("forgotten");
    tracer.start_span("done").finish();
    drop(server);
    drop(tracer);
    assert!(paper.text().starts_with("done  trace "), "{}", paper.text());
    forgotten.finish();
}

#[test]
fn a_tracer_builder_takes_tags_and_refuses_a_blank_name() {
    let server = start();
    assert!(server.tracer(" ").is_err());
    let tracer = server
        .tracer_builder("shop")
        .tag("zone", "eu-1")
        .build()
        .unwrap();
    tracer.start_span("checkout").finish();
    tracer.flush(PATIENCE);
    let process = &server.traces()[0].spans[0].process;
    let zone = process.tags.iter().find(|tag| tag.key == "zone").unwrap();
    assert_eq!(zone.value, TagValue::from("eu-1"));
}

#[test]
fn ten_thousand_spans_arrive() {
    let server = start();
    let tracer = server.tracer("shop").unwrap();
    let root: Span = tracer.start_span("batch");
    for n in 0..10_000i64 {
        let span = tracer.build_span("row").child_of(&root).start();
        span.set_tag("n", n);
        span.finish();
        if n % 1_000 == 0 {
            tracer.flush(PATIENCE);
        }
    }
    root.finish();
    let report = tracer.flush(PATIENCE);
    assert_eq!(report.sent, 10_001, "{report}");
    assert!(
        server.wait_for_spans(10_001, PATIENCE),
        "{:?}",
        server.totals()
    );
    assert_eq!(server.traces()[0].spans.len(), 10_001);
}
