//! The marks of spans under which a statement is repeated.

use tracehound::middleware::Database;
use tracehound::prelude::*;
use tracehound::reporter::{InMemoryReporter, OwnedSpan};

use super::call;
use crate::support::{events, log_field, recording_tracer};

fn marked(spans: &InMemoryReporter) -> Vec<OwnedSpan> {
    let mut spans = spans.spans();
    spans.retain(|span| span.tag("db.repeated").is_some());
    spans
}

#[test]
pub(in crate::middleware) fn a_span_with_more_repeats_than_the_limit_is_marked_once() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql")
        .statements(true)
        .repeats(3);
    for (name, repeats) in [("few", 3), ("many", 9)] {
        let page = tracer.start_active_span(name);
        for id in 0..repeats {
            call(&database, &format!("SELECT a FROM t WHERE id = {id}"));
        }
        page.finish();
    }
    let marked = marked(&spans);
    assert_eq!(marked.len(), 1, "{marked:?}");
    assert_eq!(marked[0].operation_name, "many");
    assert_eq!(events(&marked[0]), ["repeated_statement"]);
    for (key, value) in [
        ("db.operation", "SELECT"),
        ("db.statement", "SELECT a FROM t WHERE id = ?"),
        ("limit", "3"),
    ] {
        let field = log_field(&marked[0], "repeated_statement", key);
        assert_eq!(field.as_deref(), Some(value));
    }
}

#[test]
fn different_statements_and_different_parents_are_no_repeats() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql").repeats(1);
    for _ in 0..4 {
        let page = tracer.start_active_span("page");
        call(&database, "SELECT a");
        call(&database, "SELECT b");
        database.operation("ping").start().finish();
        page.finish();
    }
    // Roots have no parent.
    for _ in 0..4 {
        call(&database, "SELECT a");
    }
    assert!(marked(&spans).is_empty());
}

#[test]
fn the_call_is_marked_if_its_parent_is_not_active() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql").repeats(1);
    let page = tracer.start_span("page");
    let _other = tracer.start_active_span("other");
    for _ in 0..3 {
        database.operation("ping").child_of(&page).start().finish();
    }
    let marked = marked(&spans);
    assert_eq!(marked.len(), 1);
    assert_eq!(marked[0].operation_name, "ping");
    let statement = log_field(&marked[0], "repeated_statement", "db.statement");
    assert_eq!(statement, None);
}

#[test]
fn repeats_are_not_marked_unless_asked_for() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql");
    let page = tracer.start_active_span("page");
    (0..1_000).for_each(|_| call(&database, "SELECT a"));
    page.finish();
    assert!(marked(&spans).is_empty());
}

#[test]
fn a_table_that_is_full_marks_no_span_in_error() {
    let (tracer, spans) = recording_tracer();
    let database = Database::new(tracer.clone(), "mysql").repeats(1);
    let page = tracer.start_active_span("page");
    (0..5_000).for_each(|n| call(&database, &format!("SELECT a{n} FROM t")));
    assert!(marked(&spans).is_empty());
    (0..2).for_each(|_| call(&database, "SELECT a"));
    page.finish();
    assert_eq!(marked(&spans).len(), 1);
}
