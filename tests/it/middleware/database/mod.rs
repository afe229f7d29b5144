//! Tests of the spans for calls to a database.

pub(super) mod ends;
#[cfg(feature = "redis")]
pub(super) mod redis;
#[cfg(feature = "redis")]
pub(super) mod redis_ends;
pub(super) mod repeats;
#[cfg(feature = "stream")]
pub(super) mod rows;
pub(super) mod secrets;

use tracehound::NoopTracer;
use tracehound::middleware::Database;
use tracehound::model::Recording;
use tracehound::prelude::*;
use tracehound::reporter::InMemoryReporter;
use tracehound::span::Limits;

use crate::support::{kept_lines, names, recording_builder, recording_tracer, texts};

/// Returns a database whose spans are kept in memory.
fn database() -> (Database, InMemoryReporter) {
    let (tracer, spans) = recording_tracer();
    (Database::new(tracer, "mysql"), spans)
}

/// Starts and finishes a call of a statement.
fn call(database: &Database, statement: &str) {
    database.statement(statement).start().finish();
}

#[test]
pub(in crate::middleware) fn a_call_has_the_tags_of_its_database() {
    let (tracer, spans) = recording_tracer();
    let orders = Database::new(tracer, "postgresql")
        .component("tokio-postgres")
        .instance("shop")
        .user("app")
        .peer_address("app:secret@db:5432")
        .peer_service("orders-db");
    let call = orders.statement("SELECT 1").start();
    call.rows_returned(3).rows_affected(2);
    call.span().set_tag("shard", 7);
    call.finish();
    let span = &spans.spans()[0];
    assert_eq!(span.operation_name, "SELECT");
    assert_eq!(
        texts(&span.tags),
        [
            "span.kind=client",
            "component=tokio-postgres",
            "db.type=postgresql",
            "db.instance=shop",
            "db.user=app",
            "peer.address=@db:5432",
            "peer.service=orders-db",
            "db.rows_returned=3",
            "db.rows_affected=2",
            "shard=7",
        ]
    );
    assert!(span.logs.is_empty(), "{:?}", span.logs);
}

#[test]
fn a_call_is_named_by_a_known_word_or_by_the_caller() {
    let (database, spans) = database();
    call(&database, "/* a */ insert into t values (1)");
    call(&database, "canary-7 is no statement");
    database
        .statement("SELECT 1")
        .name("load_user")
        .start()
        .finish();
    database.operation("ping").start().finish();
    database.acquire().start().finish();
    let expected = ["INSERT", "Query", "load_user", "ping", "AcquireConnection"];
    assert_eq!(names(&spans), expected);
}

#[test]
fn a_call_is_a_child_of_the_active_span_or_of_a_given_one() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql");
    let other = tracer.start_span("other");
    let page = tracer.start_active_span("page");
    call(&database, "SELECT 1");
    database
        .statement("SELECT 1")
        .child_of(&other)
        .start()
        .finish();
    let parents: Vec<_> = spans.spans().iter().map(|span| span.parent_id).collect();
    assert_eq!(
        parents,
        [page.context().span_id(), other.context().span_id()]
    );
}

#[test]
fn a_call_outside_of_a_trace_has_no_span_if_that_is_set() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql").only_in_traces(true);
    call(&database, "SELECT 1");
    assert!(database.statement("SELECT 1").start().span().is_noop());
    let parent = tracer.start_span("page");
    database
        .statement("DELETE FROM t")
        .child_of(&parent)
        .start()
        .finish();
    parent.in_scope(|| call(&database, "UPDATE t"));
    assert_eq!(names(&spans), ["DELETE", "UPDATE"]);
}

#[test]
fn statements_are_shown_as_the_database_and_the_tracer_say() {
    let statement = "SELECT a FROM t WHERE b = 'x'";
    let shape = "SELECT a FROM t WHERE b = ?";
    let levels = [
        Recording::metadata(),
        Recording::statements(),
        Recording::everything(),
    ];
    let rows = [
        (None, ["", shape, statement]),
        (Some(true), [shape, shape, statement]),
        (Some(false), ["", "", ""]),
    ];
    for (shows, expected) in rows {
        for (level, expected) in levels.into_iter().zip(expected) {
            let (builder, spans) = recording_builder();
            let (diagnostics, _lines) = kept_lines();
            let builder = builder.recording(level).diagnostics(diagnostics);
            let tracer = builder.build().expect("the service has a name");
            let mut database = Database::new(tracer, "mysql");
            if let Some(shows) = shows {
                database = database.statements(shows);
            }
            let running = database.statement(statement).start();
            running.parameters(|| "7").result(|| "8");
            running.finish();
            let span = &spans.spans()[0];
            assert_eq!(
                span.tag_text("db.statement"),
                expected,
                "{shows:?}, {level}"
            );
            let data = [span.tag_text("db.parameters"), span.tag_text("db.result")];
            let is_full = expected == statement;
            assert_eq!(
                data,
                if is_full { ["7", "8"] } else { ["", ""] },
                "{shows:?}, {level}"
            );
        }
    }
}

#[test]
fn a_long_statement_is_cut_to_the_limit_of_a_tag() {
    let (builder, spans) = recording_builder();
    let limits = Limits::default().tag_value_bytes(32);
    let tracer = builder
        .limits(limits)
        .build()
        .expect("the service has a name");
    let database = Database::new(tracer, "mysql").statements(true);
    let columns: Vec<_> = (0..200_000).map(|n| format!("column_{n}")).collect();
    call(&database, &format!("SELECT {} FROM t", columns.join(", ")));
    let span = &spans.spans()[0];
    let text = span.tag_text("db.statement");
    assert!(
        text.starts_with("SELECT column_0, column_1") && text.ends_with('…'),
        "{text}"
    );
    assert!(text.len() <= 32, "{text}");
}

#[test]
fn names_in_double_quotes_are_shown_for_postgresql() {
    for (system, seen) in [
        ("postgresql", "SELECT \"id\" FROM \"users\""),
        ("mysql", "SELECT ? FROM ?"),
    ] {
        let (tracer, spans) = recording_tracer();
        let database = Database::new(tracer, system).statements(true);
        call(&database, "SELECT \"id\" FROM \"users\"");
        assert_eq!(spans.spans()[0].tag_text("db.statement"), seen);
    }
}

#[test]
fn a_tracer_that_is_off_runs_the_work_and_nothing_else() {
    let database = Database::new(NoopTracer, "mysql")
        .statements(true)
        .repeats(1);
    let running = database.statement("SELECT 1").start();
    assert!(running.span().is_noop());
    running.parameters(|| -> String { unreachable!("nothing is recorded") });
    let result = running.run_blocking(|| Err::<(), _>(std::io::Error::other("no")));
    assert_eq!(result.expect_err("it fails").to_string(), "no");
}
