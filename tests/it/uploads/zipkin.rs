//! Zipkin's JSON over HTTP.

use serde_json::Value;
use tracehound::reporter::sender::ZipkinSender;

use super::*;

#[test]
fn a_batch_arrives_as_a_list_of_spans() {
    let server = CollectorServer::start(Act::status(202));
    let sender = ZipkinSender::new(&server.url("")).expect("a URL");
    let report = Shop::new(sender).finish(3).flush();
    assert!(report.is_complete(), "{report}");
    let request = &server.received()[0];
    assert_eq!(request.line, "POST /api/v2/spans HTTP/1.1");
    assert_eq!(request.header("content-type"), Some("application/json"));
    let spans: Vec<Value> = serde_json::from_slice(&request.body).expect("a list");
    let names = spans.iter().map(|span| span["name"].as_str());
    assert_eq!(names.collect::<Vec<_>>(), [Some("checkout"); 3]);
}

#[test]
fn a_storage_without_room_is_asked_three_times() {
    let server = CollectorServer::by(|n| Act::status(if n < 2 { 500 } else { 202 }));
    let sender = ZipkinSender::new(&server.url("")).expect("a URL");
    assert_eq!(Shop::new(sender).finish(3).flush().sent, 3);
    assert_eq!(server.begun(), 3);
}

#[test]
fn a_page_of_html_is_no_receipt() {
    assert_pages_are_no_receipt(
        |server| Box::new(ZipkinSender::new(&server.url("")).expect("a URL")),
        "is it a Zipkin?",
    );
}

#[test]
fn a_refused_password_has_a_line_with_the_variable() {
    let server = CollectorServer::start(Act::status(401));
    let shop = Shop::new(ZipkinSender::new(&server.url("")).expect("a URL"));
    assert_lost(&shop.finish(1).flush(), DropCause::Rejected);
    let lines = shop.lines();
    assert!(
        lines[0].contains("OTEL_EXPORTER_ZIPKIN_ENDPOINT"),
        "{lines:?}"
    );
}
