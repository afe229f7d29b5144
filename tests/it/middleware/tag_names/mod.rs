//! Tests of the vocabularies in which the middleware names tags.

mod requests;
#[cfg(all(
    feature = "nats",
    feature = "redis",
    feature = "stream",
    feature = "thrift",
    feature = "tonic",
    feature = "tungstenite"
))]
mod table;

use tracehound::JaegerTracer;
use tracehound::middleware::Database;
use tracehound::model::{Recording, TagNames};
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use crate::support::{kept_lines, log_texts, recording_builder, texts};

const ALL: [TagNames; 3] = [
    TagNames::OpenTracing,
    TagNames::OpenTelemetry,
    TagNames::Both,
];

/// Returns a tracer that records everything under these names.
fn tracer(names: TagNames) -> (JaegerTracer, InMemoryReporter) {
    let (builder, spans) = recording_builder();
    let (diagnostics, _lines) = kept_lines();
    let builder = builder.recording(Recording::everything()).tag_names(names);
    let tracer = builder.diagnostics(diagnostics).build();
    (tracer.expect("the service has a name"), spans)
}

/// Returns the tags of a span that are in one of the lists, and says which of a list are missing.
fn assert_tags(names: TagNames, span: &OwnedSpan, opentracing: &[&str], opentelemetry: &[&str]) {
    let tags = texts(&span.tags);
    for (is_wanted, list) in [
        (names != TagNames::OpenTelemetry, opentracing),
        (names != TagNames::OpenTracing, opentelemetry),
    ] {
        for tag in list {
            let is_there = tags.iter().any(|seen| seen == tag);
            assert_eq!(is_there, is_wanted, "{names}: {tag} in {tags:#?}");
        }
    }
}

fn database(names: TagNames) -> (Database, InMemoryReporter) {
    let (tracer, spans) = tracer(names);
    let database = Database::new(tracer, "postgres")
        .component("driver")
        .instance("shop")
        .user("app")
        .peer_address("db:5433")
        .peer_service("orders");
    (database, spans)
}

#[test]
pub(in crate::middleware) fn a_statement_is_described_in_each_vocabulary() {
    for names in ALL {
        let (orders, spans) = database(names);
        let call = orders
            .statement("SELECT id FROM orders WHERE a = 7")
            .start();
        call.fail(&"duplicate").error_code("23505").rows_returned(1);
        call.finish();
        let span = &spans.spans()[0];
        let (name, opentelemetry) = ("SELECT orders", names == TagNames::OpenTelemetry);
        let expected = if opentelemetry { name } else { "SELECT" };
        assert_eq!(span.operation_name, expected, "{names}");
        let opentracing = [
            "db.type=postgres",
            "db.instance=shop",
            "peer.address=db:5433",
            "db.statement=SELECT id FROM orders WHERE a = 7",
            "db.error_code=23505",
        ];
        let opentelemetry = [
            "db.system.name=postgresql",
            "db.namespace=shop",
            "server.address=db",
            "server.port=5433",
            "db.query.text=SELECT id FROM orders WHERE a = 7",
            "db.query.summary=SELECT orders",
            "db.response.status_code=23505",
            "error.type=23505",
        ];
        assert_tags(names, span, &opentracing, &opentelemetry);
        for kept in [
            "component",
            "db.user",
            "peer.service",
            "db.rows_returned",
            "error",
        ] {
            assert!(span.tag(kept).is_some(), "{names}: {kept}");
        }
    }
}

#[test]
pub(in crate::middleware) fn a_call_without_a_statement_is_named_after_its_operation_and_its_target()
 {
    let (orders, spans) = database(TagNames::OpenTelemetry);
    orders.operation("ping").start().finish();
    orders
        .statement("SELECT 1")
        .name("load_user")
        .start()
        .finish();
    orders.statement("canary no statement").start().finish();
    let (tracer, others) = tracer(TagNames::OpenTelemetry);
    let bare = Database::new(tracer.clone(), "mssql");
    bare.operation("ping").start().finish();
    bare.statement("canary no statement").start().finish();
    let here = Database::new(tracer, "mysql").peer_address("db");
    here.operation("ping").start().finish();
    let seen: Vec<_> = spans.spans().into_iter().chain(others.spans()).collect();
    let seen: Vec<_> = seen.iter().map(|span| &*span.operation_name).collect();
    assert_eq!(
        seen,
        [
            "ping shop",
            "load_user",
            "shop",
            "ping",
            "microsoft.sql_server",
            "ping db"
        ]
    );
    let spans = spans.spans();
    assert_eq!(spans[0].tag_text("db.operation.name"), "ping");
    assert_eq!(spans[1].tag_text("db.query.summary"), "load_user");
    assert!(spans[2].tag("db.query.summary").is_none());
}

#[test]
fn statements_without_end_become_names_of_one_word() {
    let (orders, spans) = database(TagNames::OpenTelemetry);
    for table in 0..1_100 {
        let statement = format!("SELECT * FROM t_{table}");
        orders.statement(&statement).start().finish();
    }
    let spans = spans.spans();
    assert_eq!(spans[999].operation_name, "SELECT t_999");
    assert_eq!(spans[1_000].operation_name, "SELECT");
    assert_eq!(spans[1_099].tag_text("db.query.summary"), "SELECT");
    orders.statement("SELECT 1 FROM t_7").start().finish();
}

#[test]
fn repeats_are_logged_in_the_vocabulary_of_the_span() {
    for names in ALL {
        let (tracer, spans) = tracer(names);
        let users = Database::new(tracer.clone(), "mysql").repeats(1);
        let page = tracer.start_active_span("page");
        for _ in 0..2 {
            users.statement("SELECT 7").start().finish();
        }
        page.finish();
        let spans = spans.spans();
        let expected = match names {
            TagNames::OpenTelemetry => ["db.operation.name=SELECT", "db.query.text=SELECT 7"],
            _ => ["db.operation=SELECT", "db.statement=SELECT 7"],
        };
        let fields = log_texts(&spans[2].logs[0]);
        assert_eq!(fields[1..3], expected, "{names}");
    }
}
